"""Readings that do not fit the scale of the running sums of their column: a few for each column and sensor."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.exact_mean import Float64s
from grpc_services.python.row_ranges import Int64s

__all__ = ["MOST", "UnfitReadings", "grown"]

MOST: Final = 16
"""Of one column and sensor. A look at them costs as much as some tens of windows, so few cost next to nothing."""


class UnfitReadings:
    """Lists of readings, each with its place in its column, from 0. Columns are known by their slots."""

    def __init__(self, width: int) -> None:
        self._list_of = np.zeros((0, width), np.int32)  # of each slot and sensor; 0: none
        self._places = np.full((1, MOST), -1, np.int64)  # of each list; behind its last one -1, which is in no window
        self._values: Float64s = np.zeros((1, MOST))
        self._free: list[int] = []

    def __bool__(self) -> bool:
        """Whether there may be any."""
        return len(self._places) > 1

    def forget(self, slots: Int64s | list[int]) -> None:
        """Empty the lists of columns."""
        if self:
            slots = np.asarray(slots)
            lists = self._list_of[slots[slots < len(self._list_of)]]
            self._empty(lists[lists > 0].tolist())
            self._list_of[slots[slots < len(self._list_of)]] = 0

    def clear(self, slot: int, sensor: int) -> None:
        """Empty one list."""
        if slot < len(self._list_of) and self._list_of[slot, sensor]:
            self._empty([int(self._list_of[slot, sensor])])
            self._list_of[slot, sensor] = 0

    def add(self, slot: int, sensor: int, places: Int64s, values: Float64s) -> bool:
        """Put readings on a list; whether they were as few as fit there, else nothing changes."""
        known, _ = self.of(slot, sensor)
        if len(known) + len(places) > MOST:
            return False
        if not len(places):
            return True
        if slot >= len(self._list_of):
            self._list_of = grown(self._list_of, slot)
        if not self._list_of[slot, sensor]:
            self._list_of[slot, sensor] = self._new()
        number = self._list_of[slot, sensor]
        rows = slice(len(known), len(known) + len(places))
        self._places[number, rows] = places
        self._values[number, rows] = values
        return True

    def of(self, slot: int, sensor: int) -> tuple[Int64s, Float64s]:
        """The places and the values on one list."""
        number = self._list_of[slot, sensor] if slot < len(self._list_of) else 0
        used = self._places[number] >= 0
        return self._places[number, used], self._values[number, used]

    def sensors_of(self, slot: int) -> list[int]:
        """The sensors that have a list in this column."""
        return np.flatnonzero(self._list_of[slot]).tolist() if slot < len(self._list_of) else []

    def within(self, slots: Int64s, starts: Int64s, ends: Int64s) -> Iterator[tuple[int, int, list[float]]]:
        """The windows and sensors that hold any, and these; window ``i`` holds places of the column ``slots[i]``."""
        slots = np.where(slots < len(self._list_of), slots, 0)
        windows, sensors = np.nonzero(self._list_of[slots])
        lists = self._list_of[slots[windows], sensors]
        places = self._places[lists]
        is_inside = (places >= starts[windows, np.newaxis]) & (places < ends[windows, np.newaxis])
        for pair in np.flatnonzero(is_inside.any(axis=1)).tolist():
            yield int(windows[pair]), int(sensors[pair]), self._values[lists[pair], is_inside[pair]].tolist()

    def _empty(self, lists: list[int]) -> None:
        self._places[lists] = -1
        self._free += lists

    def _new(self) -> int:
        if not self._free:
            known = len(self._places)
            self._places = np.append(self._places, np.full((known, MOST), -1), axis=0)
            self._values = np.append(self._values, np.zeros((known, MOST)), axis=0)
            self._free += range(known, 2 * known)
        return self._free.pop()


def grown(array: NDArray[Any], highest: int) -> NDArray[Any]:
    """The array with a place for each number up to this one, the new ones zero; at least twice as long."""
    longer = np.zeros((max(highest + 1, 2 * len(array)), *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
