"""How often a test does harm, and what it reports of that."""

import json
import os
from collections import Counter
from collections.abc import Iterable
from operator import add
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

__all__ = ["KILLS", "ON_DEMAND", "OTHERS", "STOPPED_S", "Row", "report", "table"]

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


class Row(NamedTuple):
    """What became of the outputs of a run, or of several with the same fault.

    Attributes:
        fault: its name.
        times: how often it was done.
        expected: how many outputs.
        lost: how many of them were not written.
        wrong: how many were written that are none of them.
        repeated: how many were written again.
        recovered_s: from the end of each disturbance to the next output.
    """

    fault: str
    times: int
    expected: int
    lost: int
    wrong: int
    repeated: int
    recovered_s: list[float]

    def cells(self) -> list[str]:
        seconds = self.recovered_s
        took = f"{median(seconds):.1f} ({max(seconds):.1f})" if seconds else "-"
        return [self.fault, *(f"{number:,}" for number in self[1:6]), took]


def report(fault: str, times: int, expected: list[bytes], written: list[bytes], recovered_s: list[float]) -> None:
    """Print what became of the outputs, and keep it for a table."""
    lost, wrong = len(set(expected) - set(written)), len(set(written) - set(expected))
    repeated = sum(Counter(written).values()) - len(set(written))
    row = Row(fault, times, len(expected), lost, wrong, repeated, recovered_s)
    print("\n" + ", ".join(f"{head}: {value}" for head, value in zip(_HEADS, row.cells(), strict=True)))
    if file := os.environ.get(_FIGURES):
        with Path(file).open("a") as figures:
            figures.write(json.dumps(row) + "\n")


def table(rows: Iterable[Row]) -> str:
    """Rows of ``report`` as Markdown; those of the same fault are one."""
    merged: dict[str, Row] = {}
    for row in rows:
        before = merged.get(row.fault)
        merged[row.fault] = row if before is None else Row(row.fault, *map(add, before[1:], row[1:]))
    lines = [_HEADS, ["---"] * len(_HEADS), *(row.cells() for row in merged.values())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
