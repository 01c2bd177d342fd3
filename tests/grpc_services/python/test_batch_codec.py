from contextlib import suppress

import grpc
import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from grpc_services.python.batch_codec import MAX_ROWS, decoded_features, decoded_windows
from grpc_services.python.errors import RequestError
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc
from tests.grpc_services.python.messages import NAMES, SENSORS, error_texts, feature_batch, matrix_of, window_batch

FIELDS = ("times", *SENSORS)
INVALID = grpc.StatusCode.INVALID_ARGUMENT.value[0]


def three_windows() -> batch_pb2.WindowBatch:
    """Of 2, 3 and 1 events; the mean of sensor 1 is the number of the window."""
    return window_batch(
        [[(time, float(row), 0.5, -1.0, 4.0) for time in range(size)] for row, size in enumerate((2, 3, 1))]
    )


def answered(channel, batch) -> tuple[dict[int, float], dict[int, str]]:
    """The mean of sensor 1 of each row that was answered, and the errors of the others."""
    answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(batch)
    errors = error_texts(answer)
    assert [error.row for error in answer.error] == sorted(errors)
    assert {error.code for error in answer.error} <= {INVALID}
    rows = dict(enumerate(matrix_of(answer)))
    assert all(rows[row] == [0, 0, 0, 0] for row in errors)
    return {row: values[0] for row, values in rows.items() if row not in errors}, errors


EMPTY = "offsets: the window holds no event"
FAR = 2**32 - 1


def back(from_row: int, to_row: int) -> str:
    return f"offsets: the window goes back, from {from_row} to {to_row}"


def beyond(end: int) -> str:
    return f"offsets: the window ends at {end}, out of range: the columns hold 6 values"


@pytest.mark.parametrize(
    ("offsets", "means", "errors"),
    [
        ([0, 2, 2, 6], {0: 0.0, 2: 1.25}, {1: EMPTY}),
        ([0, 0, 0, 6], {2: 5 / 6}, {0: EMPTY, 1: EMPTY}),
        ([0, 2, 1, 6], {0: 0.0}, {1: back(2, 1), 2: back(2, 1)}),
        ([0, 2, 5, 7], {0: 0.0, 1: 1.0}, {2: beyond(7)}),
        ([0, 2, FAR, 6], {0: 0.0}, {1: beyond(FAR), 2: back(FAR, 6)}),
        ([0, FAR, 2, 6], {2: 1.25}, {0: beyond(FAR), 1: back(FAR, 2)}),
        ([1, 2, 5, 6], {1: 1.0, 2: 2.0}, {0: "offsets: the first is 1, not 0"}),
        ([0, 2, 3, 5], {0: 0.0, 1: 1.0}, {2: "times: 6 values, the last window ends at 5"}),
        ([0, 6, 0, 6], {0: 5 / 6}, {1: back(6, 0), 2: back(6, 0)}),
    ],
)
def test_a_row_whose_offsets_are_wrong_fails_alone(features_channel, offsets, means, errors):
    batch = three_windows()
    batch.offsets = np.array(offsets, "<u4").tobytes()
    got_means, got_errors = answered(features_channel, batch)
    assert got_errors == errors
    assert got_means == {row: np.float32(mean) for row, mean in means.items()}


@pytest.mark.parametrize("field", FIELDS)
def test_a_column_that_is_too_short_fails_the_rows_it_does_not_reach(features_channel, field):
    batch = three_windows()
    size = len(getattr(batch, field)) // 6
    setattr(batch, field, getattr(batch, field)[: 5 * size - 1])  # four values and a piece
    means, errors = answered(features_channel, batch)
    assert means == {0: 0.0}
    assert errors == {1: f"{field}: 4 values, the window ends at 5", 2: f"{field}: 4 values, the window ends at 6"}


@pytest.mark.parametrize("field", FIELDS)
def test_the_last_row_answers_for_what_stands_behind_it(features_channel, field):
    for surplus, message in ((16, "values, the last window ends at 6"), (1, "bytes are not a whole number of")):
        batch = three_windows()
        setattr(batch, field, getattr(batch, field) + bytes(surplus))
        means, errors = answered(features_channel, batch)
        assert means == {0: 0.0, 1: 1.0}
        assert list(errors) == [2]
        assert errors[2].startswith(f"{field}: ")
        assert message in errors[2]


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("reading", [np.nan, np.inf, -np.inf])
def test_a_row_with_a_reading_that_is_not_finite_fails_alone(features_channel, sensor, reading):
    batch = three_windows()
    column = np.frombuffer(getattr(batch, sensor), "<f4").copy()
    column[[3, 4]] = reading
    setattr(batch, sensor, column.tobytes())
    assert answered(features_channel, batch) == (
        {0: 0.0, 2: 2.0},
        {1: f"{sensor}: not finite in event 1 of the window"},
    )


def test_a_row_may_fail_for_its_offsets_and_another_for_a_reading(features_channel):
    batch = window_batch([[(0, 0.0, 0, 0, 0)], [], [(0, np.nan, 0, 0, 0)], [(0, 3.0, 0, 0, 0)]])
    means, errors = answered(features_channel, batch)
    assert means == {0: 0.0, 3: 3.0}
    assert errors == {1: "offsets: the window holds no event", 2: "sensor1: not finite in event 0 of the window"}


