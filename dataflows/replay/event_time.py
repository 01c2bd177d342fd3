"""The events of a device in the order of their times, whenever they arrived: what its windows would hold if none were
late.

An event counts if a run would have taken it in its turn: not one that is INVALID or ahead of its clock, and one that
came several times, bit for bit, counts once. What an event finds when it arrives does not matter here: whether it is
too late for the newest, whether the window is full, whether the device has been forgotten.
"""

from array import array
from collections.abc import Iterable, Iterator
from itertools import compress, repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dataflows.pipeline.event_codec import PlainEvents
from grpc_services.python.row_ranges import Int64s
from window_core import Columns, WindowSpec

__all__ = ["EventTimes", "columns_in_time_order", "windows"]

_NONE: Final = -1


class EventTimes:
    """Gathers the events of some devices, in the order in which they arrive."""

    def __init__(self, devices: Iterable[str]) -> None:
        """Without events yet.

        Args:
            devices: others are passed over.
        """
        self._numbers: Final = {device_id: number for number, device_id in enumerate(devices)}
        self._devices: Final = array("q")
        self._times: Final = array("q")
        self._arrivals: Final = array("q")
        self._rows = bytearray()

    def take(self, events: PlainEvents) -> None:
        """Take the next events; their arrivals are those of the log."""
        numbers = [*map(self._numbers.get, events.device_ids, repeat(_NONE))]
        times_ms, rows, arrivals_ms = events.times_ms, events.rows, events.arrivals_ms
        if _NONE in numbers:
            is_of = [number != _NONE for number in numbers]
            times_ms, rows, arrivals_ms = ([*compress(column, is_of)] for column in (times_ms, rows, arrivals_ms))
            numbers = [*compress(numbers, is_of)]
        self._devices.extend(numbers)
        self._times.extend(times_ms)
        self._arrivals.extend(arrivals_ms)
        self._rows += b"".join(rows)

    def by_device(self, spec: WindowSpec) -> Iterator[tuple[str, Columns]]:
        """Of each device that has some the events that count, in the order of their times."""
        if not self._devices:
            return
        devices = np.frombuffer(self._devices, np.int64)
        times, arrivals = np.frombuffer(self._times, np.int64), np.frombuffer(self._arrivals, np.int64)
        rows = np.frombuffer(self._rows, np.uint8).reshape(len(times), -1)
        order = np.argsort(devices, kind="stable")
        ends = np.cumsum(np.bincount(devices, minlength=len(self._numbers))).tolist()
        for device_id, start, end in zip(self._numbers, [0, *ends], ends, strict=False):
            if end > start:
                of_device = order[start:end]
                counts = of_device[times[of_device] <= arrivals[of_device] + spec.max_ahead_ms]  # rule 4
                yield device_id, columns_in_time_order(device_id, times[counts], rows[counts])


def windows(columns: Columns, spec: WindowSpec, instants_ms: Int64s) -> tuple[Int64s, Int64s]:
    """The window of a device as it should have been at each instant: its first row, and its end.

    It ends with the newest event at the instant or before it, and reaches back from there as a window does. Before the
    first event it is empty: its end is 0.
    """
    times = np.frombuffer(columns.times, np.int64)
    ends = np.searchsorted(times, instants_ms, "right")
    starts = np.searchsorted(times, times[np.maximum(ends - 1, 0)] - spec.interval_ms) if len(times) else ends
    return starts, ends


def columns_in_time_order(device_id: str, times: Int64s, rows: NDArray[np.uint8]) -> Columns:
    """Events as the columns of a window: by time, those of the same time as they are given, repeats left out.

    Args:
        device_id: whose events.
        times: shape ``(events,)``, ms.
        rows: shape ``(events, bytes of a row)``.
    """
    order = np.argsort(times, kind="stable")
    times, rows = times[order], rows[order]
    is_first = np.ones(len(times), bool)
    seen: set[tuple[int, bytes]] = set()
    of_same_time = np.flatnonzero(times[1:] == times[:-1])
    for place in np.union1d(of_same_time, of_same_time + 1).tolist():
        event = int(times[place]), rows[place].tobytes()
        is_first[place] = event not in seen
        seen.add(event)
    if not is_first.all():
        times, rows = times[is_first], rows[is_first]
    held_times = array("q", times.tobytes())
    return Columns(device_id, 0, held_times, bytearray(rows.tobytes()), rows.shape[1] if rows.ndim == 2 else 0)
