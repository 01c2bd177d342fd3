"""Where the rows of all columns of a call lie, one column behind the other, in arrays that serve all at once."""

import numpy as np

from grpc_services.python.row_ranges import Int64s
from grpc_services.python.windows import Float32s
from window_core import Sensors

__all__ = ["Arena"]


class Arena:
    """Arrays of rows, of which columns are given ranges. It does not know the columns: their owner does.

    What columns have left is given again, lowest rows first: columns that are made anew now and then, as those of a
    long window are, stay in memory that the process has. New memory costs ten times as much as the copy into it.

    Attributes:
        times: int64, shape ``(rows,)``.
        readings: float32, shape ``(rows, sensors)``.
        sums: int64, shape ``(rows, sensors)``, or without sensors where no running sums are kept.
        low: int64, as ``sums``, where readings are too wide for one; no sensors until ``keep_low``.
        present: int32, shape ``(rows, optional sensors)``: running counts, likewise.
    """

    def __init__(self, sensors: Sensors, *, keeps_sums: bool) -> None:
        self.times: Int64s = np.empty(0, np.int64)
        self.readings: Float32s = np.empty((0, sensors.width), np.float32)
        self.sums: Int64s = np.empty((0, sensors.width if keeps_sums else 0), np.int64)
        self.low: Int64s = np.empty((0, 0), np.int64)
        self.present = np.empty((0, sum(sensors.optional) if keeps_sums else 0), np.int32)
        self._free: list[tuple[int, int]] = []  # first rows and ends of ranges, the lowest last

    def keep_low(self) -> None:
        """Keep ``low`` from now on."""
        if self.low.shape != self.sums.shape:
            self.low = np.empty_like(self.sums)

    def given(self, spaces: Int64s) -> Int64s | None:
        """The first rows of ranges of so many rows. What they hold is undefined.

        Returns:
            ``None`` if not all have room, as far as it is known: ``find_room`` or ``make_anew`` is to follow.
        """
        bases, ends = np.empty(len(spaces), np.int64), np.cumsum(spaces)
        count = given = 0
        while count < len(spaces):
            if not self._free:
                return None
            first, end = self._free.pop()
            fitting = slice(count, int(np.searchsorted(ends, given + end - first, "right")))
            bases[fitting] = first - given + ends[fitting] - spaces[fitting]
            if fitting.stop > count:
                count, before, given = fitting.stop, given, int(ends[fitting.stop - 1])
                first += given - before
            if count == len(spaces) and first < end:
                self._free.append((first, end))  # what is left of others is too small, and found again
        return bases

    def find_room(self, bases: Int64s, spaces: Int64s) -> None:
        """Know what is free beside these columns: of each its first row, and how many rows it has."""
        order = np.argsort(bases)
        firsts = np.append(0, (bases + spaces)[order])
        ends = np.append(bases[order], len(self.times))
        there = np.flatnonzero(firsts < ends)[::-1]
        self._free = list(zip(firsts[there].tolist(), ends[there].tolist(), strict=True))

    def make_anew(self, bases: Int64s, lengths: Int64s, spaces: Int64s, needed: int) -> Int64s:
        """Move columns to new arrays, twice as large as what is in them then; what is not named is left behind.

        Args:
            bases: the first row of each column.
            lengths: how many of its rows to move.
            spaces: how many rows it has in all.
            needed: rows to be given away next.
        Returns:
            the first row of each column now.
        """
        moved: Int64s = np.cumsum(spaces) - spaces
        used = int(spaces.sum())
        rows = 2 * (used + needed)
        moves = list(zip(bases.tolist(), moved.tolist(), lengths.tolist(), strict=True))
        for name in ("times", "readings", "sums", "low", "present"):
            old = getattr(self, name)
            new = np.empty((rows, *old.shape[1:]), old.dtype)
            for source, target, count in moves:
                new[target : target + count] = old[source : source + count]
            setattr(self, name, new)
        self._free = [(used, rows)]
        return moved
