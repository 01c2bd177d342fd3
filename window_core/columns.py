"""The events of a window as two columns of a fixed capacity, shared with the evaluations made from them.

A row that an evaluation may see is never written again. A new event is written behind the last row; where that is not
possible (no room, or a late event), new columns are made and the old ones stay with the evaluations that hold them.
"""

import sys
from array import array
from bisect import bisect_left, bisect_right
from itertools import count
from typing import Final, NamedTuple, TypeAlias

from window_core.event import Event

__all__ = ["TIME_BYTES", "Columns", "Origin", "Views"]

if sys.byteorder != "little":  # snapshots and the services' columns are these bytes as they stand
    raise ImportError("latecomer needs a little-endian machine")

Views: TypeAlias = "tuple[memoryview[int], memoryview[int]]"
"""Times (int64) and rows (bytes), read-only."""

TIME_BYTES: Final = 8

_SPARE_ROWS_MIN: Final = 8
_SPARE_ROWS_SHARE: Final = 4
"""New columns have room for a quarter more rows, at least 8: they are made anew once in that many events, and
memory stays near 1.5 times the snapshot: ``latecomer bench`` prints it."""

_ZERO: Final = array("q", [0])

_NO_ROWS: Final[Views] = memoryview(array("q")), memoryview(b"")

_numbers: Final = count()


class Origin(NamedTuple):
    """What columns began with: rows of other columns of the same device and, maybe, one late event among them.

    Attributes:
        number: of those columns.
        start: the first of their rows.
        end: one past the last.
        row: where the late event stands in the new columns; ``None``: there is none.
    """

    number: int
    start: int
    end: int
    row: int | None


class Columns:
    """Two columns of one device: times in ms (int64), and rows of readings (``Sensors``).

    The owner says which rows count; the columns themselves know no start and no end.

    Attributes:
        number: no other columns of the process have it.
        origin: where their first rows come from; ``None``: they began empty, or with a snapshot.
        device_id: the device that they belong to.
        session_ms: the arrival that opened the session.
        times: int64, shape ``(capacity,)``.
        rows: ``row_bytes`` for each time.
        row_bytes: 4 for each sensor.
        capacity: rows they have room for.
        views: both, read-only.
    """

    __slots__ = ("capacity", "device_id", "number", "origin", "row_bytes", "rows", "session_ms", "times", "views")

    def __init__(
        self,
        device_id: str,
        session_ms: int,
        times: "array[int]",
        rows: bytearray,
        row_bytes: int,
        origin: Origin | None = None,
    ) -> None:
        self.number = next(_numbers)
        self.origin = origin
        self.device_id = device_id
        self.session_ms = session_ms
        self.times = times
        self.rows = rows
        self.row_bytes = row_bytes
        self.capacity = len(times)
        # A view keeps the format of its array, which the types of ``toreadonly`` forget.
        self.views: Views = (memoryview(times).toreadonly(), memoryview(rows).toreadonly())

    @classmethod
    def with_room(
        cls,
        device_id: str,
        session_ms: int,
        row_bytes: int,
        held: Views = _NO_ROWS,
        origin: Origin | None = None,
    ) -> "Columns":
        """Columns of these rows, and room behind them. Cost: a copy of the rows."""
        times, rows = held
        filled = len(times)
        spare_rows = _spare_rows(filled)
        new_times = _ZERO * (filled + spare_rows)
        memoryview(new_times)[:filled] = times
        new_rows = bytearray().join((rows, bytes(row_bytes * spare_rows)))
        return cls(device_id, session_ms, new_times, new_rows, row_bytes, origin)

    @property
    def event_bytes(self) -> int:
        """Of one event."""
        return TIME_BYTES + self.row_bytes

    def between(self, start: int, end: int) -> Views:
        """Rows ``start`` to ``end`` (not included) of each column, read-only, without a copy."""
        times, rows = self.views
        return times[start:end], rows[self.row_bytes * start : self.row_bytes * end]

    def moved(self, start: int, end: int) -> "Columns":
        """New columns of the rows ``start`` to ``end``, with room behind them. Cost: a copy of these rows."""
        origin = Origin(self.number, start, end, None)
        return Columns.with_room(self.device_id, self.session_ms, self.row_bytes, self.between(start, end), origin)

    def inserted(self, start: int, end: int, event: Event) -> "Columns":
        """New columns of the rows ``start`` to ``end`` and one late event, behind all of the same or an earlier time.

        Cost: O(log n) to find the row, and a copy of these rows.
        """
        place = bisect_right(self.times, event.time_ms, start, end)
        times, rows = self.views
        filled, row, row_bytes = end - start + 1, place - start, self.row_bytes
        spare_rows = _spare_rows(filled)
        new_times = _ZERO * (filled + spare_rows)
        view = memoryview(new_times)
        view[:row] = times[start:place]
        view[row] = event.time_ms
        view[row + 1 : filled] = times[place:end]
        before, behind = rows[row_bytes * start : row_bytes * place], rows[row_bytes * place : row_bytes * end]
        new_rows = bytearray().join((before, event.row, behind, bytes(row_bytes * spare_rows)))
        origin = Origin(self.number, start, end, row)
        return Columns(self.device_id, self.session_ms, new_times, new_rows, row_bytes, origin)

    def holds(self, start: int, end: int, event: Event) -> bool:
        """Whether one of the rows ``start`` to ``end`` has the time of the event and its readings, bit for bit."""
        row = bisect_left(self.times, event.time_ms, start, end)
        while row < end and self.times[row] == event.time_ms:
            if self.rows[self.row_bytes * row : self.row_bytes * (row + 1)] == event.row:
                return True
            row += 1
        return False


def _spare_rows(filled: int) -> int:
    """The room behind so many rows."""
    return max(filled // _SPARE_ROWS_SHARE, _SPARE_ROWS_MIN)
