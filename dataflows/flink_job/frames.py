"""The bytes that cross between Python and Java in the job: records in, evaluations between the stages, records out.

Big-endian, as Java writes them; the columns of a window as they lie in memory. ``RecordFrame``, ``MicroBatchOperator``
and ``OutputRecords`` in ``java/`` are the other half.
"""

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import Final, NamedTuple

from dataflows.prediction_step import OutputRecord, Topic
from dataflows.window_step import LocatedOutput
from window_core import BYTES_PER_EVENT, CAUSES, Columns, Evaluation

__all__ = [
    "FRAMES_SUFFIX",
    "TOPICS",
    "RecordFrame",
    "decoded_evaluations",
    "decoded_record",
    "device_id_of",
    "encoded_evaluation",
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
_EVALUATION_HEADER: Final = Struct(">BqqqHHI")
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


def encoded_evaluation(evaluation: Evaluation, position: str | None) -> bytes:
    """An evaluation with its whole window, for the stage that asks the services."""
    device_id = evaluation.columns.device_id.encode()
    place = b"" if position is None else position.encode()
    header = _EVALUATION_HEADER.pack(
        CAUSES.index(evaluation.cause),
        evaluation.as_of_ms,
        evaluation.seq,
        evaluation.columns.session_ms,
        len(device_id),
        len(place),
        evaluation.events,
    )
    return b"".join((header, device_id, place, *evaluation.window()))


def decoded_evaluations(batch: bytes) -> Iterator[LocatedOutput]:
    """The evaluations of a micro-batch, each behind its size; their windows stay where they are."""
    at = 0
    view = memoryview(batch)
    while at < len(batch):
        (size,) = _SIZE.unpack_from(batch, at)
        at += _SIZE.size
        yield _decoded_evaluation(view[at : at + size])
        at += size


def _decoded_evaluation(frame: memoryview) -> LocatedOutput:
    cause, as_of_ms, seq, session_ms, id_size, place_size, events = _EVALUATION_HEADER.unpack_from(frame)
    at = _EVALUATION_HEADER.size
    device_id = str(frame[at : at + id_size], "utf-8")
    at += id_size
    position = str(frame[at : at + place_size], "utf-8") or None
    at += place_size
    assert len(frame) == at + BYTES_PER_EVENT * events
    times = frame[at : at + 8 * events].cast("q")
    at += 8 * events
    sensor1, sensor2, sensor3, sensor4 = (frame[at + 4 * events * n :][: 4 * events].cast("f") for n in range(4))
    columns = Columns.read_only(device_id, session_ms, (times, sensor1, sensor2, sensor3, sensor4))
    return LocatedOutput(Evaluation(CAUSES[cause], as_of_ms, seq, columns, 0, events), position)


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
