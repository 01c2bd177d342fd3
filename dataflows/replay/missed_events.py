"""Which evaluations of a device a later event has put in doubt, and what their windows hold with it.

An event belongs to a window by its time: from the newest event of the window back to its lower end. One that a later
window accepted, but that arrived after the evaluation, is missing from it. So is one that was TOO_LATE by then, if the
user asks for these. What a window holds already, bit for bit, it does not miss.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from window_core import Columns, Evaluation, Event

__all__ = ["DeviceHistory"]


class DeviceHistory:
    """Everything that a device sent and that counts, and its evaluations, in the order of the log.

    Attributes:
        evaluations: how many there are.
    """

    def __init__(self, device_id: str, interval_ms: int) -> None:
        """Nothing has happened.

        Args:
            device_id: the device.
            interval_ms: how far a window reaches back.
        """
        self._device_id: Final = device_id
        self._interval_ms: Final = interval_ms
        self._newest = array("q")  # of each evaluation
        self._sessions: list[int] = []  # the first evaluation of each
        self._highest_ms = -1  # of all newest
        self._times = array("q")
        self._rows = bytearray()
        self._session_of = array("q")  # in which session each event came
        self._positions: list[str] = []
        self._stragglers: list[tuple[int, int]] = []  # the event, and how many evaluations were made before it
        self._missed: dict[int, list[int]] = {}
        self._in_time_order: Columns | None = None

    @property
    def evaluations(self) -> int:
        return len(self._newest)

    def ticked(self, evaluation: Evaluation) -> None:
        """Take the next evaluation, which is a tick."""
        self._newest.append(evaluation.newest_ms)

    def accepted(self, event: Event, position: str, evaluation: Evaluation) -> None:
        """Take the next event, and the evaluation that it caused."""
        if evaluation.seq == 0:
            self._sessions.append(len(self._newest))
        self._take(event, position)
        newest_ms = evaluation.newest_ms
        self._newest.append(newest_ms)
        if newest_ms > self._highest_ms:
            self._highest_ms = newest_ms

    def rejected(self, event: Event, position: str) -> None:
        """Take the next event, which changed no window but counts."""
        self._take(event, position)

    def _take(self, event: Event, position: str) -> None:
        if event.time_ms <= self._highest_ms:
            self._stragglers.append((len(self._times), len(self._newest)))
        self._times.append(event.time_ms)
        self._rows += event.row
        self._session_of.append(len(self._sessions) - 1)
        self._positions.append(position)

    def missed(self, number: int) -> list[str]:
        """The positions of what an evaluation missed, in their order; the history has to be ``closed``."""
        return [self._positions[event] for event in self._missed.get(number, ())]

    def close(self) -> None:
        """Everything was taken: find what each evaluation missed."""
        if not self._times:
            return
        times = np.frombuffer(self._times, np.int64)
        order = np.argsort(times, kind="stable")
        in_order = times[order]
        ends = [*self._sessions[1:], len(self._newest)]
        for event, before in self._stragglers:
            time_ms = self._times[event]
            same = order[np.searchsorted(in_order, time_ms) : np.searchsorted(in_order, time_ms, "right")]
            first = self._first_session_without(event, same.tolist())
            for start, end in zip(self._sessions[first:], ends[first:], strict=True):
                low = bisect_left(self._newest, time_ms, start, end)
                high = bisect_right(self._newest, time_ms + self._interval_ms, start, end)
                for number in range(low, min(high, before)):
                    self._missed.setdefault(number, []).append(event)
        self._in_time_order = self._columns(in_order, bytes(self._rows), order)

    def completed(self, number: int, evaluation: Evaluation) -> Evaluation:
        """An evaluation with what it missed in its window."""
        assert self._in_time_order is not None
        cause, event_ms, as_of_ms, seq, _, _, _ = evaluation
        columns = self._in_time_order
        newest_ms = self._newest[number]
        start = bisect_left(columns.times, newest_ms - self._interval_ms)
        end = bisect_right(columns.times, newest_ms, start)
        missed = self._missed[number]
        if end - start != evaluation.events + len(missed):  # events lie there that it is to lack
            columns = self._joined(evaluation, missed)
            start, end = 0, columns.capacity
        return Evaluation(cause, event_ms, as_of_ms, seq, columns, start, end)

    def _first_session_without(self, event: int, of_same_time: Sequence[int]) -> int:
        """The first session whose windows did not have the same event, bit for bit, when it came once before."""
        row = self._row(event)
        equals = [other for other in of_same_time if other < event and self._row(other) == row]
        return self._session_of[max(equals)] + 1 if equals else 0

    def _row(self, event: int) -> bytes:
        size = len(self._rows) // len(self._times)
        return bytes(self._rows[size * event : size * (event + 1)])

    def _joined(self, evaluation: Evaluation, missed: Sequence[int]) -> Columns:
        """The window of an evaluation and what it missed, alone."""
        held_times, held_rows = evaluation.window()
        times = np.array([*held_times, *(self._times[event] for event in missed)], np.int64)
        order = np.argsort(times, kind="stable")
        return self._columns(times[order], bytes(held_rows) + b"".join(map(self._row, missed)), order)

    def _columns(self, times: NDArray[np.int64], rows: bytes, order: NDArray[np.int64]) -> Columns:
        """Columns of these times, and of the rows in this order."""
        in_order = np.frombuffer(rows, np.uint8).reshape(len(times), -1)[order]
        return Columns(
            self._device_id, 0, array("q", times.tobytes()), bytearray(in_order.tobytes()), in_order.shape[1]
        )
