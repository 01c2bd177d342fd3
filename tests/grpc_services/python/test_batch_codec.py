from contextlib import suppress

import grpc
import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from grpc_services.python.batch_codec import MAX_EVENTS, MAX_ROWS, decoded_features, decoded_windows
from grpc_services.python.errors import RequestError
from grpc_services.python.features import MEANS
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc
from tests.grpc_services.python.messages import (
    NAMES,
    SENSORS,
    error_texts,
    feature_batch,
    matrix_of,
    uint32,
    window_batch,
)

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


EMPTY = "event: the window holds no event"
FAR = 2**32 - 1


def beyond(end: int) -> str:
    return f"ends: the window ends at {end}, out of range: the columns hold 6 values"


@pytest.mark.parametrize(
    ("starts", "ends", "means", "errors"),
    [
        ([0, 2, 2], [2, 2, 6], {0: 0.0, 2: 1.25}, {1: EMPTY}),
        ([0, 2, 5], [2, 1, 6], {0: 0.0, 2: 2.0}, {1: EMPTY}),
        ([0, 2, 5], [2, 5, 7], {0: 0.0, 1: 1.0}, {2: beyond(7)}),
        ([0, FAR, 5], [FAR, 2, 6], {2: 2.0}, {0: beyond(FAR), 1: EMPTY}),
        ([6, 6, 5], [6, 7, 6], {2: 2.0}, {0: EMPTY, 1: beyond(7)}),
    ],
)
def test_a_row_whose_bounds_are_wrong_fails_alone(features_channel, starts, ends, means, errors):
    batch = three_windows()
    batch.starts, batch.ends = uint32(starts), uint32(ends)
    got_means, got_errors = answered(features_channel, batch)
    assert got_errors == errors
    assert got_means == {row: np.float32(mean) for row, mean in means.items()}


def test_windows_may_share_events_lie_in_any_order_and_leave_some_out(features_channel):
    batch = three_windows()
    batch.starts, batch.ends = uint32([1, 1, 2]), uint32([6, 4, 3])
    assert answered(features_channel, batch) == ({0: 1.0, 1: np.float32(2 / 3), 2: 1.0}, {})


@given(
    bounds=st.lists(
        st.tuples(st.integers(0, 39), st.integers(1, 40)).filter(lambda pair: pair[0] < pair[1]), min_size=1
    ),
    readings=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=40, max_size=40),
    times=st.lists(st.integers(0, 9), min_size=40, max_size=40) | st.just(list(range(40))),
)
def test_windows_that_share_events_are_those_that_do_not(bounds, readings, times):
    events = [(time, reading, 0.0, -reading, 1.0) for time, reading in zip(times, readings, strict=True)]
    apart = window_batch([events[start:end] for start, end in bounds])
    together = window_batch([events])
    together.evaluation_id[:], together.device_id[:] = apart.evaluation_id, apart.device_id
    together.starts, together.ends = uint32(start for start, _ in bounds), uint32(end for _, end in bounds)
    windows, other = decoded_windows(together)[0], decoded_windows(apart)[0]
    for one, two in zip(windows, other, strict=True):
        for name in FIELDS:
            assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
    for feature in MEANS:
        assert feature.values(windows)[0].tobytes() == feature.values(other)[0].tobytes()
    assert windows.reduced(np.minimum, windows.sensor3).tolist() == [window.sensor3.min() for window in other]


