"""The bytes that cross between Java and Python in the job: batches of records and wake-ups in, answers out.

Big-endian, as Java writes them. ``RecordFrame``, ``Batch`` and ``Answer`` in ``java/`` are the other half, and
``docs/flink-bridge.md`` says what the messages mean.
"""

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from dataflows.pipeline.record import OutputRecord, Record

__all__ = [
    "FRAMES_SUFFIX",
    "Batch",
    "Message",
    "RecordFrame",
    "StateMessage",
    "StateMessageKind",
    "WakeUp",
    "decoded_batch",
    "decoded_frame",
    "encoded_answer",
    "encoded_frame",
    "encoded_instant",
    "encoded_record",
]

FRAMES_SUFFIX: Final = ".frames"
"""The name of a file of frames ends so; ``latecomer run`` makes one of a file of JSON lines."""

_KINDS: Final = {"predictions": 0, "rejections": 1, "hold": 2, "timer": 3, "save": 4, "release": 5, "forget": 6}

_WAKE_UP: Final = 1
_FLUSH: Final = 1
_SAVE: Final = 2
_RECORD: Final = 0
_REJECTED: Final = 2
_KIND: Final = 0x0F
_CLAMPED: Final = 0x10
_JUMPED: Final = 0x20
_RECORD_HEADER: Final = Struct(">bqiqi")
_ENTRY_HEADER: Final = Struct(">bi")
_INSTANT: Final = Struct(">q")
_SIZE: Final = Struct(">i")


class RecordFrame(Record, frozen=True, gc=False):
    """A record of the log whose arrival is the one that counts: clamped to the clock of its partition.

    Attributes:
        is_rejected: its value is an encoded rejection already.
        is_clamped: its timestamp was below the clock.
        has_jumped: by its producer's clock, it went ahead of the clock by a day or more.
    """

    is_rejected: bool = False
    is_clamped: bool = False
    has_jumped: bool = False


class WakeUp(NamedTuple):
    """A device one of whose timers has fired, and the arrival watermark in ms."""

    device_id: str
    now_ms: int


class Batch(NamedTuple):
    """What Flink has for the devices of a subtask.

    Attributes:
        is_flush: no call may be in flight once it is answered.
        is_save: the answer is to have the snapshots of all windows that changed since they were last saved.
        entries: each with the snapshot of its device, if Flink has one and Python does not hold the device.
    """

    is_flush: bool
    is_save: bool
    entries: Iterator[tuple[RecordFrame | WakeUp, bytes | None]]


StateMessageKind: TypeAlias = Literal["hold", "timer", "save", "release", "forget"]


class StateMessage(msgspec.Struct, frozen=True, gc=False):
    """What Flink is to know or to keep of a device: beside the records to write, the other part of an answer.

    Attributes:
        kind: ``docs/flink-bridge.md`` says when each may be sent.
        key: the device id.
        value: an instant for a timer, a snapshot for ``save`` and ``release``.
    """

    kind: StateMessageKind
    key: str
    value: bytes = b""


Message: TypeAlias = OutputRecord | StateMessage


def encoded_record(frame: RecordFrame) -> bytes:
    """A record of a file as a file of frames holds it, behind its size."""
    encoded = encoded_frame(frame)
    return _SIZE.pack(len(encoded)) + encoded


def encoded_frame(frame: RecordFrame) -> bytes:
    """A record that has a value, as the Java part takes it over."""
    key, value = frame.key or b"", frame.value or b""
    header = _RECORD_HEADER.pack(
        (_REJECTED if frame.is_rejected else _RECORD) | _CLAMPED * frame.is_clamped | _JUMPED * frame.has_jumped,
        frame.arrival_ms,
        frame.partition,
        frame.offset,
        -1 if frame.key is None else len(key),
    )
    return b"".join((header, key, value))


def decoded_frame(frame: bytes) -> RecordFrame:
    """A record as the Java part hands it over, alone."""
    return _decoded_record(frame, 0, len(frame))


def _decoded_record(batch: bytes, start: int, end: int) -> RecordFrame:
    """A record as the Java part hands it over."""
    kind_and_marks, arrival_ms, partition, offset, key_size = _RECORD_HEADER.unpack_from(batch, start)
    kind = kind_and_marks & _KIND
    key_at = value_at = start + _RECORD_HEADER.size
    key = value = None
    if key_size >= 0:
        value_at += key_size
        key = batch[key_at:value_at]
    if kind in {_RECORD, _REJECTED}:
        value = batch[value_at:end]
    if kind_and_marks == _RECORD:  # as nearly all are
        return RecordFrame(partition, offset, arrival_ms, key, value)
    marks = bool(kind_and_marks & _CLAMPED), bool(kind_and_marks & _JUMPED)
    return RecordFrame(partition, offset, arrival_ms, key, value, kind == _REJECTED, *marks)


def decoded_batch(batch: bytes) -> Batch:
    """What Flink has for the devices of a subtask, in order."""
    purpose = batch[0]
    return Batch(purpose >= _FLUSH, purpose == _SAVE, _entries(batch))


def _entries(batch: bytes) -> Iterator[tuple[RecordFrame | WakeUp, bytes | None]]:
    at = 1
    while at < len(batch):
        kind, size = _ENTRY_HEADER.unpack_from(batch, at)
        start = at + _ENTRY_HEADER.size
        end = start + size
        (snapshot_size,) = _SIZE.unpack_from(batch, end)
        at = end + _SIZE.size
        snapshot = None
        if snapshot_size >= 0:
            at += snapshot_size
            snapshot = batch[at - snapshot_size : at]
        yield _wake_up(batch[start:end]) if kind == _WAKE_UP else _decoded_record(batch, start, end), snapshot


def _wake_up(payload: bytes) -> WakeUp:
    (now_ms,) = _INSTANT.unpack_from(payload)
    return WakeUp(payload[_INSTANT.size :].decode(), now_ms)


def encoded_answer(messages: Iterable[Message]) -> bytes:
    """The answer to a batch, as one value for the Java part to take apart."""
    parts: list[bytes] = []
    for message in messages:
        key, value = message.key.encode(), message.value
        parts += (_ENTRY_HEADER.pack(_KINDS[message.kind], len(key) or -1), key, _SIZE.pack(len(value)), value)
    return b"".join(parts)


def encoded_instant(time_ms: int) -> bytes:
    """The value of a ``timer`` message."""
    return _INSTANT.pack(time_ms)
