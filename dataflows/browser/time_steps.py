"""Time cut into steps of equal, readable length, for counts over time."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import polars as pl

__all__ = ["TimeSteps"]

_SECOND: Final = 1_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR

_LENGTHS: Final = (
    1, 10, 100, _SECOND, 5 * _SECOND, 15 * _SECOND, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE,
    _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY,
)  # fmt: skip
"""ms; a reader knows where each begins."""


class TimeSteps(NamedTuple):
    """Steps from the one that holds the first instant to the one that holds the last.

    >>> TimeSteps.of(30_000, 150_000, at_most=3)
    TimeSteps(first_ms=0, step_ms=60000, number=3)
    """

    first_ms: int
    step_ms: int
    number: int

    @classmethod
    def of(cls, start_ms: int, end_ms: int, at_most: int) -> "TimeSteps":
        """The shortest steps of which there are not too many; those of a year, if there are always too many."""
        for step in _LENGTHS:
            number = end_ms // step - start_ms // step + 1
            if number <= at_most:
                break
        return cls(start_ms // step * step, step, number)

    @property
    def starts(self) -> pl.DataFrame:
        """The start of each, as ``time``."""
        return pl.DataFrame({"time": [self.first_ms + place * self.step_ms for place in range(self.number)]})

    def start_of(self, instant: str) -> pl.Expr:
        """The start of the step of each instant of a column, as ``time``."""
        return (pl.col(instant) // self.step_ms * self.step_ms).alias("time")

    def counts(self, table: pl.DataFrame, column: str, names: Sequence[str]) -> pl.DataFrame:
        """How often each name stands in a column, in each step: by ``at``.

        Returns:
            ``time`` and a column for each name, a row for each step.
        """
        counted = (
            table.drop_nulls("at")
            .group_by(self.start_of("at"))
            .agg((pl.col(column) == name).sum().cast(pl.Int64).alias(name) for name in names)
        )
        return self.starts.join(counted, on="time", how="left").fill_null(0).sort("time")
