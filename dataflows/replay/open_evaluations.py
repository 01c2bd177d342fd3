"""The evaluations of one device that a late event may still put in doubt, with the events of their windows.

No window accepts an event that lies more than an interval before its newest one. So an evaluation is settled once the
device's newest event is more than an interval after its own, and is dropped: two intervals of events are held at most.
A device that expires, and comes again, begins anew.
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from dataflows.pipeline.device import LocatedOutput
from dataflows.replay.revisions import Doubt
from grpc_services.python.row_ranges import Int64s
from window_core import Cause, Columns, Evaluation, Event

__all__ = ["OpenEvaluations", "SavedEvaluations"]

_NOTHING: Final = -1
"""The time and the offset of the event of a tick, which has none."""

_FEW: Final = 8
"""Evaluations for which it is not worth while to look which are settled."""


class SavedEvaluations(msgspec.Struct, frozen=True, array_like=True):
    """What ``OpenEvaluations`` holds, for a state."""

    session_ms: int
    first_seq: int
    looked_at: int
    columns: tuple[bytes, ...]
    rows: bytes


class _Window(NamedTuple):
    """Columns in the order of time, and where each of their rows came in the order of arrival."""

    columns: Columns
    times: Int64s
    order: NDArray[np.intp]


class OpenEvaluations:
    """Takes what a device gives, in its order, and tells which evaluations have missed something since.

    Attributes:
        has_doubts: an event came that an evaluation before it has missed.
    """

    __slots__ = (
        "_as_of", "_device_id", "_event_ms", "_first_seq", "_interval_ms", "_known", "_looked_at", "_newest",
        "_offset_of", "_offsets", "_partition", "_rows", "_session_ms", "_times", "has_doubts",
    )  # fmt: skip

    def __init__(self, device_id: str, partition: int, interval_ms: int, saved: SavedEvaluations | None = None) -> None:
        """Begin with nothing, or with what an earlier process held.

        Args:
            device_id: the device.
            partition: where its events stand.
            interval_ms: how far a window reaches back.
            saved: by an earlier process.
        """
        self._device_id = device_id
        self._partition = partition
        self._interval_ms = interval_ms
        self._session_ms = self._first_seq = self._looked_at = 0
        self._rows = bytearray()
        # Of each event: its time and its offset. Of each evaluation: its newest time, the instant, the time and the
        # offset of its event, and how many events had come by then.
        columns = [b""] * 7
        if saved is not None:
            self._session_ms, self._first_seq, self._looked_at = saved.session_ms, saved.first_seq, saved.looked_at
            self._rows, columns = bytearray(saved.rows), list(saved.columns)
        self._times, self._offsets, self._newest, self._as_of, self._event_ms, self._offset_of, self._known = (
            array("q", column) for column in columns
        )
        self.has_doubts = self._looked_at < len(self._times)

    def saved(self) -> SavedEvaluations:
        """What it holds."""
        looked_at = self._looked_at if self.has_doubts else len(self._times)
        columns = tuple(column.tobytes() for column in self._columns())
        return SavedEvaluations(self._session_ms, self._first_seq, looked_at, columns, bytes(self._rows))

    def take(self, outputs: Sequence[LocatedOutput], event: Event, offset: int) -> None:
        """Take what the device gave for an event. Before a new session begins, all doubts have to be taken away."""
        for output, position in outputs:
            if not isinstance(output, Evaluation):
                continue
            if output.seq == 0:
                self._begin(output.columns.session_ms)
            newest_ms, event_ms, event_offset = output.newest_ms, _NOTHING, _NOTHING
            if position is not None:
                event_ms, event_offset = event.time_ms, offset
                if self._newest and event_ms <= self._newest[-1] and not self.has_doubts:
                    self.has_doubts, self._looked_at = True, len(self._times)
                self._times.append(event_ms)
                self._offsets.append(offset)
                self._rows += event.row
            self._newest.append(newest_ms)
            self._as_of.append(output.as_of_ms)
            self._event_ms.append(event_ms)
            self._offset_of.append(event_offset)
            self._known.append(len(self._times))
        made = len(self._newest)
        if made > _FEW and not self.has_doubts and self._newest[made // 2] < self._newest[-1] - self._interval_ms:
            self._drop_settled()

    def doubts(self) -> list[Doubt]:
        """Each evaluation that has missed an event since the last call, with everything that it has missed by now."""
        times, newest, known = (np.array(column, np.int64) for column in (self._times, self._newest, self._known))
        found: set[int] = set()
        for event in range(self._looked_at, len(times)):
            before = newest[: np.searchsorted(known, event, "right")]  # of the evaluations made before it came
            low = np.searchsorted(before, times[event])
            found.update(range(int(low), int(np.searchsorted(before, times[event] + self._interval_ms, "right"))))
        self.has_doubts = False
        order = np.argsort(times, kind="stable")
        now = self._window(times, order)
        doubts: list[Doubt] = []
        for came, of_same in groupby(sorted(found), key=self._known.__getitem__):
            was = self._window(times, order[order < came])
            doubts += self._compared(list(of_same), newest, was, now, came)
        return doubts

    def _compared(self, numbers: list[int], newest: Int64s, was: _Window, now: _Window, came: int) -> Iterator[Doubt]:
        """The doubts about evaluations that were made when so many events had come."""
        ends_ms = newest[numbers]
        bounds = [
            bound.tolist()
            for window in (was, now)
            for bound in (
                np.searchsorted(window.times, ends_ms - self._interval_ms),
                np.searchsorted(window.times, ends_ms, "right"),
            )
        ]
        for number, was_start, was_end, start, end in zip(numbers, *bounds, strict=True):
            offset = self._offset_of[number]
            held = now.order[start:end]
            yield Doubt(
                self._evaluation(number, was.columns, was_start, was_end),
                None if offset == _NOTHING else self._position(offset),
                self._evaluation(number, now.columns, start, end),
                [self._position(self._offsets[event]) for event in np.sort(held[held >= came]).tolist()],
            )

    def _evaluation(self, number: int, columns: Columns, start: int, end: int) -> Evaluation:
        event_ms, as_of_ms, seq = self._event_ms[number], self._as_of[number], self._first_seq + number
        if event_ms == _NOTHING:
            return Evaluation("tick", None, as_of_ms, seq, columns, start, end)
        cause: Cause = "late_event" if event_ms < self._newest[number] else "event"
        return Evaluation(cause, event_ms, as_of_ms, seq, columns, start, end)

    def _position(self, offset: int) -> str:
        return f"{self._partition}/{offset}"

    def _window(self, times: Int64s, order: NDArray[np.intp]) -> _Window:
        """These events in the order of time."""
        rows = np.frombuffer(bytes(self._rows), np.uint8).reshape(len(times), -1)[order]
        in_order = times[order]
        held_times, held_rows = array("q", in_order.tobytes()), bytearray(rows.tobytes())
        return _Window(
            Columns(self._device_id, self._session_ms, held_times, held_rows, rows.shape[1]), in_order, order
        )

    def _begin(self, session_ms: int) -> None:
        """A session begins."""
        assert not self.has_doubts
        self._session_ms, self._first_seq = session_ms, 0
        self._rows.clear()
        for column in self._columns():
            del column[:]

    def _drop_settled(self) -> None:
        """Drop the evaluations that nothing can put in doubt any more, and the events that no other window holds."""
        newest = np.array(self._newest, np.int64)
        first = int(np.searchsorted(newest, newest[-1] - self._interval_ms))
        times = np.array(self._times, np.int64)
        is_kept = times >= newest[first] - self._interval_ms
        kept_before = np.concatenate(([0], np.cumsum(is_kept)))
        rows = np.frombuffer(bytes(self._rows), np.uint8).reshape(len(times), -1)
        self._rows = bytearray(rows[is_kept].tobytes())
        self._times = array("q", times[is_kept].tobytes())
        self._offsets = array("q", np.array(self._offsets, np.int64)[is_kept].tobytes())
        self._known = array("q", kept_before[np.array(self._known, np.int64)[first:]].tobytes())
        for column in (self._newest, self._as_of, self._event_ms, self._offset_of):
            del column[:first]
        self._first_seq += first

    def _columns(self) -> "tuple[array[int], ...]":
        return (
            self._times, self._offsets, self._newest, self._as_of, self._event_ms, self._offset_of, self._known,
        )  # fmt: skip
