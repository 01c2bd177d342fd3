"""The log of a simulation, as it is written: what each record says, and the bytes in which it says so."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from tests.simulation.broker import Entry, Topic
from tests.simulation.plan import Append, Setup, drawn_record
from window_core import DEMO_SENSORS, MAX_TIME_MS, Event, Sensors

__all__ = ["DEVICES", "Log", "Said", "sensors_of"]

DEVICES: Final = ("a", "b", "c/0", "é")
_BEGINS_MS: Final = 1_000_000_000_000
_DAY_MS: Final = 86_400_000


class Said(NamedTuple):
    """A record as an expert would read it.

    Attributes:
        stamp_ms: its arrival as it stands; ``None``: a line without one.
        event: what it reports, if it does.
        error: what is wrong with it, and in which field; ``None`` beside no event: a heartbeat.
        value: its bytes.
    """

    stamp_ms: int | None
    event: Event | None
    error: tuple[str, str | None] | None
    value: bytes


def sensors_of(setup: Setup) -> Sensors:
    return DEMO_SENSORS if setup.has_demo_sensors else Sensors.of(["sensor1", "sensor2?"])


@dataclass
class Log:
    """A topic or a file that grows.

    Attributes:
        topic: the input, if it is one.
        lines: of the file.
        said: of each partition, by offset; ``None`` for the marker of a transaction.
        now_ms: the arrival of the last record by a clock that is right.
        floor_ms: the last instant up to which the clock of a run may have run. No later record arrives before it, since
            its device may have been told already.
    """

    setup: Setup
    topic: Topic
    lines: list[bytes]
    said: list[list[Said | None]]
    now_ms: int = _BEGINS_MS
    floor_ms: int = 0
    _sure_ms: list[int] = field(default_factory=list)

    @classmethod
    def begun(cls, setup: Setup) -> "Log":
        topic = Topic(setup.partitions, is_log_append_time=setup.is_log_append_time)
        return cls(setup, topic, [], [[] for _ in range(setup.partitions)], _sure_ms=[0] * setup.partitions)

    def append(self, step: Append) -> None:
        """Write a record."""
        self.now_ms = max(self.now_ms + step.gap_ms, self.floor_ms + 1)
        device = DEVICES[step.device]
        number = step.device % self.setup.partitions
        stamp_ms = self._stamp_ms(step, number)
        readings = [float(step.reading), None if step.reading % 2 else 1.5, 0.25, -4.0]
        if step.kind == "same" and (before := self._last_event(number, device)) is not None:
            time_ms, row = before.time_ms, before.row
        else:
            time_ms, row = max(0, self.now_ms - step.age_ms), self._row(readings)
        event = Event(device, time_ms, row)
        if self.setup.reads_topic:
            self._append_to_topic(step, number, stamp_ms, event)
        else:
            self._append_to_file(step, stamp_ms, event)
        said = self.said[number][-1]
        if step.transaction is None and said is not None and said.stamp_ms is not None:
            self._sure_ms[number] = max(self._sure_ms[number], said.stamp_ms)

    def finish(self, transaction: int, *, commits: bool) -> None:
        """End a transaction wherever it has written."""
        for partition, said in zip(self.topic.partitions, self.said, strict=True):
            partition.finish(transaction, commits=commits)
            if len(said) < partition.end:
                said.append(None)

    def grow(self, random: Random) -> None:
        """A record comes to the topic, or a transaction ends, while somebody reads."""
        open_now = {transaction for partition in self.topic.partitions for transaction in partition.open}
        if open_now and random.random() < 0.5:
            self.finish(random.choice(sorted(open_now)), commits=random.random() < 0.7)
        else:
            self.append(drawn_record(random, self.setup, open_now))

    def write_file(self, path: Path, *, ends_line: bool) -> None:
        """Write the file; the end of its last line may be still to come."""
        lines = b"".join(self.lines)
        path.write_bytes(lines if ends_line else lines.removesuffix(b"\n"))

    def committed(self, partition: int, start: int, end: int) -> list[tuple[int, Said]]:
        """The records of a partition between two offsets, without those of transactions that are open or aborted."""
        if not self.setup.reads_topic:
            return [
                (offset, one) for offset, one in enumerate(self.said[0][:end]) if one is not None and offset >= start
            ]
        log = self.topic.partitions[partition]
        return [
            (offset, one)
            for offset, one in enumerate(self.said[partition])
            if one is not None and start <= offset < min(end, log.stable_end) and self._is_committed(partition, offset)
        ]

    def ends(self) -> list[int]:
        """Where a run that starts now would stop."""
        if not self.setup.reads_topic:
            return [len(self.lines)]
        return [partition.stable_end for partition in self.topic.partitions]

    def _is_committed(self, partition: int, offset: int) -> bool:
        return self.topic.partitions[partition].record(offset) is not None

    def _stamp_ms(self, step: Append, number: int) -> int:
        if step.stamp == "no time":
            return -1
        if step.stamp == "jumps":
            return self.now_ms + _DAY_MS
        if step.stamp == "goes back" and self._sure_ms[number] > self.floor_ms:
            return self.now_ms - 60  # it will be clamped to what stands before it
        return self.now_ms

    def _append_to_topic(self, step: Append, number: int, stamp_ms: int, event: Event) -> None:
        key: bytes | None = event.device_id.encode()
        value: bytes | None = self._json(event, None)
        error = None if stamp_ms >= 0 else ("time", "arrival")
        kind = step.kind if stamp_ms >= 0 else "event"
        if kind == "broken":
            value, error = b'{"device_id":"a"', ("not_an_event", None)
        elif kind == "other key":
            key, error = b"other", ("key", None)
        elif kind == "no value":
            value, error = None, ("not_an_event", None)
        elif kind == "heartbeat":
            key = value = None
        self.topic.partitions[number].append(Entry(stamp_ms, key, value, step.transaction))
        is_event = error is None and kind != "heartbeat"
        self.said[number].append(Said(stamp_ms, event if is_event else None, error, value or b""))

    def _append_to_file(self, step: Append, stamp_ms: int, event: Event) -> None:
        has_arrival = step.stamp != "now" or step.reading % 3 > 0 or self.floor_ms >= event.time_ms
        value = self._json(event, stamp_ms if has_arrival else None)
        error = None if stamp_ms >= 0 else ("time", "arrival")
        stamp: int | None = stamp_ms if has_arrival else None
        if stamp_ms < 0:
            stamp = None
        if step.kind in ("broken", "other key", "no value"):
            value, error, stamp = b'{"device_id":"a"', ("not_an_event", None), None
        elif step.kind == "heartbeat":  # in a file, a blank line
            value, stamp, error = b" ", None, None
        self.lines.append(value + b"\n")
        is_event = error is None and step.kind != "heartbeat"
        self.said[0].append(Said(stamp, event if is_event else None, error, value))

    def _last_event(self, number: int, device: str) -> Event | None:
        events = [one.event for one in self.said[number] if one is not None and one.event is not None]
        return next((event for event in reversed(events) if event.device_id == device), None)

    def _row(self, readings: list[float | None]) -> bytes:
        sensors = sensors_of(self.setup)
        values = [(1.5 if one is None else one) if self.setup.has_demo_sensors else one for one in readings]
        return sensors.row(values[: sensors.width])

    def _json(self, event: Event, arrival_ms: int | None) -> bytes:
        sensors = sensors_of(self.setup)
        readings = [None if one != one else one for one in sensors.readings(event.row)]
        fields: dict[str, object] = {"device_id": event.device_id, "time": event.time_ms}
        fields |= dict(zip(sensors.names, readings, strict=True))
        if arrival_ms is not None:
            fields["arrival"] = arrival_ms
        return json.dumps(fields).encode()


def is_time(stamp_ms: int) -> bool:
    return 0 <= stamp_ms <= MAX_TIME_MS
