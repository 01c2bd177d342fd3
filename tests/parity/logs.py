"""What a log is to the suite, before it is a file or a topic; and how many small ones become one that an engine reads.

A device's outputs depend on its own records and on the clock of its partition alone, so many logs fit into one: their
devices get names of their own, their instants are shifted, and all is merged in the order of arrival.
"""

import json
from collections.abc import Iterable, Sequence
from heapq import merge
from itertools import chain, count
from typing import Final, NamedTuple, TypeAlias
from zlib import crc32

from window_core import Event, EventError, Sensors, WindowSpec, checked_event
from window_core.event import MAX_DEVICE_ID_BYTES

__all__ = [
    "Combined",
    "EventRecord",
    "Heartbeat",
    "Log",
    "OddRecord",
    "Placed",
    "Record",
    "TopicRecord",
    "as_lines",
    "as_topic",
    "combined",
    "fields_of",
    "number_of",
]


class EventRecord(NamedTuple):
    """An event, as far as its form goes; whether its numbers are in range shows when it is placed.

    Attributes:
        readings: one for each sensor, as JSON writes them; ``None``: the event is without it.
        says_arrival: in a file, whether the line has its arrival; one without arrived when the file's clock says.
        form: which of the ways to write the same event.
        key: in a topic, the record's key: ``own``, that of another device, or ``none``.
        no_time_ms: what stands there in place of the arrival, and is no time.
    """

    device_id: str
    time_ms: int
    readings: tuple[str | None, ...]
    arrival_ms: int
    says_arrival: bool = True
    form: int = 0
    key: str = "own"
    no_time_ms: int | None = None


class OddRecord(NamedTuple):
    """Bytes that are no event.

    Attributes:
        error: what is wrong with them; ``None`` for a blank line, which a file may have.
        device_id: in a topic, whose key the record has; empty: none.
        is_line: something that a file alone can have, as it is about the arrival in the line.
        no_time_ms: as of an event; a line has none.
    """

    data: bytes
    error: str | None
    arrival_ms: int
    device_id: str = ""
    is_line: bool = False
    no_time_ms: int | None = None


class Heartbeat(NamedTuple):
    """Moves the clock of a topic's partition, unless its timestamp is no time; a file has none."""

    arrival_ms: int
    no_time_ms: int | None = None


Record: TypeAlias = EventRecord | OddRecord | Heartbeat
Log: TypeAlias = tuple[Record, ...]


class Placed(NamedTuple):
    """A record where it stands, read without any of the code that the engines read with.

    Attributes:
        arrival_ms: clamped to the clock of its partition; as it stood, if it is no time; ``None`` for what is no event
            in a file before the first event.
        clock_ms: that of its partition behind it; ``None`` before the first arrival that is a time.
        event: what it holds, or
        error: what is wrong with it; neither for what is skipped.
        value: its bytes.
        source: the record that it was made of, to find its way back.
    """

    position: str
    arrival_ms: int | None
    clock_ms: int | None
    event: Event | None
    error: str | None
    value: bytes
    source: Record


class TopicRecord(NamedTuple):
    """A record as it is produced to a topic."""

    partition: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


class Combined(NamedTuple):
    """Many logs as one, and for each record the number of the log that it is from."""

    log: Log
    owners: tuple[int, ...]


_TICK_MAX_MS: Final = 20_000
"""With longer ticks than these, a name of the same phase takes too long to find, and the device gets another phase."""

_FORMS: Final = (
    '{{"device_id":{id},"time":{time}{readings}{arrival}}}',
    '{{ "further": [{{"x": null}}], "device_id": {id}, "time": {time}.0{readings}{arrival} }}',
    '{{"time":{time}{arrival}{readings},"device_id":{id},"model":"\\u00e9\\ud83d\\ude00"}}',
    '{{"device_id":{escaped},"time":{time}{readings}{arrival}}}\r',
)


def fields_of(sensors: Sensors, readings: Iterable[str | None]) -> str:
    """Readings as fields of an object, each behind a comma."""
    named = zip(sensors.names, readings, strict=True)
    return "".join(f',"{name}":{reading}' for name, reading in named if reading is not None)


def value_of(record: EventRecord, sensors: Sensors, *, in_file: bool) -> bytes:
    """The JSON of an event, as a line of a file or as the value of a record."""
    return (
        _FORMS[record.form % len(_FORMS)]
        .format(
            id=json.dumps(record.device_id, ensure_ascii=False),
            escaped=json.dumps(record.device_id),
            time=record.time_ms,
            readings=fields_of(sensors, record.readings),
            arrival=f',"arrival":{_stamp_ms(record)}' if in_file and record.says_arrival else "",
        )
        .encode()
    )


def as_lines(log: Iterable[Record], sensors: Sensors, *, ends_with_newline: bool = True) -> tuple[bytes, list[Placed]]:
    """The log as a file of JSON lines, and what a reader of it has to find."""
    placed: list[Placed] = []
    clock_ms: int | None = None
    for record in log:
        event, error, value = None, None, b""
        if isinstance(record, OddRecord):
            error, value = record.error, record.data
        elif isinstance(record, EventRecord):
            value = value_of(record, sensors, in_file=True)
            event, error = _event_of(record, sensors, _stamp_ms(record) if record.says_arrival else 0)
        if event is not None:
            assert isinstance(record, EventRecord)
            stamp_ms = record.arrival_ms if record.says_arrival else event.time_ms
            clock_ms = stamp_ms if clock_ms is None else max(clock_ms, stamp_ms)
        placed.append(Placed(f"0/{len(placed)}", clock_ms, clock_ms, event, error, value, record))
    data = b"".join(entry.value + b"\n" for entry in placed)
    return (data if ends_with_newline else data[:-1]), placed


