"""The events of a device in the order of their times, whenever they arrived: what its windows would hold if none were
late.

An event counts if a run would have taken it in its turn: not one that is INVALID or ahead of its clock, and one that
came several times, bit for bit, counts once. What an event finds when it arrives does not matter here: whether it is
too late for the newest, whether the window is full, whether the device has been forgotten.
"""

from array import array

import numpy as np
from numpy.typing import NDArray

from dataflows.pipeline.record import LoggedEvent
from grpc_services.python.row_ranges import Int64s
from window_core import Columns, WindowSpec

__all__ = ["EventTimes", "columns_in_time_order"]


class EventTimes:
    """Gathers the events of one device, in the order in which they arrive."""

    __slots__ = ("_arrivals", "_device_id", "_rows", "_times")

    def __init__(self, device_id: str) -> None:
        self._device_id = device_id
        self._times = array("q")
        self._arrivals = array("q")
        self._rows = bytearray()

    def take(self, logged: LoggedEvent) -> None:
        """Take the next event."""
        event = logged.event
        self._times.append(event.time_ms)
        self._arrivals.append(logged.arrival_ms)
        self._rows += event.row

    def windows(self, spec: WindowSpec, instants_ms: Int64s) -> tuple[Columns, Int64s, Int64s]:
        """The window as it should have been at each instant: columns, and of each window its first row and its end.

        It ends with the newest event at the instant or before it, and reaches back from there as a window does. Before
        the first event it is empty: its end is 0.
        """
        times = np.frombuffer(self._times, np.int64)
        rows = np.frombuffer(self._rows, np.uint8).reshape(len(times), -1)
        counts = times <= np.frombuffer(self._arrivals, np.int64) + spec.max_ahead_ms  # rule 4
        columns = columns_in_time_order(self._device_id, times[counts], rows[counts])
        times = np.frombuffer(columns.times, np.int64)
        ends = np.searchsorted(times, instants_ms, "right")
        starts = np.searchsorted(times, times[np.maximum(ends - 1, 0)] - spec.interval_ms) if len(times) else ends
        return columns, starts, ends


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
