"""The windows that features are made of: rows of readings, shared by all windows of a request.

The windows of one device mostly hold the same events, which stand there once. A feature only ever sees windows that
hold at least one event, readings that are finite or, where a sensor is optional, absent, and times in order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.errors import AbsentError
from grpc_services.python.exact_mean import Float64s, exact_sums, means, present_counts
from grpc_services.python.row_ranges import Int64s, reduced, spread, united
from window_core import Sensors

__all__ = ["Float32s", "Float64s", "Int64s", "Totals", "Window", "Windows"]

Float32s: TypeAlias = NDArray[np.float32]
Totals: TypeAlias = tuple[Float64s, Int64s]
"""The exactly rounded sum, and the number, of the readings of each window, shape ``(windows, sensors)``."""

_EVENTS_AT_ONCE: Final = 1 << 20
"""Where windows have to be copied, so many events are at a time, or those of one window: 24 MB with four sensors."""


@dataclass(frozen=True, slots=True)
class Window:
    """The window of one device at one moment; ``n`` events, at least one. The arrays are read-only.

    ``window["temperature"]`` gives the readings of one sensor, float32, shape ``(n,)``, in the sensor's own unit; so
    does ``window.temperature``, if the name can be written so. They are finite, or NaN where an optional one is absent.

    Attributes:
        sensors: whose readings a row holds.
        times: int64, shape ``(n,)``: ms since the Unix epoch, UTC; never falling.
        readings: float32, shape ``(n, sensors)``.
    """

    sensors: Sensors
    times: Int64s
    readings: Float32s

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, sensor: str) -> Float32s:
        return self.readings[:, position(self.sensors, sensor)]

    def __getattr__(self, sensor: str) -> Float32s:
        return attribute(self, sensor)


class Windows:
    """Many windows over shared rows; ``len`` is their number. The arrays are read-only.

    Window ``i`` holds the rows ``starts[i]`` up to, without, ``ends[i]``; none is empty. Windows may share rows, and
    there may be many rows of no window, which hold anything: ``reduced`` is the way to one value for each window.

    ``windows["temperature"]`` gives a sensor's readings in all rows, float32, shape ``(rows,)``; so does
    ``windows.temperature``, if the name can be written so. ``windows[i]`` is window ``i``.

    Attributes:
        sensors: whose readings a row holds.
        starts: int64, shape ``(windows,)``: the first row of each window.
        ends: int64, shape ``(windows,)``: one past its last row.
        times: int64, shape ``(rows,)``: ms since the Unix epoch, UTC; never falling within a window.
        readings: float32, shape ``(rows, sensors)``; within the windows finite, or NaN where an optional one is absent.
    """

    def __init__(
        self,
        sensors: Sensors,
        starts: Int64s,
        ends: Int64s,
        times: Int64s,
        readings: Float32s,
        totals: Callable[[], Totals] | None = None,
        *,
        may_be_unordered: bool = True,
    ) -> None:
        """Windows as the attributes say; but the times may fall within a window, as ``in_time_order`` says.

        Args:
            sensors: as above, as the arrays are.
            starts: as above.
            ends: as above.
            times: as above.
            readings: as above.
            totals: gives what running sums know; without it, sums are made of the rows.
            may_be_unordered: whether times may fall within a window.
        """
        self.sensors = sensors
        self.starts = starts
        self.ends = ends
        self.times = times
        self.readings = readings
        self._made_totals = totals
        self._may_be_unordered = may_be_unordered

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int | str) -> Any:
        """Window ``index``, or the readings of one sensor, as views. Cost: no copy."""
        if isinstance(index, str):
            return self.readings[:, position(self.sensors, index)]
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        start, end = self.starts[index], self.ends[index]
        return Window(self.sensors, self.times[start:end], self.readings[start:end])

    def __getattr__(self, sensor: str) -> Float32s:
        return attribute(self, sensor)

    def __iter__(self) -> Iterator[Window]:
        return (self[index] for index in range(len(self)))

    @property
    def counts(self) -> Int64s:
        """The number of events of each window, shape ``(windows,)``, each at least 1."""
        return self.ends - self.starts

    def sum(self, sensor: str) -> Float64s:
        """The exactly rounded sum of the readings of each window that are there, shape ``(windows,)``.

        Cost: O(1) a window on a stream, whose server keeps running sums; else no more than the rows of all windows.
        """
        return self.totals[0][:, position(self.sensors, sensor)]

    def count(self, sensor: str) -> Int64s:
        """How many readings of each window are there, shape ``(windows,)``. Cost: as of ``sum``."""
        return self.totals[1][:, position(self.sensors, sensor)]

    def mean(self, sensor: str) -> Float32s:
        """The mean of the readings of each window that are there, shape ``(windows,)``. Cost: as of ``sum``.

        Raises:
            AbsentError: a window has none. Each window of the batch is then asked about alone, and that row fails.
        """
        place = position(self.sensors, sensor)
        if self._is_absent[place]:
            raise AbsentError(sensor)
        return self.means[:, place]

    @cached_property
    def totals(self) -> Totals:
        """The sum and the number of the readings that are there, for each window and sensor."""
        if self._made_totals is not None:
            return self._made_totals()
        counts = present_counts(self.readings, self.starts, self.ends, self.sensors.optional)
        return exact_sums(self.readings, self.starts, self.ends), counts

    @cached_property
    def means(self) -> Float32s:
        """The mean of the readings that are there, for each window and sensor; 0 where none is."""
        sums, counts = self.totals
        return means(sums, np.maximum(counts, 1))

    @cached_property
    def _is_absent(self) -> list[bool]:
        """Of each sensor, whether a window has no reading of it."""
        return [not there.all() for there in self.totals[1].T]

    def reduced(self, ufunc: np.ufunc, column: NDArray[Any]) -> NDArray[Any]:
        """What ``ufunc.reduce`` makes of the rows of each window in ``column``, shape ``(windows,)``.

        Cost: no more than twice the rows of all windows, whatever their order and however many rows there are.
        """
        if not len(self):
            return np.empty(0, column.dtype)
        rows, starts, ends = united(self.starts, self.ends)
        return reduced(ufunc, column[rows], starts, ends)

    def alone(self, index: int) -> "Windows":
        """Window ``index`` alone, over its own rows only. Cost: no copy."""
        rows = slice(self.starts[index], self.ends[index])
        return Windows(
            self.sensors, np.zeros(1, np.int64), self.counts[index : index + 1], self.times[rows], self.readings[rows],
            partial(self._totals_of, slice(index, index + 1)), may_be_unordered=self._may_be_unordered,
        )  # fmt: skip

    def parts_in_time_order(self) -> Iterator[tuple[slice, "Windows"]]:
        """All windows, some at a time, with the events of each in the order of their times, and which ones they are.

        Equal times keep their order. Cost: nothing where all are in order, else a copy of some windows at a time.
        """
        if not self._may_be_unordered or not self._unordered().any():
            yield slice(0, len(self)), self
            return
        start = 0
        while start < len(self):
            held = np.cumsum(self.counts[start : start + _EVENTS_AT_ONCE])
            end = start + max(int(np.searchsorted(held, _EVENTS_AT_ONCE, "right")), 1)
            yield slice(start, end), self._copied_in_time_order(slice(start, end))
            start = end

    def _unordered(self) -> NDArray[np.bool_]:
        """Whether the times fall within a window, for each."""
        rows, starts, ends = united(self.starts, self.ends)
        times = self.times[rows]
        falls = np.flatnonzero(times[1:] < times[:-1]) + 1
        return np.searchsorted(falls, starts, "right") < np.searchsorted(falls, ends)

    def _copied_in_time_order(self, part: slice) -> "Windows":
        counts = self.counts[part]
        order = spread(self.starts[part], counts)
        ends = np.cumsum(counts)
        starts = ends - counts
        for window in np.flatnonzero(self._unordered()[part]).tolist():
            rows = slice(starts[window], ends[window])
            order[rows] = order[rows][np.argsort(self.times[order[rows]], kind="stable")]
        times, readings = self.times[order], self.readings[order]
        times.setflags(write=False)
        readings.setflags(write=False)
        totals = partial(self._totals_of, part)
        return Windows(self.sensors, starts, ends, times, readings, totals, may_be_unordered=False)

    def _totals_of(self, part: slice) -> Totals:
        sums, counts = self.totals
        return sums[part], counts[part]


def position(sensors: Sensors, sensor: str) -> int:
    """Where a sensor stands in a row.

    Raises:
        KeyError: it is none of them.
    """
    try:
        return sensors.names.index(sensor)
    except ValueError:
        raise KeyError(f"there is no sensor {sensor}, there are {', '.join(sensors.names)}") from None


def attribute(of: Window | Windows, sensor: str) -> Float32s:
    """The readings of a sensor by its name as an attribute."""
    if sensor.startswith("__"):
        raise AttributeError(sensor)
    try:
        readings: Float32s = of[sensor]
    except KeyError as error:
        raise AttributeError(error.args[0]) from None
    return readings