def as_topic(
    whole: Combined, sensors: Sensors, partitions: int
) -> tuple[list[TopicRecord], list[Placed], tuple[int, ...]]:
    """The log as the records of a topic, what a reader of it has to find, and whose each record is.

    All records of one of the combined logs stand in one partition, whatever their keys are.
    """
    records: list[TopicRecord] = []
    placed: list[Placed] = []
    offsets = [0] * partitions
    clocks_ms: list[int | None] = [None] * partitions
    owners = []
    for record, owner in zip(*whole, strict=True):
        if isinstance(record, OddRecord) and record.is_line:
            continue
        partition = owner % partitions
        key, value, event, error = _keyed(record, sensors)
        position = f"{partition}/{offsets[partition]}"
        offsets[partition] += 1
        records.append(TopicRecord(partition, key, value, _stamp_ms(record)))
        if record.no_time_ms is None:
            clocks_ms[partition] = max(record.arrival_ms, clocks_ms[partition] or 0)
        clock_ms = clocks_ms[partition]
        arrival_ms = clock_ms if record.no_time_ms is None else record.no_time_ms
        placed.append(Placed(position, arrival_ms, clock_ms, event, error, value or b"", record))
        owners.append(owner)
    return records, placed, tuple(owners)


def _keyed(record: Record, sensors: Sensors) -> tuple[bytes | None, bytes | None, Event | None, str | None]:
    """Key, value, event and error of a record of a topic."""
    if isinstance(record, Heartbeat):
        return None, None, None, None
    if isinstance(record, OddRecord):
        error = record.error or "not_an_event"
        if record.no_time_ms is not None and error.split()[0] in ("sensor", "key"):  # which come behind it in the list
            error = "time arrival"
        return record.device_id.encode() or None, record.data, None, error
    keys = {"own": record.device_id.encode(), "other": b"another device", "none": None}
    key = keys[record.key]
    return key, value_of(record, sensors, in_file=False), *_event_of(record, sensors, _stamp_ms(record), key or b"")


def _stamp_ms(record: Record) -> int:
    """What stands in the log as the arrival of a record."""
    return record.arrival_ms if record.no_time_ms is None else record.no_time_ms


def _event_of(
    record: EventRecord, sensors: Sensors, arrival_ms: int, key: bytes | None = None
) -> tuple[Event | None, str | None]:
    readings = [None if reading is None else json.loads(reading) for reading in record.readings]
    try:
        return checked_event(sensors, record.device_id, record.time_ms, readings, arrival_ms, key=key), None
    except EventError as error:
        return None, error.error if error.field is None else f"{error.error} {error.field}"


def combined(logs: Sequence[Log], spec: WindowSpec, start_ms: int, *, overlap: bool = True) -> Combined:
    """Many logs as one, in which arrivals do not go back if they do not in each.

    Args:
        logs: each begins at any instant of its own.
        spec: the one under which it is read; every device keeps its phase of the ticks.
        start_ms: about the first arrival.
        overlap: each begins while the one before still goes on; without it, they stand one after another.
    """
    step_ms = spec.tick_ms or 1
    shifted: list[list[tuple[Record, int]]] = []
    start_ms += -start_ms % step_ms
    for number, log in enumerate(logs):
        if not log:
            continue
        first_ms = min(record.arrival_ms for record in log)
        span_ms = max(record.arrival_ms for record in log) - first_ms
        shift_ms = start_ms - first_ms + first_ms % step_ms
        shifted.append([(record, number) for record in _moved(log, number, shift_ms, spec)])
        start_ms += (span_ms // 3 if overlap else span_ms) + step_ms
        start_ms += -start_ms % step_ms
    merged = list(merge(*shifted, key=lambda entry: entry[0].arrival_ms) if overlap else chain(*shifted))
    return Combined(tuple(record for record, _ in merged), tuple(owner for _, owner in merged))


def number_of(device_id: str) -> int:
    """Which of the combined logs a device is from."""
    return int(device_id.partition(".")[0])


def _moved(log: Log, number: int, shift_ms: int, spec: WindowSpec) -> list[Record]:
    """One log with its devices renamed and its instants shifted by a multiple of the tick."""
    devices = dict.fromkeys(
        record.device_id for record in log if not isinstance(record, Heartbeat) and record.device_id
    )
    names = {device: _name(device, f"{number}.{index}", spec.tick_ms) for index, device in enumerate(devices)}
    names[""] = ""
    moved: list[Record] = []
    for record in log:
        arrival_ms = record.arrival_ms + shift_ms
        if isinstance(record, EventRecord):
            time_ms = record.time_ms + shift_ms
            moved.append(record._replace(device_id=names[record.device_id], time_ms=time_ms, arrival_ms=arrival_ms))
        elif isinstance(record, OddRecord):
            moved.append(record._replace(arrival_ms=arrival_ms, device_id=names[record.device_id]))
        else:
            moved.append(record._replace(arrival_ms=arrival_ms))
    return moved


def _name(device_id: str, owner: str, tick_ms: int) -> str:
    """A name for a device that no other log has, with the same phase of its ticks, and as long as ids may be."""
    tick_ms = tick_ms if tick_ms <= _TICK_MAX_MS else 0
    phase_ms = crc32(device_id.encode()) % tick_ms if tick_ms else 0
    is_longest = len(device_id.encode()) == MAX_DEVICE_ID_BYTES
    for salt in count():
        name = f"{owner}.{salt}.{device_id}".encode()[:MAX_DEVICE_ID_BYTES].decode(errors="ignore")
        if is_longest:
            name += "x" * (MAX_DEVICE_ID_BYTES - len(name.encode()))
        if not tick_ms or crc32(name.encode()) % tick_ms == phase_ms:
            return name
    raise AssertionError("unreachable")