def test_a_request_whose_windows_hold_too_many_events_fails_whole():
    batch = window_batch([[(time, 0.0, 0.0, 0.0, 0.0) for time in range(MAX_EVENTS // 1024 + 1)]])
    size = MAX_EVENTS // 1024
    batch.evaluation_id[:] = batch.device_id[:] = ["a"] * 1025
    batch.starts, batch.ends = uint32([0] * 1025), uint32([size] * 1024 + [0])
    windows, rows, errors = decoded_windows(batch)
    assert (len(windows), rows.tolist(), list(errors)) == (1024, list(range(1024)), [1024])
    batch.ends = uint32([size] * 1024 + [1])
    message = f"^ends: the windows hold {MAX_EVENTS + 1} events in all, those of a request may hold {MAX_EVENTS}$"
    with pytest.raises(RequestError, match=message):
        decoded_windows(batch)


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


def test_a_reading_that_is_not_finite_fails_each_row_that_holds_it_and_no_other(features_channel):
    batch = three_windows()
    column = np.frombuffer(batch.sensor2, "<f4").copy()
    column[3] = np.nan
    batch.sensor2 = column.tobytes()
    batch.starts, batch.ends = uint32([0, 3, 4]), uint32([4, 4, 6])
    message = "sensor2: not finite in event {} of the window"
    assert answered(features_channel, batch) == ({2: 1.5}, {0: message.format(3), 1: message.format(0)})
    batch.starts, batch.ends = uint32([0, 2, 4]), uint32([3, 3, 5])
    assert answered(features_channel, batch)[1] == {}


def test_a_row_may_fail_for_its_bounds_and_another_for_a_reading(features_channel):
    batch = window_batch([[(0, 0.0, 0, 0, 0)], [], [(0, np.nan, 0, 0, 0)], [(0, 3.0, 0, 0, 0)]])
    means, errors = answered(features_channel, batch)
    assert means == {0: 0.0, 3: 3.0}
    assert errors == {1: "event: the window holds no event", 2: "sensor1: not finite in event 0 of the window"}


def test_events_out_of_order_are_put_in_order_within_their_window():
    batch = window_batch([[(1, 1, 0, 0, 0)], [(3, 1, 0, 0, 0), (2, 2, 0, 0, 0), (3, 3, 0, 0, 0)], [(0, 9, 0, 0, 0)]])
    windows, rows, errors = decoded_windows(batch)
    assert (rows.tolist(), errors) == ([0, 1, 2], {})
    assert [window.times.tolist() for window in windows] == [[1], [2, 3, 3], [0]]
    assert [window.sensor1.tolist() for window in windows] == [[1], [2, 1, 3], [9]]


def test_columns_are_not_copied_and_cannot_be_written():
    windows, _, _ = decoded_windows(three_windows())
    for column in windows.columns:
        assert not column.flags.owndata
        assert not column.flags.writeable


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"starts": bytes(11)}, "starts: 11 bytes are not 3 uint32, one for each window"),
        ({"ends": bytes(16)}, "ends: 16 bytes are not 3 uint32, one for each window"),
        ({"times": bytes(49)}, "times: 49 bytes are not 6 int64, one for each event"),
        ({"times": bytes(56)}, "sensor1: 24 bytes are not 7 float32, one for each event"),
        *(({s: bytes(20)}, f"{s}: 20 bytes are not 6 float32, one for each event") for s in SENSORS),
        *(({s: bytes(25)}, f"{s}: 25 bytes are not 6 float32, one for each event") for s in SENSORS),
        ({"device_id": ["a"]}, "device_id: 1 values, evaluation_id has 3"),
        (
            {"evaluation_id": ["a"] * (MAX_ROWS + 1), "device_id": ["a"] * (MAX_ROWS + 1)},
            f"evaluation_id: {MAX_ROWS + 1} rows, a request may have {MAX_ROWS}",
        ),
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
    assert answered(features_channel, batch_pb2.WindowBatch()) == ({}, {})


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


BOUNDS = st.lists(st.one_of(st.integers(0, 8), st.integers(0, 2**32 - 1)), min_size=3, max_size=3).map(uint32)
MUTATED = st.fixed_dictionaries(
    {"starts": BOUNDS | st.binary(max_size=16), "ends": BOUNDS | st.binary(max_size=16)},
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
    assert (windows.ends <= len(windows.times)).all()
    for window in windows:
        assert (np.diff(window.times) >= 0).all()
        for sensor in SENSORS:
            assert len(getattr(window, sensor)) == len(window)
            assert np.isfinite(getattr(window, sensor)).all()
