"""How often a test does harm, and what it reports of that."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

__all__ = ["KILLS", "ON_DEMAND", "OTHERS", "STOPPED_S", "report", "table"]

ON_DEMAND: Final = "LATECOMER_KILLS" in os.environ
"""Else it is a sample."""

KILLS: Final = int(os.environ.get("LATECOMER_KILLS", "3"))
"""Of each run that is killed."""

OTHERS: Final = max(KILLS // 10, 1)
"""Of each other fault, which takes longer."""

STOPPED_S: Final = float(os.environ.get("LATECOMER_STOPPED_S", "3"))
"""How long what is stopped stays so."""

_FIGURES: Final = "LATECOMER_FIGURES"
"""Names the file that collects them for ``table``."""

_HEADS: Final = (
    "fault", "times", "outputs expected", "lost", "wrong", "repeated", "s to recover, median (longest)"
)  # fmt: skip


def report(fault: str, times: int, expected: list[bytes], written: list[bytes], recovered_s: list[float]) -> None:
    """Print what became of the outputs, and keep it for a table."""
    lost, wrong = len(set(expected) - set(written)), len(set(written) - set(expected))
    repeated = sum(Counter(written).values()) - len(set(written))
    took = f"{median(recovered_s):.1f} ({max(recovered_s):.1f})" if recovered_s else "-"
    row = (fault, times, f"{len(expected):,}", lost, wrong, repeated, took)
    print("\n" + ", ".join(f"{head}: {value}" for head, value in zip(_HEADS, row, strict=True)))
    if file := os.environ.get(_FIGURES):
        with Path(file).open("a") as figures:
            figures.write(json.dumps(row) + "\n")


def table(rows: Sequence[Sequence[object]]) -> str:
    """Rows of ``report`` as Markdown."""
    lines = [_HEADS, ["---"] * len(_HEADS), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
