"""Requests of windows on columns that end with them: what each row is answered, and what is refused whole."""

from contextlib import suppress

import grpc
import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from grpc_services.python.batch_codec import MAX_EVENTS, check_events, decoded_features
from grpc_services.python.column_memory import ColumnMemory, StreamMemory
from grpc_services.python.errors import RequestError
from grpc_services.python.features import MEANS
from grpc_services.python.held_columns import HeldColumns
from grpc_services.python.service_metrics import ServiceMetrics
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc
from grpc_services.python.window_message import MAX_ROWS, WindowMessage
from tests.grpc_services.python.messages import (
    NAMES,
    SENSORS,
    error_texts,
    feature_batch,
    matrix_of,
    uint32,
    window_batch,
)
from window_core import DEMO_SENSORS, Sensors

INVALID = grpc.StatusCode.INVALID_ARGUMENT.value[0]
EMPTY = "event: the window holds no event"
FAR = 2**32 - 1


def three_windows() -> batch_pb2.WindowBatch:
    """On one column, of 2, 3 and 1 events; the mean of sensor 1 is the number of the window."""
    batch = window_batch([[(time, float(row), 0.5, -1.0, 4.0) for row, time in enumerate_sizes(2, 3, 1)]])
    batch.window_number, batch.starts, batch.ends = uint32([0, 0, 0]), uint32([0, 2, 5]), uint32([2, 5, 6])
    return batch


def enumerate_sizes(*sizes):
    return [(row, time) for row, size in enumerate(sizes) for time in range(10 * row, 10 * row + size)]


def decoded(batch, sensors=DEMO_SENSORS):
    room = StreamMemory(ColumnMemory(1 << 20, 1 << 20, ServiceMetrics()))
    return HeldColumns(sensors, room, is_stream=False).take(WindowMessage.of(batch, sensors))


def answered(channel, batch) -> tuple[dict[int, float], dict[int, str]]:
    """The mean of sensor 1 of each row that was answered, and the errors of the others."""
    answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(batch)
    errors = error_texts(answer)
    assert [error.row for error in answer.error] == sorted(errors)
    assert {error.code for error in answer.error} <= {INVALID}
    rows = dict(enumerate(matrix_of(answer)))
    assert all(rows[row] == [0, 0, 0, 0] for row in errors)
    return {row: values[0] for row, values in rows.items() if row not in errors}, errors


def beyond(end: int) -> str:
    return f"ends: the window ends at {end}, out of range: the column holds 6 rows"


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
    together = window_batch([events])
    together.window_number = uint32([0] * len(bounds))
    together.starts, together.ends = uint32(start for start, _ in bounds), uint32(end for _, end in bounds)
    windows, other = (
        decoded(batch)[0] for batch in (together, window_batch([events[start:end] for start, end in bounds]))
    )
    for feature in MEANS:
        assert feature.values(windows)[0].tobytes() == feature.values(other)[0].tobytes()
    assert windows.reduced(np.minimum, windows.sensor3).tolist() == [window.sensor3.min() for window in other]
    ones, twos = (
        [window for _, part in all_of.parts_in_time_order() for window in part] for all_of in (windows, other)
    )
    for one, two in zip(ones, twos, strict=True):
        assert (np.diff(one.times) >= 0).all()
        assert (one.times.tobytes(), one.readings.tobytes()) == (two.times.tobytes(), two.readings.tobytes())


