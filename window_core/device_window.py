"""All the rules of a window: what an event or the clock does to it, and what comes out.

One device, one ``DeviceWindow``. ``docs/rules.md`` has the rules in words, by the numbers beside the branches here.
Source: the streaming to-do of the original demo (the newest event evicts, a late one inside is inserted, what is too
late is not); on lateness and watermarks Akidau et al., "The Dataflow Model", VLDB 2015.
"""

from array import array
from typing import Final
from zlib import crc32

from window_core.columns import Columns
from window_core.event import Event
from window_core.outputs import Evaluation, Output, Rejection
from window_core.snapshot import NEVER_MS, Snapshot, decoded_snapshot, encoded_snapshot
from window_core.spec import WindowSpec

__all__ = ["DeviceWindow", "first_tick_ms", "next_wakeup_ms", "too_late_by_ms"]

_FAR_FUTURE_MS: Final = 1 << 62
"""Later than any instant that can be given: the next tick with ticks off, the next duty without state."""

_new: Final = tuple.__new__

_NO_COLUMNS: Final = Columns("", NEVER_MS, array("q"), bytearray(), row_bytes=0)
"""Stands for the columns of a device without state. Nothing is ever written into them: they have no room."""


def too_late_by_ms(time_ms: int, newest_ms: int, interval_ms: int) -> int:
    """How far an event lies below the lower end of the window, in ms; 0 or less is inside.

    >>> too_late_by_ms(1_000, newest_ms=11_000, interval_ms=10_000)  # the lower end itself is inside
    0
    """
    return newest_ms - interval_ms - time_ms


def first_tick_ms(spec: WindowSpec, device_id: str, from_ms: int) -> int:
    """The first tick of a device at ``from_ms`` or later. Devices tick at phases of their own, not all at once.

    >>> [first_tick_ms(WindowSpec(), device, 0) for device in ("pump-7", "pump-8")]
    [149267, 95682]
    """
    if spec.tick_ms == 0:  # rule 6
        return _FAR_FUTURE_MS
    return from_ms + (crc32(device_id.encode()) - from_ms) % spec.tick_ms


def next_wakeup_ms(spec: WindowSpec, device_id: str, accepted_ms: int, clock_ms: int) -> int:
    """The first instant after ``clock_ms`` at which a device has a tick, or else is forgotten.

    Args:
        spec: the numbers of the window.
        device_id: the device, which decides the phase of the ticks.
        accepted_ms: the arrival of the last accepted event.
        clock_ms: the instant up to which its ticks have fired; below ``accepted_ms``, those before it are history.
    """
    tick_ms = first_tick_ms(spec, device_id, max(accepted_ms, clock_ms + 1))
    return tick_ms if tick_ms - accepted_ms <= spec.idle_after_ms else accepted_ms + spec.forget_after_ms + 1


