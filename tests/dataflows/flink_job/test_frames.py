"""What crosses between Java and Python comes out as it went in; neither language may change the layout alone."""

from struct import unpack

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from dataflows.flink_job.frames import (
    Message,
    RecordFrame,
    StateMessage,
    WakeUp,
    decoded_batch,
    decoded_frame,
    encoded_answer,
    encoded_frame,
    encoded_instant,
    encoded_record,
)
from dataflows.pipeline.record import OutputRecord
from tests.dataflows.flink_job import java_layout as java

KINDS = ("predictions", "rejections", "hold", "timer", "save", "release", "forget")
"""In the order of their numbers."""

int64s = st.integers(-(2**63), 2**63 - 1)
int32s = st.integers(-(2**31), 2**31 - 1)
device_ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
optional_bytes = st.none() | st.binary(max_size=40)

records = st.builds(RecordFrame, int32s, int64s, int64s, optional_bytes, optional_bytes)
marked = st.builds(
    RecordFrame,
    int32s,
    int64s,
    int64s,
    optional_bytes,
    optional_bytes,
    is_clamped=st.booleans(),
    has_jumped=st.booleans(),
)
wake_ups = st.builds(WakeUp, device_ids, int64s)
outputs = st.builds(
    OutputRecord, st.sampled_from(["predictions", "rejections"]), st.just("") | device_ids, st.binary(max_size=40)
)
state_messages = st.builds(
    StateMessage, st.sampled_from(["hold", "timer", "save", "release", "forget"]), device_ids, st.binary(max_size=40)
)

RECORD = RecordFrame(3, 17, 1_587_920_555_000, b"d1", b'{"time":1}')
WITHOUT_KEY = RecordFrame(2**31 - 1, 2**63 - 1, -1, None, b"")
WITHOUT_VALUE = RecordFrame(0, 0, 0, b"", None)
WAKE_UP = WakeUp("\u00e9", 1_587_920_555_001)
REJECTED = RecordFrame(0, 4, 5, None, b"{}", is_rejected=True)

ANSWER: list[Message] = [
    OutputRecord("predictions", "d1", b"{}"),
    OutputRecord("rejections", "", b"[]"),
    StateMessage("hold", "d1"),
    StateMessage("timer", "\u00e9", encoded_instant(1_587_920_555_001)),
    StateMessage("save", "d1", b"\x00\xff"),
    StateMessage("release", "d1", b""),
    StateMessage("forget", "d1"),
]


def payload(entry: RecordFrame | WakeUp) -> tuple[int, bytes]:
    if isinstance(entry, WakeUp):
        return java.WAKE_UP, java.wake_up(entry.now_ms, entry.device_id.encode())
    assert entry.arrival_ms is not None
    frame = java.record_frame(entry.arrival_ms, entry.partition, entry.offset, entry.key, entry.value)
    marks = java.CLAMPED * entry.is_clamped + java.JUMPED * entry.has_jumped
    return java.RECORD, bytes([frame[0] + marks]) + frame[1:]


@given(st.integers(0, 2), st.lists(st.tuples(marked | wake_ups, optional_bytes)))
def test_a_batch_comes_out_of_java_as_it_went_in(
    purpose: int, entries: list[tuple[RecordFrame | WakeUp, bytes | None]]
) -> None:
    batch = decoded_batch(java.batch(purpose, ((*payload(entry), snapshot) for entry, snapshot in entries)))
    assert (batch.is_flush, batch.is_save) == (purpose != java.CONTINUE, purpose == java.SAVE)
    assert list(batch.entries) == entries


@given(st.lists(outputs | state_messages))
def test_an_answer_comes_out_of_python_as_it_went_in(answer: list[Message]) -> None:
    assert list(java.messages(encoded_answer(answer))) == [
        (KINDS.index(message.kind), message.key.encode() or None, message.value) for message in answer
    ]


@given(st.lists(records))
def test_a_file_of_frames_holds_each_record_behind_its_size(frames: list[RecordFrame]) -> None:
    data, found = b"".join(map(encoded_record, frames)), []
    while data:
        (size,) = unpack(">i", data[:4])
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    assert found == [
        java.record_frame(frame.arrival_ms or 0, frame.partition, frame.offset, frame.key, frame.value or b"")
        for frame in frames
    ]


@given(int64s)
def test_an_instant_is_eight_bytes_big_endian(time_ms: int) -> None:
    assert unpack(">q", encoded_instant(time_ms)) == (time_ms,)


def test_python_reads_the_golden_batch_and_writes_the_golden_answer() -> None:
    bytes_of = java.golden()
    batch = decoded_batch(bytes_of["batch"])
    assert batch.is_flush
    assert batch.is_save
    assert list(batch.entries) == [(RECORD, b"state"), (WITHOUT_KEY, None), (WITHOUT_VALUE, b""), (WAKE_UP, None)]
    assert encoded_answer(ANSWER) == bytes_of["answer"]
    assert encoded_record(RECORD) + encoded_record(REJECTED) == bytes_of["file"]


def test_the_layout_that_these_tests_write_is_javas() -> None:
    bytes_of = java.golden()
    entries = [(RECORD, b"state"), (WITHOUT_KEY, None), (WITHOUT_VALUE, b""), (WAKE_UP, None)]
    assert java.batch(java.SAVE, [(*payload(entry), snapshot) for entry, snapshot in entries]) == bytes_of["batch"]
    assert [kind for kind, _, _ in java.messages(bytes_of["answer"])] == list(range(len(KINDS)))


@given(marked, st.binary(max_size=40), st.booleans())
def test_a_frame_that_goes_through_python_keeps_its_marks(frame: RecordFrame, value: bytes, is_rejected: bool) -> None:
    with_value = structs.replace(frame, value=value, is_rejected=is_rejected)
    assert decoded_frame(encoded_frame(with_value)) == with_value
    kind, encoded = payload(structs.replace(frame, value=value))
    assert encoded_frame(decoded_frame(encoded)) == encoded
    assert kind == java.RECORD
