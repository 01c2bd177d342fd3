"""The windows that features are made of: columns, shared by all windows of a batch.

The windows of one device mostly hold the same events, which stand in the columns once. A feature only ever sees windows
that hold at least one event, finite readings, and times in order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["SENSORS", "Columns", "Float32s", "Int64s", "Window", "Windows", "reduced"]

Float32s: TypeAlias = NDArray[np.float32]
Int64s: TypeAlias = NDArray[np.int64]
Columns: TypeAlias = tuple[NDArray[Any], ...]

SENSORS: Final = ("sensor1", "sensor2", "sensor3", "sensor4")


@dataclass(frozen=True, slots=True)
class Window:
    """The window of one device at one moment; ``n`` events, at least one. The arrays are read-only.

    Attributes:
        times: int64, shape ``(n,)``: ms since the Unix epoch, UTC; never falling.
        sensor1: float32, shape ``(n,)``: finite, in the sensor's own unit; the same holds for the other three.
    """

    times: Int64s
    sensor1: Float32s
    sensor2: Float32s
    sensor3: Float32s
    sensor4: Float32s

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True)
class Windows:
    """Many windows over shared columns; ``len`` is their number. The arrays are read-only.

    Window ``i`` holds the rows ``starts[i]`` up to, without, ``ends[i]`` of each column; none is empty. Windows may
    share rows, and there may be rows of no window: ``reduced`` is the way to one value for each window.

    Attributes:
        starts: int64, shape ``(windows,)``: the first row of each window.
        ends: int64, shape ``(windows,)``: one past its last row.
        times: int64, shape ``(rows,)``: ms since the Unix epoch, UTC; never falling within a window.
        sensor1: float32, shape ``(rows,)``: finite within the windows, in the sensor's own unit; the same holds for the
            other three.
    """

    starts: Int64s
    ends: Int64s
    times: Int64s
    sensor1: Float32s
    sensor2: Float32s
    sensor3: Float32s
    sensor4: Float32s

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Window:
        """Window ``index``, as views. Cost: no copy."""
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        start, end = self.starts[index], self.ends[index]
        return Window(*(column[start:end] for column in self.columns))

    def __iter__(self) -> Iterator[Window]:
        return (self[index] for index in range(len(self)))

    @property
    def columns(self) -> Columns:
        """The times (int64) and the four sensors (float32)."""
        return self.times, self.sensor1, self.sensor2, self.sensor3, self.sensor4

    @property
    def counts(self) -> Int64s:
        """The number of events of each window, shape ``(windows,)``, each at least 1."""
        return self.ends - self.starts

    def reduced(self, ufunc: np.ufunc, column: NDArray[Any]) -> NDArray[Any]:
        """What ``ufunc.reduce`` makes of the rows of each window in one of the columns, shape ``(windows,)``."""
        return reduced(ufunc, column, self.starts, self.ends)

    def chosen(self, rows: "Int64s | list[int]") -> "Windows":
        """Some of the windows, by their numbers, over the same columns. Cost: no copy of the columns."""
        return Windows(self.starts[rows], self.ends[rows], *self.columns)

    def in_time_order(self) -> "Windows":
        """The same, with the events of each window in the order of their times; equal times keep their order.

        Cost: a comparison for each row where they are in order already, else a copy of all windows.
        """
        falls = np.flatnonzero(self.times[1:] < self.times[:-1]) + 1
        is_unordered = np.searchsorted(falls, self.starts, "right") < np.searchsorted(falls, self.ends)
        if not is_unordered.any():
            return self
        ends = np.cumsum(self.counts)
        starts = ends - self.counts
        order = np.arange(ends[-1]) + np.repeat(self.starts - starts, self.counts)
        for start, end in zip(starts[is_unordered], ends[is_unordered], strict=True):
            order[start:end] = order[start:end][np.argsort(self.times[order[start:end]], kind="stable")]
        return Windows(starts, ends, *_read_only(column[order] for column in self.columns))


def reduced(ufunc: np.ufunc, column: NDArray[Any], starts: Int64s, ends: Int64s, **options: Any) -> NDArray[Any]:
    """What ``ufunc.reduce`` makes of the rows ``starts[i]`` up to, without, ``ends[i]``, at least one, for each ``i``.

    Cost: no more than the rows of all windows and of the column together, whatever their order.
    """
    order = np.argsort(starts, kind="stable")
    bounds = np.column_stack((starts[order], ends[order])).ravel()
    if (bounds[:-1] == len(column)).any():
        column = np.append(column, column[-1:])  # no index may be one past the last row,
    elif bounds[-1] == len(column):
        bounds = bounds[:-1]  # where the last need not be given
    in_order = ufunc.reduceat(column, bounds, **options)[::2]  # the others are of the rows between two windows
    values = np.empty_like(in_order)
    values[order] = in_order
    return values


def _read_only(columns: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    for column in columns:
        column.setflags(write=False)
        yield column