class DeviceWindow:
    """The window of one device: feed it events and time, take its outputs.

    Driven by two kinds of input, ``on_event`` and ``on_clock``. It reads no clock and does no I/O.
    What it gives is a pure function of the device's events and of the last instant up to which the clock ran.
    """

    __slots__ = (
        "_accepted_ms",
        "_clock_ms",
        "_columns",
        "_device_id",
        "_due_ms",
        "_end",
        "_newest_ms",
        "_seq",
        "_spec",
        "_start",
        "_ticked_ms",
    )

    _spec: WindowSpec
    _device_id: str
    _columns: Columns  # the events, in the rows from start to end
    _start: int
    _end: int
    _seq: int  # evaluations of the session so far
    _newest_ms: int
    _accepted_ms: int  # arrival of the last accepted event: the device is silent since
    _ticked_ms: int  # the last tick that fired
    _clock_ms: int  # the larger of these two: an arrival below it goes back
    _due_ms: int  # an arrival up to it, or a clock below it, fires no tick and forgets nothing

    def __init__(self, spec: WindowSpec, device_id: str) -> None:
        self._spec = spec
        self._device_id = device_id
        self._forget()

    @property
    def device_id(self) -> str:
        return self._device_id

    def on_event(self, event: Event, arrival_ms: int) -> list[Output]:
        """Fire the ticks due before the arrival, then admit or reject one event.

        Args:
            event: a reading of this device, which the caller answers for; ``time_ms`` in ms since the Unix epoch, UTC.
            arrival_ms: the log's time of the record, ms; one that goes back is clamped to the device's clock.
        Returns:
            Ticks first, then exactly one evaluation or rejection.
        Cost: amortised O(1) in order; a copy of the window for a late event.
        """
        if arrival_ms > self._due_ms:
            outputs = self._fire(arrival_ms, arrival_ms)
            outputs.append(self._admit(event, arrival_ms))
            return outputs
        if arrival_ms < self._clock_ms:  # rule 9, for the device's own clock
            arrival_ms = self._clock_ms
        return [self._admit(event, arrival_ms)]

    def on_clock(self, now_ms: int) -> list[Output]:
        """Fire every due tick up to ``now_ms``, itself included; forget a device that has been silent for too long.

        Args:
            now_ms: an arrival watermark: no record of this device with this arrival or an earlier one is still to come.
        """
        return self._fire(now_ms + 1, now_ms) if now_ms >= self._due_ms else []

    def evaluated_at(self, now_ms: int) -> Evaluation | None:
        """The tick that would fire at ``now_ms``, whatever its phase; ``None`` without state. A query: it changes
        nothing.

        Args:
            now_ms: an arrival watermark, up to which ``on_clock`` has been called.
        """
        if self._is_empty() or now_ms - self._accepted_ms > self._spec.forget_after_ms:
            return None
        return Evaluation("tick", None, now_ms, self._seq, self._columns, self._start, self._end)

    def next_wakeup_ms(self) -> int | None:
        """The instant at which ``on_clock`` has something to do, a tick or the forgetting; ``None`` without state."""
        if self._is_empty():
            return None
        return next_wakeup_ms(self._spec, self._device_id, self._accepted_ms, self._ticked_ms)

    def snapshot(self) -> bytes:
        """The state as bytes: equal states give equal bytes. They are 49, the device id, and 8 + 4k an event."""
        return encoded_snapshot(
            Snapshot(
                self._device_id,
                self._columns.session_ms,
                self._accepted_ms,
                self._ticked_ms,
                self._seq,
                self._columns,
                self._start,
                self._end,
            )
        )

    @classmethod
    def restore(cls, spec: WindowSpec, data: bytes) -> "DeviceWindow":
        """The window of a snapshot. Under another spec than it was taken, it obeys the new one from here on.

        Raises:
            SnapshotError: the bytes were damaged, or written by another version.
        """
        state = decoded_snapshot(data)
        window = cls(spec, state.device_id)
        clock_ms = max(state.accepted_ms, state.ticked_ms)
        if state.start == state.end or clock_ms - state.accepted_ms > spec.forget_after_ms:
            return window  # without state, or its last tick fired where the new spec has forgotten it
        times = state.columns.times
        start = state.start
        while too_late_by_ms(times[start], times[state.end - 1], spec.interval_ms) > 0:  # rule 10
            start += 1
        window._columns = state.columns
        window._start = start
        window._end = state.end
        window._newest_ms = times[state.end - 1]
        window._seq = state.seq
        window._accepted_ms = state.accepted_ms
        window._ticked_ms = state.ticked_ms
        window._clock_ms = clock_ms
        window._due_ms = window._next_due_ms()
        return window

    def check(self) -> None:
        """Assert every invariant of the state."""
        if self._is_empty():
            assert self._start == self._end == self._seq == 0
            assert self._newest_ms == self._accepted_ms == self._ticked_ms == self._clock_ms == NEVER_MS
            return
        times, rows = self._columns.between(self._start, self._end)
        assert 0 <= self._start < self._end <= self._columns.capacity
        assert list(times) == sorted(times)
        assert times[-1] == self._newest_ms
        assert too_late_by_ms(times[0], self._newest_ms, self._spec.interval_ms) <= 0
        row_bytes = self._columns.row_bytes
        events = [(time, bytes(rows[row_bytes * row :][:row_bytes])) for row, time in enumerate(times)]
        assert len(set(events)) == len(events)
        assert 0 <= self._columns.session_ms <= self._accepted_ms
        assert self._clock_ms == max(self._accepted_ms, self._ticked_ms)
        assert self._clock_ms <= self._due_ms <= self._next_due_ms()
        assert self._seq > 0

    def _admit(self, event: Event, arrival_ms: int) -> Output:
        """Admit or reject one event, the clock being where it belongs."""
        spec = self._spec
        time_ms = event.time_ms
        if time_ms > arrival_ms + spec.max_ahead_ms:  # rule 4
            return Rejection("AHEAD_OF_CLOCK", event, arrival_ms)
        if time_ms <= self._newest_ms:
            if time_ms < self._newest_ms:  # rule 3
                return self._on_late(event, arrival_ms)
            if self._columns.holds(self._start, self._end, event):  # rule 4
                return Rejection("DUPLICATE", event, arrival_ms)

        columns = self._columns
        end = self._end
        if end == columns.capacity:
            self._make_room(event, arrival_ms)
            columns = self._columns
            end = self._end
        times = columns.times
        start = self._start
        times[end] = time_ms  # no part of the window yet, but the search for the new lower end stops here
        lower_end_ms = time_ms - spec.interval_ms
        while times[start] < lower_end_ms:  # rules 1 and 2
            start += 1
        if end - start >= spec.max_events and start == self._start:  # rule 4
            return Rejection("WINDOW_FULL", event, arrival_ms)
        row_bytes = columns.row_bytes
        columns.rows[row_bytes * end : row_bytes * (end + 1)] = event.row
        self._start = start
        self._end = end = end + 1
        self._newest_ms = time_ms
        # What ``_accept`` does, in place: a call would be a tenth of the time of an event.
        self._accepted_ms = self._clock_ms = arrival_ms
        if arrival_ms > self._due_ms:
            self._due_ms = self._next_due_ms()
        seq = self._seq
        self._seq = seq + 1
        return _new(Evaluation, ("event", time_ms, arrival_ms, seq, columns, start, end))  # rule 5

    def _on_late(self, event: Event, arrival_ms: int) -> Output:
        """Insert an event older than newest, or reject it."""
        late_by_ms = too_late_by_ms(event.time_ms, self._newest_ms, self._spec.interval_ms)
        if late_by_ms > 0:  # rules 1 and 4
            return Rejection("TOO_LATE", event, arrival_ms, late_by_ms)
        start, end = self._start, self._end
        if self._columns.holds(start, end, event):  # rule 4
            return Rejection("DUPLICATE", event, arrival_ms)
        if end - start >= self._spec.max_events:  # rule 4
            return Rejection("WINDOW_FULL", event, arrival_ms)
        self._columns = columns = self._columns.inserted(start, end, event)
        self._start, self._end = 0, end - start + 1
        seq = self._accept(arrival_ms)
        return Evaluation("late_event", event.time_ms, arrival_ms, seq, columns, self._start, self._end)

    def _accept(self, arrival_ms: int) -> int:
        """The device spoke at ``arrival_ms``: the number of the evaluation that follows from it."""
        self._accepted_ms = self._clock_ms = arrival_ms
        if arrival_ms > self._due_ms:
            self._due_ms = self._next_due_ms()
        seq = self._seq
        self._seq = seq + 1
        return seq

    def _make_room(self, event: Event, arrival_ms: int) -> None:
        """Have room for one more event; the first event of a device opens a session."""
        assert event.device_id == self._device_id  # looked at now and then: each time would cost 2 % of an event
        if self._is_empty():
            self._columns = Columns.with_room(self._device_id, arrival_ms, len(event.row))
            self._accepted_ms = arrival_ms
            self._due_ms = self._next_due_ms()
        else:
            self._columns = self._columns.moved(self._start, self._end)
            self._start, self._end = 0, self._end - self._start

    def _fire(self, before_ms: int, now_ms: int) -> list[Output]:
        """Fire the ticks due before an instant, then forget the device if by ``now_ms`` it is silent for too long."""
        outputs: list[Output] = []
        if self._is_empty():
            return outputs
        next_tick_ms = self._next_tick_ms()
        while next_tick_ms < before_ms and self._is_awake(next_tick_ms):  # rules 7 and 8
            outputs.append(Evaluation("tick", None, next_tick_ms, self._seq, self._columns, self._start, self._end))
            self._seq += 1
            self._ticked_ms = self._clock_ms = next_tick_ms
            next_tick_ms += self._spec.tick_ms
        if now_ms - self._accepted_ms > self._spec.forget_after_ms:  # rule 8
            self._forget()
        else:
            self._due_ms = min(next_tick_ms, self._accepted_ms + self._spec.forget_after_ms)
        return outputs

    def _forget(self) -> None:
        """Be a window without state."""
        self._columns = _NO_COLUMNS
        self._start = self._end = self._seq = 0
        self._newest_ms = self._accepted_ms = self._ticked_ms = self._clock_ms = NEVER_MS
        self._due_ms = _FAR_FUTURE_MS

    def _is_empty(self) -> bool:
        return self._start == self._end

    def _is_awake(self, instant_ms: int) -> bool:
        """Whether a tick at that instant fires, as far as silence goes."""
        return instant_ms - self._accepted_ms <= self._spec.idle_after_ms

    def _next_tick_ms(self) -> int:
        """The first tick that neither fired nor came before the last accepted event, whether or not it will fire."""
        return first_tick_ms(self._spec, self._device_id, max(self._accepted_ms, self._ticked_ms + 1))

    def _next_due_ms(self) -> int:
        return min(self._next_tick_ms(), self._accepted_ms + self._spec.forget_after_ms)
