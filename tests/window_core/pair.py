"""The core of one device beside the oracle: each step is given to both, then what must always hold is checked."""

from collections import Counter
from collections.abc import Callable
from zlib import crc32

from hypothesis import event as note

from tests.oracle import Oracle, expected_outputs, plain
from tests.window_core.copies import Copies
from window_core import DeviceWindow, Evaluation, Event, Output, WindowSpec

__all__ = ["Pair"]

_RECHECKED = 6
"""Evaluations whose windows are looked at again after each step; all of them at the end."""


class Pair:
    """One device.

    Args:
        counts: what happened is counted here, beside the statistics of Hypothesis.
    """

    def __init__(self, spec: WindowSpec, device_id: str, counts: Counter | None = None) -> None:
        self.spec = spec
        self.device_id = device_id
        self.core = DeviceWindow(spec, device_id)
        self.oracle = Oracle(spec, device_id)
        self.woken = DeviceWindow(spec, device_id)  # sees the clock at its wake-ups only
        self.copies = Copies()
        self.counts = counts
        self.rows_max = spec.max_events + max(spec.max_events // 4, 8)
        self.records: list[tuple[Event, int]] = []
        self.given: list[str] = []
        self.evaluations: list[tuple[Evaluation, str]] = []

    def on_event(self, event: Event, arrival_ms: int) -> None:
        self._note_limits(arrival_ms - 1, arrival_ms)
        self.records.append((event, arrival_ms))
        woken = self._wake(arrival_ms - 1) + self.woken.on_event(event, arrival_ms)
        self._compare(self.core.on_event(event, arrival_ms), woken, self.oracle.on_event(event, arrival_ms))

    def on_clock(self, now_ms: int) -> None:
        self._note_limits(now_ms, now_ms)
        self._compare(self.core.on_clock(now_ms), self._wake(now_ms), self.oracle.on_clock(now_ms))

    def restore(self, spec: WindowSpec | None = None) -> None:
        """Store and take up again, both in one spec or from here on in another."""
        snapshot = self.core.snapshot()
        self.copies = Copies()
        if spec is None:
            self.core = DeviceWindow.restore(self.spec, snapshot)
            assert self.core.snapshot() == snapshot
            return
        self.spec = spec
        self.oracle.on_restore(spec)
        self.core = DeviceWindow.restore(spec, snapshot)
        self.woken = DeviceWindow.restore(spec, snapshot)
        self.rows_max = max(self.rows_max, spec.max_events + max(spec.max_events // 4, 8))
        self.check()

    def check(self) -> None:
        """What holds after each step, whatever it was."""
        self.core.check()
        snapshot = self.core.snapshot()
        held = self.oracle.held
        assert len(snapshot) == 49 + len(self.device_id.encode()) + sum(8 + len(event.row) for event in held)
        assert self.woken.snapshot() == snapshot
        self._check_wakeup(snapshot)
        for evaluation, window in self.evaluations[-_RECHECKED:]:
            assert repr(plain(evaluation)) == window

    def finish(self, until_ms: int, *, by_records_alone: bool) -> None:
        """Run the clock out, and compare all that ever came with what the records alone say."""
        self.on_clock(until_ms)
        for evaluation, window in self.evaluations:
            assert repr(plain(evaluation)) == window
        if by_records_alone:
            assert self.given == [repr(output) for output in expected_outputs(self.spec, self.records, until_ms)]

    def _compare(self, outputs: list[Output], woken: list[Output], expected: list) -> None:
        texts = [repr(plain(output)) for output in outputs]
        assert texts == [repr(output) for output in expected]
        assert texts == [repr(plain(output)) for output in woken]
        self.given += texts
        for output, text in zip(outputs, texts, strict=True):
            if isinstance(output, Evaluation):
                assert output.columns.capacity <= self.rows_max
                self.copies.take(output)
                self.evaluations.append((output, text))
                self._note(output.cause)
            else:
                self._note(output.reason)
                if output.late_by_ms == 1:
                    self._note("too late by 1 ms")
        self._note_edges(outputs)
        self.check()

    def _wake(self, last_ms: int) -> list[Output]:
        """Drive the second core as an engine would: at the instants it asks for, and at no other."""
        outputs: list[Output] = []
        while (wakeup_ms := self.woken.next_wakeup_ms()) is not None and wakeup_ms <= last_ms:
            before = self.woken.snapshot()
            outputs += self.woken.on_clock(wakeup_ms)
            assert self.woken.snapshot() != before  # a tick or the forgetting
        return outputs

    def _check_wakeup(self, snapshot: bytes) -> None:
        wakeup_ms = self.core.next_wakeup_ms()
        assert (wakeup_ms is None) == (not self.oracle.held)
        quiet_until_ms = 10**15 if wakeup_ms is None else wakeup_ms - 1
        assert self.core.on_clock(quiet_until_ms) == []
        assert self.core.snapshot() == snapshot
        assert self.core.next_wakeup_ms() == wakeup_ms

    def _note(self, what: str) -> None:
        if self.counts is None:
            note(what)
        else:
            self.counts[what] += 1

    def _note_limits(self, last_tick_ms: int, now_ms: int) -> None:
        """Whether silence holds ticks back, or the device is about to be forgotten."""
        accepted_ms = self.oracle.accepted_ms
        if accepted_ms is None:
            return
        silent_ms = now_ms - accepted_ms
        limit_ms = accepted_ms + self.spec.idle_after_ms
        if self.spec.tick_ms:
            next_tick_ms = limit_ms + 1 + (crc32(self.device_id.encode()) - limit_ms - 1) % self.spec.tick_ms
            cases: dict[str, Callable[[], bool]] = {
                "idle": lambda: next_tick_ms <= last_tick_ms,
                "idle by 1 ms": lambda: limit_ms + 1 == next_tick_ms <= last_tick_ms,
                "tick at the idle limit": lambda: (
                    limit_ms <= last_tick_ms and (crc32(self.device_id.encode()) - limit_ms) % self.spec.tick_ms == 0
                ),
                "arrival at a tick": lambda: now_ms == last_tick_ms + 1 == _tick_at(self.device_id, now_ms, self.spec),
            }
            for what, holds in cases.items():
                if holds():
                    self._note(what)
        if silent_ms > self.spec.forget_after_ms:
            self._note("forgotten")
        if silent_ms in (self.spec.forget_after_ms, self.spec.forget_after_ms + 1):
            self._note(f"{silent_ms - self.spec.forget_after_ms} ms beyond the forget limit")

    def _note_edges(self, outputs: list[Output]) -> None:
        if outputs and isinstance(outputs[-1], Evaluation):
            last = outputs[-1]
            if last.oldest_ms == last.newest_ms - self.spec.interval_ms:
                self._note("on the lower end")
            times = last.window()[0].tolist()
            if len(set(times)) < len(times):
                self._note("tie")


def _tick_at(device_id: str, from_ms: int, spec: WindowSpec) -> int:
    return from_ms + (crc32(device_id.encode()) - from_ms) % spec.tick_ms
