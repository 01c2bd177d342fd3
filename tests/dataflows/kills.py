"""How often a test kills, and what it prints of that."""

import os
from collections import Counter
from statistics import median
from typing import Final

__all__ = ["KILLS", "report"]

KILLS: Final = int(os.environ.get("LATECOMER_KILLS", "3"))


def report(fault: str, times: int, expected: list[bytes], written: list[bytes], recovered_s: list[float]) -> None:
    """Print what became of the outputs."""
    lost, wrong = len(set(expected) - set(written)), len(set(written) - set(expected))
    repeated = sum(Counter(written).values()) - len(set(written))
    print(
        f"\n{fault}: {times} times, {len(expected)} outputs expected, {lost} lost, {wrong} wrong, {repeated} repeated, "
        f"{median(recovered_s):.1f} s to recover (longest {max(recovered_s):.1f} s)"
    )
