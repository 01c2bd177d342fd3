"""Requests of windows on columns that end with them: what each row is answered, and what is refused whole."""

from contextlib import suppress

import grpc
import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from grpc_services.python import held_columns
from grpc_services.python.batch_codec import MAX_EVENTS, check_events, decoded_features
from grpc_services.python.errors import RequestError
from grpc_services.python.features import MEANS
from grpc_services.python.held_columns import HeldColumns
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc
from grpc_services.python.window_message import MAX_ROWS, WindowMessage
from tests.grpc_services.python.messages import (
    NAMES,
    SENSORS,
    error_texts,
    feature_batch,
    matrix_of,
    three_windows,
    uint32,
    window_batch,
)
from window_core import DEMO_SENSORS

INVALID = grpc.StatusCode.INVALID_ARGUMENT.value[0]
EMPTY = "event: the window holds no event"
FAR = 2**32 - 1


def decoded(batch, sensors=DEMO_SENSORS):
    return HeldColumns(sensors).take(WindowMessage.of(batch, sensors))


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


def test_windows_that_are_in_order_are_not_copied():
    batch = window_batch([[(time, 0, 0, 0, 0) for time in (3, 5, 4, 4, 2)]])
    batch.window_number, batch.starts, batch.ends = uint32([0, 0, 0]), uint32([0, 2, 4]), uint32([2, 4, 5])
    windows, _, _ = decoded(batch)
    assert [part for _, part in windows.parts_in_time_order()] == [windows]


def test_what_a_feature_sees_cannot_be_written():
    windows, _, _ = decoded(three_windows())
    for array in (windows.times, windows.readings, windows["sensor2"], windows[1].sensor3):
        assert not array.flags.writeable


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


def test_what_the_columns_of_a_unary_request_begin_with_is_bounded(monkeypatch):
    monkeypatch.setattr(held_columns, "MAX_DERIVED_READINGS", 11)
    batch = window_batch([[(1, 0, 0, 0, 0)]])
    for number in (1, 2):
        batch.derived.add(number=number, room=1, source=0, readings=bytes(16))
    decoded(batch)
    batch.derived.add(number=3, room=1, source=2, end=1)
    message = "^derived: the columns begin with 12 readings in all, those of a request may begin with 11$"
    with pytest.raises(RequestError, match=message):
        decoded(batch)


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