def test_a_request_whose_windows_hold_too_many_events_fails_whole():
    batch = window_batch([[(time, 0.0, 0.0, 0.0, 0.0) for time in range(MAX_EVENTS // 1024 + 1)]])
    size = MAX_EVENTS // 1024
    batch.window_number = uint32([0] * 1025)
    batch.starts, batch.ends = uint32([0] * 1025), uint32([size] * 1024 + [0])
    windows, rows, errors = decoded(batch)
    assert (len(windows), rows.tolist(), list(errors)) == (1024, list(range(1024)), [1024])
    check_events(windows, MAX_EVENTS)
    batch.ends = uint32([size] * 1024 + [1])
    message = f"^ends: the windows hold {MAX_EVENTS + 1} events in all, those of a request may hold {MAX_EVENTS}$"
    with pytest.raises(RequestError, match=message):
        check_events(decoded(batch)[0], MAX_EVENTS)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("reading", [np.nan, np.inf, -np.inf])
def test_a_row_with_a_reading_that_is_not_finite_fails_alone(features_channel, place, reading):
    batch = three_windows()
    rows = np.frombuffer(batch.readings, "<f4").copy().reshape(6, 4)
    rows[[3, 4], place] = reading
    batch.readings = rows.tobytes()
    assert answered(features_channel, batch) == (
        {0: 0.0, 2: 2.0},
        {1: f"{SENSORS[place]}: not finite in event 1 of the window"},
    )


def test_a_reading_that_is_not_finite_fails_each_row_that_holds_it_and_no_other(features_channel):
    batch = three_windows()
    rows = np.frombuffer(batch.readings, "<f4").copy().reshape(6, 4)
    rows[3, 1] = np.nan
    batch.readings = rows.tobytes()
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
    windows, rows, errors = decoded(batch)
    assert (rows.tolist(), errors) == ([0, 1, 2], {})
    [(_, ordered)] = windows.parts_in_time_order()
    assert [window.times.tolist() for window in ordered] == [[1], [2, 3, 3], [0]]
    assert [window.sensor1.tolist() for window in ordered] == [[1], [2, 1, 3], [9]]
    assert [one.sensor1.tolist() for one in (ordered.alone(1)[0], ordered[1])] == [[2, 1, 3]] * 2


def test_what_a_feature_sees_cannot_be_written():
    windows, _, _ = decoded(three_windows())
    for array in (windows.times, windows.readings, windows["sensor2"], windows[1].sensor3):
        assert not array.flags.writeable


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": bytes(5)}, "number: 5 bytes are not 1 uint32, one for each device_id"),
        ({"room": bytes(8)}, "room: 8 bytes are not 1 uint32, one for each device_id"),
        ({"device_id": ["a", "b"]}, "number: 4 bytes are not 2 uint32, one for each device_id"),
        ({"appended_number": bytes(7)}, "appended_number: 7 bytes are not 1 uint32"),
        ({"appended_count": bytes(8)}, "appended_count: 8 bytes are not 1 uint32, one for each appended_number"),
        ({"times": bytes(49)}, "times: 49 bytes are not 6 int64, one for each row"),
        ({"readings": bytes(95)}, "readings: 95 bytes are not 6 rows of 4 float32"),
        ({"window_number": bytes(13)}, "window_number: 13 bytes are not 3 uint32"),
        ({"window_number": bytes(262_148)}, f"window_number: 65537 windows, a request may have {MAX_ROWS}"),
        ({"starts": bytes(11)}, "starts: 11 bytes are not 3 uint32, one for each window"),
        ({"ends": bytes(16)}, "ends: 16 bytes are not 3 uint32, one for each window"),
        ({"dropped_number": bytes(1)}, "dropped_number: 1 bytes are not 0 uint32"),
        (
            {"derived": [batch_pb2.DerivedColumn(readings=bytes(12))]},
            "derived: the readings are 12 bytes, not 4 float32",
        ),
        ({"derived": [batch_pb2.DerivedColumn()] * 65_537}, "derived: 65537 columns, a request may have 65536"),
        ({"number": uint32([1 << 20])}, "number: 1048576 is out of range, a column has a number below 1048576"),
        ({"room": bytes(4)}, "room: 0 is not from 1 to 4194304"),
        ({"room": uint32([(1 << 22) + 1])}, "room: 4194305 is not from 1 to 4194304"),
        ({"room": uint32([5])}, "appended_count: column 0 has room for 5 rows, not for 6"),
        ({"appended_number": uint32([2])}, "appended_number: column 2 is not defined"),
        ({"appended_number": uint32([FAR])}, f"appended_number: column {FAR} is not defined"),
        ({"window_number": uint32([0, 7, 8])}, "window_number: column 7 is not defined"),
        ({"dropped_number": uint32([0, 3])}, "dropped_number: column 3 is not defined"),
        ({"dropped_number": uint32([0, 0])}, "dropped_number: column 0 is not defined"),
        ({"sensor": []}, "sensor: the request has none; this server is for sensor1, sensor2, sensor3, sensor4"),
        (
            {"sensor": ["a", "b?"]},
            "sensor: the request has a, b?; this server is for sensor1, sensor2, sensor3, sensor4",
        ),
        (
            {"sensor": ["a" * 2001]},
            "sensor: the request has 1 others; this server is for sensor1, sensor2, sensor3, sensor4",
        ),
    ],
)
def test_a_request_without_rows_to_tell_apart_fails_whole(features_channel, change, message):
    batch = three_windows()
    for field, value in change.items():
        batch.ClearField(field)
        batch.MergeFrom(batch_pb2.WindowBatch(**{field: value}))
    with pytest.raises(grpc.RpcError) as refused:
        batch_pb2_grpc.FeatureServiceStub(features_channel).EngineerFeatures(batch)
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"number": 1 << 20}, "derived: 1048576 is out of range, a column has a number below 1048576"),
        ({"number": 0}, "derived: column 0 is defined already"),
        ({"room": 0}, "derived: room 0 is not from 1 to 4194304"),
        ({"source": 1}, "derived: column 1 is not defined"),
        ({"source": 1 << 31}, f"derived: column {1 << 31} is not defined"),
        ({"start": 5, "end": 4}, "derived: rows 5 to 4 are not rows of column 0, which holds 6"),
        ({"end": 7}, "derived: rows 2 to 7 are not rows of column 0, which holds 6"),
        ({"row": 5}, "derived: row 5 is outside the 5 rows of column 1"),
        ({"room": 4}, "derived: column 1 has room for 4 rows, not for 5"),
    ],
)
def test_a_column_that_cannot_be_derived_ends_the_call(features_channel, fields, message):
    batch, more = three_windows(), three_windows()
    batch.window_number = batch.starts = batch.ends = batch.dropped_number = b""
    right = {"number": 1, "room": 5, "source": 0, "start": 2, "end": 6, "row": 4, "readings": bytes(16)}
    stub = batch_pb2_grpc.FeatureServiceStub(features_channel)
    more = batch_pb2.WindowBatch(derived=[batch_pb2.DerivedColumn(**(right | fields))])
    answers = stub.StreamFeatures(iter([batch, more]))
    assert next(answers).rows == 0
    with pytest.raises(grpc.RpcError) as refused:
        next(answers)
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, message)
    more.derived[0].CopyFrom(batch_pb2.DerivedColumn(**right))
    assert [answer.rows for answer in stub.StreamFeatures(iter([batch, more]))] == [0, 0]