def test_events_out_of_order_are_put_in_order_within_their_window():
    batch = window_batch([[(1, 1, 0, 0, 0)], [(3, 1, 0, 0, 0), (2, 2, 0, 0, 0), (3, 3, 0, 0, 0)], [(0, 9, 0, 0, 0)]])
    windows, rows, errors = decoded_windows(batch)
    assert (rows.tolist(), errors) == ([0, 1, 2], {})
    assert windows.times.tolist() == [1, 2, 3, 3, 0]
    assert windows.sensor1.tolist() == [1, 2, 1, 3, 9]


def test_columns_are_not_copied_and_cannot_be_written():
    windows, _, _ = decoded_windows(three_windows())
    for column in windows.columns:
        assert not column.flags.owndata
        assert not column.flags.writeable


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offsets": bytes(15)}, "offsets: 15 bytes are not 4 uint32, one more than there are windows"),
        ({"offsets": bytes(12)}, "offsets: 12 bytes are not 4 uint32, one more than there are windows"),
        ({"device_id": ["a"]}, "device_id: 1 values, evaluation_id has 3"),
        (
            {"evaluation_id": ["a"] * (MAX_ROWS + 1), "device_id": ["a"] * (MAX_ROWS + 1)},
            f"evaluation_id: {MAX_ROWS + 1} rows, a request may have {MAX_ROWS}",
        ),
        (
            {"evaluation_id": [], "device_id": [], "offsets": b""},
            "offsets: 0 bytes are not 1 uint32, one more than there are windows",
        ),
        ({"evaluation_id": [], "device_id": [], "offsets": bytes(4)}, "times: there is no window for these values"),
    ],
)
def test_a_request_without_rows_to_tell_apart_fails_whole(change, message):
    batch = three_windows()
    for field, value in change.items():
        batch.ClearField(field)
        if isinstance(value, list):
            getattr(batch, field).extend(value)
        else:
            setattr(batch, field, value)
    with pytest.raises(RequestError, match=f"^{message}$"):
        decoded_windows(batch)


def test_a_request_without_windows_has_an_answer_without_rows(features_channel):
    assert answered(features_channel, batch_pb2.WindowBatch(offsets=bytes(4))) == ({}, {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": bytes(31)}, "values: 31 bytes are not 2 rows of 4 names, float32, 32 bytes"),
        ({"device_id": ["a"]}, "device_id: 1 values, evaluation_id has 2"),
        ({"error": [batch_pb2.RowError(row=2)]}, "error: row 2 of 2"),
    ],
)
def test_features_without_rows_to_tell_apart_fail_whole(change, message):
    batch = feature_batch([[1, 2, 3, 4]] * 2)
    for field, value in change.items():
        batch.ClearField(field)
        batch.MergeFrom(batch_pb2.FeatureBatch(**{field: value}))
    with pytest.raises(RequestError, match=f"^{message}$"):
        decoded_features(batch, NAMES)


MUTATED = st.fixed_dictionaries(
    {
        "offsets": st.lists(st.one_of(st.integers(0, 8), st.integers(0, 2**32 - 1)), min_size=4, max_size=4).map(
            lambda numbers: np.array(numbers, "<u4").tobytes()
        )
        | st.binary(max_size=20),
    },
    optional={field: st.binary(max_size=60) for field in FIELDS},
)


@given(change=MUTATED)
def test_whatever_the_columns_hold_each_row_is_answered_or_refused(change):
    batch = three_windows()
    for field, data in change.items():
        setattr(batch, field, data)
    check_decoder(batch)


@given(
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    cut=st.integers(0, 40) | st.just(0),
)
def test_whatever_the_bytes_of_a_request_are_it_is_answered_or_refused(features_channel, edits, cut):
    data = bytearray(three_windows().SerializeToString())
    for position, value in edits:
        data[position % len(data)] = value
    data = bytes(data[: len(data) - cut])
    call = features_channel.unary_unary("/latecomer.v1.FeatureService/EngineerFeatures")
    try:
        call(data, timeout=60)
    except grpc.RpcError as refused:
        assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT  # noqa: PT017 - an answer is right as well
    with suppress(DecodeError):
        check_decoder(batch_pb2.WindowBatch.FromString(data))


def check_decoder(batch: batch_pb2.WindowBatch) -> None:
    try:
        windows, rows, errors = decoded_windows(batch)
    except RequestError:
        return
    assert sorted([*rows.tolist(), *errors]) == list(range(len(batch.evaluation_id)))
    assert len(windows) == len(rows)
    assert (windows.counts > 0).all()
    assert windows.offsets[0] == 0
    assert windows.offsets[-1] == len(windows.times) <= len(batch.times) // 8
    for sensor in SENSORS:
        column = getattr(windows, sensor)
        assert np.isfinite(column).all()
        assert len(column) == len(windows.times) <= len(getattr(batch, sensor)) // 4
    for window in windows:
        assert (np.diff(window.times) >= 0).all()
