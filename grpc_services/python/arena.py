"""Where the rows of all columns of a call lie, one column behind the other, in arrays that serve all at once."""

import numpy as np

from grpc_services.python.row_ranges import Int64s
from grpc_services.python.windows import Float32s
from window_core import Sensors

__all__ = ["Arena"]


class Arena:
    """Arrays of rows, of which columns are given ranges. It does not know the columns: their owner does.

    Attributes:
        times: int64, shape ``(rows,)``.
        readings: float32, shape ``(rows, sensors)``.
        sums: int64, shape ``(rows, sensors)``, or without sensors where no running sums are kept.
        used: rows that were given away, from the first one on.
        low: int64, as ``sums``, where readings are too wide for one; no sensors until ``keep_low``.
        present: int32, shape ``(rows, optional sensors)``: running counts, likewise.
    """

    def __init__(self, sensors: Sensors, *, keeps_sums: bool) -> None:
        self.times: Int64s = np.empty(0, np.int64)
        self.readings: Float32s = np.empty((0, sensors.width), np.float32)
        self.sums: Int64s = np.empty((0, sensors.width if keeps_sums else 0), np.int64)
        self.low: Int64s = np.empty((0, 0), np.int64)
        self.present = np.empty((0, sum(sensors.optional) if keeps_sums else 0), np.int32)
        self.used = 0

    def keep_low(self) -> None:
        """Keep ``low`` from now on."""
        if self.low.shape != self.sums.shape:
            self.low = np.empty_like(self.sums)

    def has(self, rows: int) -> bool:
        """Whether so many rows are free behind those that were given away."""
        return self.used + rows <= len(self.times)

    def given(self, spaces: Int64s) -> Int64s:
        """The first rows of ranges of so many rows, for which there must be room. What they hold is undefined."""
        bases: Int64s = self.used + np.cumsum(spaces) - spaces
        self.used += int(spaces.sum())
        return bases

    def make_anew(self, bases: Int64s, lengths: Int64s, spaces: Int64s, needed: int) -> Int64s:
        """Move columns to new arrays, twice as large as what is in them then; what is not named is left behind.

        So a row is moved once for each that was given away since, and memory stays near twice what is held.

        Args:
            bases: the first row of each column.
            lengths: how many of its rows to move.
            spaces: how many rows it has in all.
            needed: rows to be given away next.
        Returns:
            the first row of each column now.
        """
        moved: Int64s = np.cumsum(spaces) - spaces
        self.used = int(spaces.sum())
        moves = list(zip(bases.tolist(), moved.tolist(), lengths.tolist(), strict=True))
        for name in ("times", "readings", "sums", "low", "present"):
            old = getattr(self, name)
            new = np.empty((2 * (self.used + needed), *old.shape[1:]), old.dtype)
            for source, target, count in moves:
                new[target : target + count] = old[source : source + count]
            setattr(self, name, new)
        return moved