def test_columns_are_derived_before_rows_are_appended(features_channel):
    batch = three_windows()
    batch.derived.add(number=9, room=8, source=0, start=0, end=1)
    with pytest.raises(grpc.RpcError) as refused:
        answered(features_channel, batch)
    assert refused.value.details() == "derived: rows 0 to 1 are not rows of column 0, which holds 0"


def test_a_unary_request_may_derive_a_column_of_one_late_event(features_channel):
    batch = three_windows()
    batch.derived.add(number=9, room=8, source=0, time=10, readings=np.array([7, 0, 0, 0], "<f4").tobytes())
    batch.window_number, batch.starts, batch.ends = uint32([9, 0]), uint32([0, 0]), uint32([1, 6])
    assert answered(features_channel, batch) == ({0: 7.0, 1: np.float32(5 / 6)}, {})


def test_a_request_without_windows_has_an_answer_without_rows(features_channel):
    assert answered(features_channel, batch_pb2.WindowBatch(sensor=SENSORS)) == ({}, {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": bytes(31)}, "values: 31 bytes are not 2 rows of 4 names, float32, 32 bytes"),
        ({"rows": MAX_ROWS + 1}, f"rows: 65537, a request may have {MAX_ROWS}"),
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


SMALL = st.integers(0, 8) | st.integers(0, 2**32 - 1)
UINT32S = st.lists(SMALL, max_size=4).map(uint32) | st.binary(max_size=16)
FIELDS = (
    "number", "room", "appended_number", "appended_count", "times", "readings", "window_number", "starts", "ends",
    "dropped_number",
)  # fmt: skip


@given(change=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, UINT32S)))
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
        windows, rows, errors = decoded(batch)
    except RequestError:
        return
    assert sorted([*rows.tolist(), *errors]) == list(range(len(batch.window_number) // 4))
    assert len(windows) == len(rows)
    assert (windows.counts > 0).all()
    assert (windows.ends <= len(windows.times)).all()
    for _, part in windows.parts_in_time_order():
        for window in part:
            assert (np.diff(window.times) >= 0).all()
            assert len(window.readings) == len(window)
            assert np.isfinite(window.readings).all()


def test_a_feature_server_describes_its_sensors_and_features(started):
    _, channel = started("features", sensors=("temperature", "door?"), stream_column_bytes=7)
    description = batch_pb2_grpc.FeatureServiceStub(channel).Describe(batch_pb2.DescribeRequest())
    assert list(description.sensor) == ["temperature", "door?"]
    assert list(description.feature) == ["mean_temperature/v1", "mean_door/v1"]
    assert description.column_bytes == 7


def test_an_inference_server_describes_its_model(inference_channel):
    description = batch_pb2_grpc.InferenceServiceStub(inference_channel).Describe(batch_pb2.DescribeRequest())
    assert description.model_id == "log_reg_model/v2"
    assert list(description.feature) == NAMES
    assert list(description.result) == ["logistic_regression_result"]


def test_a_mean_is_over_the_readings_that_are_there(started):
    sensors = ("temperature", "door?")
    _, channel = started("features", sensors=sensors)
    windows = [
        [(1, 1.0, np.nan), (2, 4.0, 3.0), (3, 4.0, 1.0)],
        [(1, 1.0, np.nan)],
        [(1, np.nan, 1.0)],
        [(1, 1.0, np.inf), (2, np.nan, 1.0)],
        [(1, 1.0, 5.0)],
    ]
    answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(window_batch(windows, sensors))
    assert matrix_of(answer) == [[3.0, 2.0], [0, 0], [0, 0], [0, 0], [1.0, 5.0]]
    assert error_texts(answer) == {
        1: "door: no reading in the window",
        2: "temperature: not finite in event 0 of the window",
        3: "temperature: not finite in event 1 of the window",
    }
    assert {error.code for error in answer.error} == {INVALID}


def test_an_absent_reading_may_be_any_nan():
    sensors = Sensors.of(["a", "b?"])
    batch = window_batch([[(1, 2.0, 0.0), (2, 3.0, 4.0)]] * 2, sensors.declared)
    for signalling in ("0100a07f", "0000c0ff", "ffffff7f"):
        batch.readings = bytes.fromhex(f"00000040 {signalling}") + batch.readings[8:]
        windows, _, errors = decoded(batch, sensors)
        assert errors == {}
        assert (windows.sum("b").tolist(), windows.count("b").tolist()) == ([4.0, 4.0], [1, 2])
        with StreamMemory(ColumnMemory(1 << 20, 1 << 20, ServiceMetrics())) as room:
            windows, _, _ = HeldColumns(sensors, room, is_stream=True).take(WindowMessage.of(batch, sensors))
        assert (windows.sum("b").tolist(), windows.count("b").tolist()) == ([4.0, 4.0], [1, 2])


def test_as_many_sensors_as_there_may_be_are_answered():
    sensors = Sensors.of([f"s{number}?" for number in range(64)])
    row = [float(number) for number in range(64)]
    windows, _, errors = decoded(window_batch([[(1, *row), (2, *row)]], sensors.declared), sensors)
    assert errors == {}
    assert windows.totals[0].tolist() == [[2 * value for value in row]]
    assert windows.totals[1].tolist() == [[2] * 64]
