"""The Java half of the Flink job in Python, line by line: ``PartitionClock``, and ``DeviceOperator`` around Python.

A second writing of what stands in ``dataflows/flink_job/java``, so that it can be driven without a JVM; what it cannot
see is an error in the first. The bytes are those of ``tests/dataflows/flink_job/java_layout.py``.
"""

from collections.abc import Callable
from struct import unpack
from typing import Final

from dataflows.flink_job.process import PipelineFunction
from tests.dataflows.flink_job import java_layout as java
from tests.simulation.broker import Entry
from tests.simulation.process import Process
from window_core import MAX_TIME_MS

__all__ = ["Keep", "Operator", "PartitionClock"]

_JUMP_MS: Final = 86_400_000
_PREDICTION, _REJECTION, _HOLD, _TIMER, _SAVE, _RELEASE, _FORGET = range(7)


class PartitionClock:
    """``PartitionClock.java``.

    Attributes:
        now_ms: the largest valid arrival; ``None`` before the first.
        has_ended: whether a record behind ``until`` was met.
    """

    def __init__(self, until_ms: int | None, *, has_producers_clock: bool, now_ms: int | None) -> None:
        self._until_ms, self._has_producers_clock = until_ms, has_producers_clock
        self.now_ms = now_ms
        self.has_ended = False

    def frame(self, partition: int, offset: int, entry: Entry) -> bytes | None:
        """The frame of the next record, with the arrival that counts; ``None``: the run does not read it."""
        stamp_ms, now_ms = entry.timestamp_ms, self.now_ms
        is_time = 0 <= stamp_ms <= MAX_TIME_MS
        arrival_ms = now_ms
        if is_time:
            arrival_ms = stamp_ms if now_ms is None else max(stamp_ms, now_ms)
        if self._until_ms is not None and arrival_ms is not None and arrival_ms > self._until_ms:
            self.has_ended = True
            return None
        mark, framed_ms = 0, stamp_ms
        if is_time and now_ms is not None:
            if stamp_ms < now_ms:
                mark, framed_ms = java.CLAMPED, now_ms
            elif stamp_ms - now_ms >= _JUMP_MS and self._has_producers_clock:
                mark = java.JUMPED
        self.now_ms = arrival_ms
        frame = java.record_frame(framed_ms, partition, offset, entry.key, entry.value)
        return bytes([frame[0] | mark]) + frame[1:]


class Keep:
    """What Flink keeps of the devices: snapshots and timers by key. It is what a checkpoint holds."""

    def __init__(
        self, snapshots: dict[bytes, bytes] | None = None, timers: set[tuple[int, bytes]] | None = None
    ) -> None:
        self.snapshots = dict(snapshots or {})
        self.timers = set(timers or ())


class Operator:
    """``DeviceOperator.java``: one subtask."""

    def __init__(
        self, function: PipelineFunction, keep: Keep, entries_max: int, process: Process, write: Callable[..., None]
    ) -> None:
        """Nothing is held.

        Args:
            function: its Python half, opened.
            keep: the state of all devices; only those of this subtask are touched.
            entries_max: of a batch.
            process: what it runs in.
            write: takes the kind and the value of an output, and its key.
        """
        self._function, self._keep, self._entries_max = function, keep, entries_max
        self._process, self._write = process, write
        self._batch: list[tuple[int, bytes, bytes | None]] = []
        self._held: set[bytes] = set()
        self._clock_ms: int | None = None
        self._may_have_calls = self._may_be_unsaved = False

    def record(self, key: bytes, frame: bytes) -> None:
        self._add(java.RECORD, key, frame)

    def watermark(self, now_ms: int, owns: Callable[[bytes], bool]) -> None:
        """Fire the timers that are due; ``owns`` tells which keys are this subtask's."""
        if self._batch:
            self._send(java.CONTINUE)
        self._clock_ms = now_ms
        while due := sorted(timer for timer in self._keep.timers if timer[0] <= now_ms and owns(timer[1])):
            self._keep.timers.remove(due[0])
            self._add(java.WAKE_UP, due[0][1], java.wake_up(now_ms, due[0][1]))

    def flush(self) -> None:
        """The time to wait for others is over."""
        if self._batch or self._may_have_calls:
            self._send(java.FLUSH)

    def save(self) -> None:
        """A barrier is about to pass."""
        if self._batch or self._may_have_calls or self._may_be_unsaved:
            self._send(java.SAVE)

    def _add(self, kind: int, key: bytes, payload: bytes) -> None:
        handed = None if key in self._held else self._keep.snapshots.get(key)
        self._batch.append((kind, payload, handed))
        if handed is not None:
            self._held.add(key)
        if len(self._batch) == self._entries_max:
            self._send(java.CONTINUE)

    def _send(self, purpose: int) -> None:
        self._may_have_calls = purpose == java.CONTINUE
        self._may_be_unsaved = purpose != java.SAVE
        batch, self._batch = java.batch(purpose, self._batch), []
        self._process.effect(f"batch {purpose} of {len(batch)} bytes")
        for answer in list(self._function.process_element(batch, None)):  # type: ignore[arg-type]
            for kind, key, value in java.messages(answer):
                self._take(kind, key, value)

    def _take(self, kind: int, key: bytes | None, value: bytes) -> None:
        if kind in (_PREDICTION, _REJECTION):
            self._write("predictions" if kind == _PREDICTION else "rejections", value, key)
            return
        assert key is not None
        assert (key in self._held) == (kind != _HOLD), f"out of turn from Python: {kind} of {key!r}"
        if kind == _HOLD:
            self._held.add(key)
        elif kind == _TIMER:
            [wakeup_ms] = unpack(">q", value)
            self._keep.timers.add((wakeup_ms, key))
        elif kind == _FORGET:
            self._held.remove(key)
            self._keep.snapshots.pop(key, None)
        else:
            self._keep.snapshots[key] = value
            if kind == _RELEASE:
                self._held.remove(key)
