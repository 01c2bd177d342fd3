"""The bytes that cross between Python and Java in the job: records in, records out.

Big-endian, as Java writes them. ``RecordFrame`` and ``OutputRecords`` in ``java/`` are the other half.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Final, NamedTuple

from dataflows.prediction_step import OutputRecord, Topic

__all__ = [
    "FRAMES_SUFFIX",
    "TOPICS",
    "RecordFrame",
    "decoded_record",
    "device_id_of",
    "encoded_outputs",
    "encoded_record",
]

FRAMES_SUFFIX: Final = ".frames"
"""The name of a file of frames ends so; ``latecomer run`` makes one of a file of JSON lines."""

TOPICS: Final[tuple[Topic, ...]] = ("predictions", "rejections")
"""A topic crosses as its number."""

_RECORD: Final = 0
_REJECTED: Final = 2
_WITHOUT_VALUE: Final = 3
_RECORD_HEADER: Final = Struct(">bqiqi")
_SIZE: Final = Struct(">i")


class RecordFrame(NamedTuple):
    """A record of the log.

    Attributes:
        arrival_ms: its arrival.
        position: ``partition/offset``.
        key: the record's key.
        value: its value, if it has one.
        is_rejected: the value is an encoded rejection already.
    """

    arrival_ms: int
    position: str
    key: bytes | None
    value: bytes | None
    is_rejected: bool


def encoded_record(frame: RecordFrame) -> bytes:
    """A record as a file of frames holds it, behind its size."""
    partition, _, offset = frame.position.partition("/")
    key, value = frame.key or b"", frame.value or b""
    header = _RECORD_HEADER.pack(
        _REJECTED if frame.is_rejected else _RECORD,
        frame.arrival_ms,
        int(partition),
        int(offset),
        -1 if frame.key is None else len(key),
    )
    return b"".join((_SIZE.pack(len(header) + len(key) + len(value)), header, key, value))


def decoded_record(frame: bytes) -> RecordFrame:
    """A record as the Java part hands it over."""
    kind, arrival_ms, partition, offset, key_size = _RECORD_HEADER.unpack_from(frame)
    start = _RECORD_HEADER.size
    end = start + max(key_size, 0)
    key = None if key_size < 0 else frame[start:end]
    value = None if kind == _WITHOUT_VALUE else frame[end:]
    return RecordFrame(arrival_ms, f"{partition}/{offset}", key, value, kind == _REJECTED)


def device_id_of(key: Sequence[str]) -> str:
    """The device that the job's key stands for: its id in UTF-8, one character a byte."""
    return key[0].encode("latin-1").decode()


def encoded_outputs(records: Iterable[OutputRecord]) -> bytes:
    """Records to write, as one value for the Java part to take apart."""
    parts: list[bytes] = []
    for topic, device_id, value in records:
        key = device_id.encode()
        parts += (
            TOPICS.index(topic).to_bytes(1, "big"),
            _SIZE.pack(len(key) or -1),  # no device has an empty id
            key,
            _SIZE.pack(len(value)),
            value,
        )
    return b"".join(parts)
