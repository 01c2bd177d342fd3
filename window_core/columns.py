"""The events of a window as five columns of a fixed capacity, shared with the evaluations made from them.

A row that an evaluation may see is never written again. A new event is written behind the last row; where that is not
possible (no room, or a late event), new columns are made and the old ones stay with the evaluations that hold them.
"""

import sys
from array import array
from bisect import bisect_left, bisect_right
from typing import Final, TypeAlias

from window_core.event import Event

__all__ = ["BYTES_PER_EVENT", "Columns", "Sensors", "Views", "no_sensors"]

if sys.byteorder != "little":  # snapshots and the services' columns are these bytes as they stand
    raise ImportError("latecomer needs a little-endian machine")

Sensors: TypeAlias = "tuple[array[float], array[float], array[float], array[float]]"
Views: TypeAlias = "tuple[memoryview[int], memoryview[float], memoryview[float], memoryview[float], memoryview[float]]"

BYTES_PER_EVENT: Final = 24
"""8 for the time (int64) and 4 for each sensor (float32)."""

_SPARE_ROWS_MIN: Final = 8
_SPARE_ROWS_SHARE: Final = 4
"""New columns have room for a quarter more rows, at least 8: they are made anew once in that many events, and
memory stays near 1.5 times the snapshot: ``latecomer bench`` prints it."""


def no_sensors() -> Sensors:
    """Four sensors without a row."""
    return array("f"), array("f"), array("f"), array("f")


class Columns:
    """Five columns of one device: times in ms (int64) and four sensors (float32).

    The owner says which rows count; the columns themselves know no start and no end.

    Attributes:
        device_id: the device that they belong to.
        session_ms: the arrival that opened the session.
        times: int64, shape ``(capacity,)``.
        sensors: four of float32, shape ``(capacity,)`` each.
        capacity: rows they have room for.
        views: the five of them, read-only.
    """

    __slots__ = ("capacity", "device_id", "sensors", "session_ms", "times", "views")

    def __init__(self, device_id: str, session_ms: int, times: "array[int]", sensors: Sensors) -> None:
        self.device_id = device_id
        self.session_ms = session_ms
        self.times = times
        self.sensors = sensors
        self.capacity = len(times)
        # A view keeps the format of its array, which the types of ``toreadonly`` forget.
        self.views: Views = tuple(memoryview(column).toreadonly() for column in (times, *sensors))  # type: ignore[assignment]

    @classmethod
    def with_room(cls, device_id: str, session_ms: int, times: "array[int]", sensors: Sensors) -> "Columns":
        """Take these columns and add room behind them."""
        spare_rows = max(len(times) // _SPARE_ROWS_SHARE, _SPARE_ROWS_MIN)
        times.frombytes(bytes(8 * spare_rows))
        room = bytes(4 * spare_rows)
        for sensor in sensors:
            sensor.frombytes(room)
        return cls(device_id, session_ms, times, sensors)

    def rows(self, start: int, end: int) -> Views:
        """Rows ``start`` to ``end`` (not included) of each column, read-only, without a copy."""
        times, sensor1, sensor2, sensor3, sensor4 = self.views
        return times[start:end], sensor1[start:end], sensor2[start:end], sensor3[start:end], sensor4[start:end]

    def moved(self, start: int, end: int) -> "Columns":
        """New columns of the rows ``start`` to ``end``, with room behind them. Cost: a copy of these rows."""
        return Columns.with_room(self.device_id, self.session_ms, self.times[start:end], self._copied(start, end))

    def inserted(self, start: int, end: int, event: Event) -> "Columns":
        """New columns of the rows ``start`` to ``end`` and one late event, behind all of the same or an earlier time.

        Cost: O(log n) to find the row, and a copy of these rows.
        """
        row = bisect_right(self.times, event.time_ms, start, end) - start
        times = self.times[start:end]
        times.insert(row, event.time_ms)
        sensor1, sensor2, sensor3, sensor4 = sensors = self._copied(start, end)
        sensor1.insert(row, event.sensor1)
        sensor2.insert(row, event.sensor2)
        sensor3.insert(row, event.sensor3)
        sensor4.insert(row, event.sensor4)
        return Columns.with_room(self.device_id, self.session_ms, times, sensors)

    def holds(self, start: int, end: int, event: Event) -> bool:
        """Whether one of the rows ``start`` to ``end`` has the time of the event and its readings, bit for bit."""
        row = bisect_left(self.times, event.time_ms, start, end)
        while row < end and self.times[row] == event.time_ms:
            if b"".join(sensor[row : row + 1] for sensor in self.sensors) == event.readings:
                return True
            row += 1
        return False

    def _copied(self, start: int, end: int) -> Sensors:
        sensor1, sensor2, sensor3, sensor4 = self.sensors
        return sensor1[start:end], sensor2[start:end], sensor3[start:end], sensor4[start:end]
