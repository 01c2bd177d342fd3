"""What a run takes of its machine, as a series, and how fast each of it grows."""

from contextlib import suppress
from pathlib import Path
from statistics import linear_regression, median
from typing import NamedTuple

from tests.dataflows.flink.flink_runs import family

__all__ = ["Usage", "growth", "used"]


class Usage(NamedTuple):
    """What a run with all its processes takes at an instant.

    Attributes:
        memory_mb: resident.
        threads: of all processes.
        descriptors: open ones.
        state_kb: size of the folder of its state.
    """

    memory_mb: float
    threads: float
    descriptors: float
    state_kb: float


def used(process: int, state: Path) -> Usage:
    memory_kb = threads = descriptors = 0
    for member in family(process):
        with suppress(OSError):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{member}/status").read_text().splitlines())
            memory_kb += int(status.get("VmRSS", "0 kB").split()[0])
            threads += int(status["Threads"])
            descriptors += len(list(Path(f"/proc/{member}/fd").iterdir()))
    return Usage(memory_kb / 1024, threads, descriptors, sum(map(_size, state.rglob("*"))) / 1024)


def _size(path: Path) -> int:
    with suppress(OSError):  # a checkpoint may go meanwhile
        return path.stat().st_size if path.is_file() else 0
    return 0


def growth(seconds: list[float], usages: list[Usage]) -> list[str]:
    """Of each, the median, and the slope of the line through all its values, an hour."""
    hours = [second / 3600 for second in seconds]
    return [
        f"{median(values):,.0f}, {linear_regression(hours, values).slope:+,.0f}/h"
        for values in zip(*usages, strict=True)
    ]
