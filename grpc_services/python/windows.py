"""The windows that features are made of: columns, shared by all windows of a batch.

A feature only ever sees windows that hold at least one event, finite readings, and times in order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["SENSORS", "Columns", "Float32s", "Int64s", "Window", "Windows"]

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
    """Many windows, one behind the other in shared columns; ``len`` is their number. The arrays are read-only.

    Window ``i`` holds the rows ``offsets[i]`` up to, without, ``offsets[i + 1]`` of each column; none is empty, so
    ``numpy.ufunc.reduceat(column, windows.starts)`` gives one value for each window.

    Attributes:
        offsets: int64, shape ``(windows + 1,)``: the first is 0, the last the number of rows.
        times: int64, shape ``(rows,)``: ms since the Unix epoch, UTC; never falling within a window.
        sensor1: float32, shape ``(rows,)``: finite, in the sensor's own unit; the same holds for the other three.
    """

    offsets: Int64s
    times: Int64s
    sensor1: Float32s
    sensor2: Float32s
    sensor3: Float32s
    sensor4: Float32s

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Window:
        """Window ``index``, as views. Cost: no copy."""
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        start, end = self.offsets[index : index + 2]
        return Window(*(column[start:end] for column in self.columns))

    def __iter__(self) -> Iterator[Window]:
        return (self[index] for index in range(len(self)))

    @property
    def columns(self) -> Columns:
        """The times (int64) and the four sensors (float32)."""
        return self.times, self.sensor1, self.sensor2, self.sensor3, self.sensor4

    @property
    def starts(self) -> Int64s:
        """The first row of each window, shape ``(windows,)``."""
        return self.offsets[:-1]

    @property
    def counts(self) -> Int64s:
        """The number of events of each window, shape ``(windows,)``, each at least 1."""
        return np.diff(self.offsets)

    def only(self, index: int) -> "Windows":
        """Window ``index`` as a batch of its own. Cost: no copy."""
        start, end = self.offsets[index : index + 2]
        return Windows(np.array([0, end - start]), *(column[start:end] for column in self.columns))

    @classmethod
    def of_spans(cls, starts: Int64s, ends: Int64s, columns: Columns) -> "Windows":
        """The windows that lie in the rows ``starts[i]`` up to, without, ``ends[i]``. Cost: a copy of these rows."""
        counts = ends - starts
        offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
        rows = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], counts)
        return cls(offsets, *_read_only(column[rows] for column in columns))

    def in_time_order(self) -> "Windows":
        """The same, with the events of each window in the order of their times; equal times keep their order.

        Cost: a comparison for each row where they are in order already, else a copy of all rows.
        """
        falls = self.times[1:] < self.times[:-1]
        falls[self.offsets[1:-1] - 1] = False  # from one window to the next a time may fall
        if not falls.any():
            return self
        order = np.arange(len(self.times))
        for index in np.unique(np.searchsorted(self.offsets, np.flatnonzero(falls), side="right") - 1):
            start, end = self.offsets[index : index + 2]
            order[start:end] = start + np.argsort(self.times[start:end], kind="stable")
        return Windows(self.offsets, *_read_only(column[order] for column in self.columns))


def _read_only(columns: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    for column in columns:
        column.setflags(write=False)
        yield column
