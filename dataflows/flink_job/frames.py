"""The bytes that cross between Java and Python in the job: records and due wake-ups in, outputs and state out.

Big-endian, as Java writes them. ``RecordFrame``, ``DeviceBatches`` and ``PythonOutputs`` in ``java/`` are the other
half.
"""

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from dataflows.pipeline.record import OutputRecord

__all__ = [
    "FRAMES_SUFFIX",
    "Batch",
    "DueWakeup",
    "Item",
    "RecordFrame",
    "StateItem",
    "decoded_batch",
    "encoded_instant",
    "encoded_items",
    "encoded_record",
]

FRAMES_SUFFIX: Final = ".frames"
"""The name of a file of frames ends so; ``latecomer run`` makes one of a file of JSON lines."""

_KINDS: Final = {"predictions": 0, "rejections": 1, "arm": 2, "save": 3, "release": 4, "forget": 5}
"""A record for a topic; or of a device its next timer, its snapshot, that and that it is let go, that it is gone."""

_CLOCK: Final = 1
_LEAVE_NOTHING: Final = 1
_SAVE: Final = 2
_RECORD: Final = 0
_REJECTED: Final = 2
_WITHOUT_VALUE: Final = 3
_RECORD_HEADER: Final = Struct(">bqiqi")
_BATCH_HEADER: Final = Struct(">bq")
_ENTRY_HEADER: Final = Struct(">bi")
_INSTANT: Final = Struct(">q")
_SIZE: Final = Struct(">i")


class RecordFrame(msgspec.Struct, frozen=True, gc=False):
    """A record of the log.

    Attributes:
        arrival_ms: its arrival.
        partition: where it stands; that of a file is 0.
        offset: where it stands there; in a file its line.
        key: the record's key.
        value: its value, if it has one.
        is_rejected: the value is an encoded rejection already.
    """

    arrival_ms: int
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    is_rejected: bool = False

    @property
    def position(self) -> str:
        """As outputs tell it."""
        return f"{self.partition}/{self.offset}"


class DueWakeup(NamedTuple):
    """A device whose timer is due, and the arrival watermark in ms."""

    device_id: str
    now_ms: int


class Batch(NamedTuple):
    """What Flink has for the devices of a subtask.

    Attributes:
        number: to be given back with what it comes to.
        leaves_nothing: no call may be under way when it was worked on.
        is_saved: the snapshots of all windows that changed since the last such batch are to be given.
        entries: each with the snapshot of its device, if Flink has one that this process has not.
    """

    number: int
    leaves_nothing: bool
    is_saved: bool
    entries: Iterator[tuple[RecordFrame | DueWakeup, bytes | None]]


class StateItem(msgspec.Struct, frozen=True, gc=False):
    """What Flink is to keep of a device: beside the records to write, the other part of what a batch comes to."""

    kind: Literal["arm", "save", "release", "forget"]
    key: str
    value: bytes = b""


Item: TypeAlias = OutputRecord | StateItem


def encoded_record(frame: RecordFrame) -> bytes:
    """A record as a file of frames holds it, behind its size."""
    key, value = frame.key or b"", frame.value or b""
    header = _RECORD_HEADER.pack(
        _REJECTED if frame.is_rejected else _RECORD,
        frame.arrival_ms,
        frame.partition,
        frame.offset,
        -1 if frame.key is None else len(key),
    )
    return b"".join((_SIZE.pack(len(header) + len(key) + len(value)), header, key, value))


def _decoded_record(batch: bytes, start: int, end: int) -> RecordFrame:
    """A record as the Java part hands it over."""
    kind, arrival_ms, partition, offset, key_size = _RECORD_HEADER.unpack_from(batch, start)
    key_at = value_at = start + _RECORD_HEADER.size
    key = value = None
    if key_size >= 0:
        value_at += key_size
        key = batch[key_at:value_at]
    if kind != _WITHOUT_VALUE:
        value = batch[value_at:end]
    return RecordFrame(arrival_ms, partition, offset, key, value, kind == _REJECTED)


def decoded_batch(batch: bytes) -> Batch:
    """What Flink has for the devices of a subtask, in order."""
    purpose, number = _BATCH_HEADER.unpack_from(batch)
    return Batch(number, purpose >= _LEAVE_NOTHING, purpose == _SAVE, _entries(batch))


def _entries(batch: bytes) -> Iterator[tuple[RecordFrame | DueWakeup, bytes | None]]:
    at = _BATCH_HEADER.size
    while at < len(batch):
        kind, size = _ENTRY_HEADER.unpack_from(batch, at)
        start = at + _ENTRY_HEADER.size
        end = start + size
        (state_size,) = _SIZE.unpack_from(batch, end)
        at = end + _SIZE.size
        state = None
        if state_size >= 0:
            at += state_size
            state = batch[at - state_size : at]
        yield _due_wakeup(batch[start:end]) if kind == _CLOCK else _decoded_record(batch, start, end), state


def _due_wakeup(payload: bytes) -> DueWakeup:
    (now_ms,) = _INSTANT.unpack_from(payload)
    return DueWakeup(payload[_INSTANT.size :].decode(), now_ms)


def encoded_items(number: int, items: Iterable[Item]) -> bytes:
    """What a batch comes to, as one value for the Java part to take apart; ``number`` is that of the batch."""
    parts = [_INSTANT.pack(number)]
    for item in items:
        key, value = item.key.encode(), item.value
        parts += (_ENTRY_HEADER.pack(_KINDS[item.kind], len(key) or -1), key, _SIZE.pack(len(value)), value)
    return b"".join(parts)


def encoded_instant(time_ms: int) -> bytes:
    """The value of an ``arm`` item."""
    return _INSTANT.pack(time_ms)
