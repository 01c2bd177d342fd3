"""Streams on which an event crosses once, against a real server: what they answer, hold, refuse and give back."""

import itertools
import queue

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_services.python import feature_service
from grpc_services.python.features import MEANS, Window, Windows, batch_feature, feature
from grpc_services.python.stubs import mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import DerivedColumn, WindowBatch
from grpc_services.python.stubs.latecomer.v1.batch_pb2_grpc import FeatureServiceStub
from tests.grpc_services.python.messages import (
    SENSORS,
    demo_window,
    error_texts,
    event_list,
    matrix_of,
    uint32,
    window_batch,
)

NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
ROW_BYTES = 8 + 12 * 4
LIMIT_S = 60


class Stream:
    """One stream, used as a call: a message, then its answer."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._requests: queue.SimpleQueue[WindowBatch | None] = queue.SimpleQueue()
        self._answers = FeatureServiceStub(channel).StreamFeatures(iter(self._requests.get, None), timeout=LIMIT_S)
        self._sensors = SENSORS

    def ask(self, **fields):
        self._requests.put(WindowBatch(sensor=self._sensors, **fields))
        self._sensors = ()
        return next(self._answers)

    def refused(self, **fields) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.RpcError) as refused:
            self.ask(**fields)
        self._requests.put(None)
        return refused.value.code(), refused.value.details()

    def end(self) -> None:
        self._requests.put(None)
        assert list(self._answers) == []

    def cancel(self) -> None:
        self._answers.cancel()
        self._requests.put(None)


def defined(numbers, rooms):
    return {"device_id": ["d"] * len(numbers), "number": uint32(numbers), "room": uint32(rooms)}


def appended(rows: dict[int, list[tuple]]):
    events = [event for column in rows.values() for event in column]
    return {
        "appended_number": uint32(rows),
        "appended_count": uint32(map(len, rows.values())),
        "times": np.array([event[0] for event in events], "<i8").tobytes(),
        "readings": np.array([event[1:] for event in events], "<f4").tobytes(),
    }


def asked(*windows):
    numbers, starts, ends = zip(*windows, strict=True)
    return {"window_number": uint32(numbers), "starts": uint32(starts), "ends": uint32(ends)}


def event(time: int, reading: float) -> tuple:
    return (time, reading, 0.0, 1.0, -reading)


def test_an_event_crosses_once_and_every_window_is_answered_as_on_a_call_of_its_own(features_channel):
    stream = Stream(features_channel)
    window = demo_window()
    stream.ask(**defined([5], [300]))
    for count in range(1, 301):
        answer = stream.ask(**appended({5: [window[count - 1]]}), **asked((5, max(count - 50, 0), count)))
        if count % 60 == 0:
            alone = FeatureServiceStub(features_channel).EngineerFeatures(
                window_batch([window[max(count - 50, 0) : count]])
            )
            assert answer == alone
    stream.end()


def test_a_column_without_room_is_accepted_and_its_windows_alone_are_not_found(started):
    server, channel = started("features", stream_column_bytes=20 * ROW_BYTES)
    registry = server.metrics.registry
    stream = Stream(channel)
    answer = stream.ask(
        **defined([1, 2, 3], [12, 10, 8]),
        **appended({2: [event(1, 1.0)] * 9, 1: [event(1, 1.0)], 3: [event(1, 3.0)]}),
        **asked((1, 0, 1), (2, 0, 1), (3, 0, 1), (2, 5, 1)),
    )
    assert error_texts(answer) == dict.fromkeys((1, 3), "column: 2 is not held")
    assert {error.code for error in answer.error} == {NOT_FOUND}
    assert [row[0] for row in matrix_of(answer)] == [1.0, 0.0, 3.0, 0.0]
    assert registry.get_sample_value("latecomer_column_bytes") == 20 * ROW_BYTES
    assert registry.get_sample_value("latecomer_columns_refused_total") == 1
    derived = [
        DerivedColumn(number=7, room=3, source=2, start=0, end=3),
        DerivedColumn(number=8, room=3, source=1, start=0, end=1),
    ]
    answer = stream.ask(derived=derived, **asked((7, 0, 1), (8, 0, 1)), dropped_number=uint32([1, 2, 7]))
    assert error_texts(answer) == {0: "column: 7 is not held", 1: "column: 8 is not held"}
    answer = stream.ask(**defined([9], [100]), **asked((9, 0, 1)), dropped_number=uint32([9]))
    assert error_texts(answer) == {0: "column: 9 is not held"}
    assert registry.get_sample_value("latecomer_column_bytes") == 8 * ROW_BYTES
    assert registry.get_sample_value("latecomer_columns_refused_total") == 3
    answer = stream.ask(**defined([1], [12]), **appended({1: [event(1, 5.0)]}), **asked((1, 0, 1), (3, 0, 1)))
    assert [row[0] for row in matrix_of(answer)] == [5.0, 3.0]
    stream.end()


@pytest.mark.parametrize("end", ["end", "cancel", "refused"])
def test_the_room_of_a_stream_is_free_again_however_it_ends(started, end):
    server, channel = started("features", column_bytes=10 * ROW_BYTES, stream_column_bytes=6 * ROW_BYTES)
    one, other = Stream(channel), Stream(channel)
    for stream, answered in ((one, True), (other, False)):
        answer = stream.ask(**defined([1], [6]), **appended({1: [event(1, 1.0)]}), **asked((1, 0, 1)))
        assert not answer.error if answered else error_texts(answer) == {0: "column: 1 is not held"}
    if end == "refused":
        assert one.refused(number=bytes(3)) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "number: 3 bytes are not 0 uint32, one for each device_id",
        )
    else:
        getattr(one, end)()
    for number in itertools.count(2):  # until the server has seen the end
        answer = other.ask(**defined([number], [6]), **appended({number: [event(1, 1.0)]}), **asked((number, 0, 1)))
        if not answer.error:
            break
    other.end()
    server.stop(5.0)
    assert server.metrics.registry.get_sample_value("latecomer_column_bytes") == 0


def test_a_server_without_room_for_columns_still_answers_unary_requests(started):
    _, channel = started("features", column_bytes=0, stream_column_bytes=0)
    stub = FeatureServiceStub(channel)
    batch = window_batch([[event(1, 4.0)]])
    assert matrix_of(stub.EngineerFeatures(batch))[0][0] == 4.0
    stream = Stream(channel)
    answer = stream.ask(**defined([1], [1]), **appended({1: [event(1, 4.0)]}), **asked((1, 0, 1)))
    assert error_texts(answer) == {0: "column: 1 is not held"}
    stream.end()


@pytest.mark.parametrize("sensors", [SENSORS, ("a",)])
def test_only_the_first_message_of_a_stream_has_sensors(features_channel, sensors):
    stream = Stream(features_channel)
    stream.ask()
    stream._sensors = sensors
    assert stream.refused() == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "sensor: only the first message of a stream has sensors",
    )


def test_the_methods_of_the_demo_are_for_its_sensors(started):
    _, channel = started("features", sensors=("a", "b?"))
    with pytest.raises(grpc.RpcError) as refused:
        mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel).engineerFeatures(event_list([event(1, 1.0)]))
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert refused.value.details() == "this server is for the sensors a, b?"


def test_means_of_many_long_windows_are_one_message(features_channel):
    stream = Stream(features_channel)
    stream.ask(**defined([1], [36_000]), **appended({1: [event(time, float(time % 7)) for time in range(35_744)]}))
    windows = [(1, number, 35_745 + number) for number in range(256)]
    answer = stream.ask(**appended({1: [event(40_000, 1.0)] * 256}), **asked(*windows))
    assert not answer.error
    assert matrix_of(answer)[0][0] == np.float32(sum([time % 7 for time in range(35_744)], 1.0) / 35_745)
    stream.end()


@feature("last/v1")
def last(window: Window) -> float:
    return window.sensor1[-1]


@batch_feature("peak/v1")
def peak(windows: Windows) -> np.ndarray:
    return windows.reduced(np.maximum, windows["sensor1"])


@batch_feature("total/v1")
def total(windows: Windows) -> np.ndarray:
    return windows.sum("sensor1") + windows.count("sensor1") + windows.mean("sensor1")


def test_features_of_ones_own_see_the_rows_of_a_stream_in_the_order_of_their_times(started, plugin, monkeypatch):
    _, channel = started("features", features_from=plugin((*MEANS[:1], last, peak, total)))
    stream = Stream(channel)
    stream.ask(**defined(range(40), [9] * 40), **appended({one: [event(8, -1.0), event(9, 0.5)] for one in range(40)}))
    events = [event(5, 2.0), event(3, 7.0), event(9, 3.0), event(4, -5.0)]
    answer = stream.ask(
        **appended({17: events}), **asked((17, 2, 6), (3, 0, 2), (17, 4, 5)), dropped_number=uint32([3])
    )
    assert not answer.error
    assert matrix_of(answer) == [[1.75, 3.0, 7.0, 12.75], [-0.25, 0.5, 0.5, 1.25], [3.0, 3.0, 3.0, 7.0]]
    monkeypatch.setattr(feature_service, "MAX_STREAM_EVENTS", 5)
    assert stream.refused(**asked((17, 0, 6))) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "ends: the windows hold 6 events in all, those of a request may hold 5",
    )


SMALL = st.integers(0, 6) | st.integers(0, 2**32 - 1)
DERIVED = st.builds(
    DerivedColumn, number=SMALL, room=SMALL, source=SMALL, start=SMALL, end=SMALL, row=SMALL,
    time=st.integers(-(2**63), 2**63 - 1), readings=st.sampled_from([b"", bytes(16), b"\xff" * 16]) | st.binary(),
)  # fmt: skip
FIELDS = (
    "number", "room", "appended_number", "appended_count", "times", "readings", "window_number", "starts", "ends",
    "dropped_number",
)  # fmt: skip
FUZZED = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(FIELDS, st.lists(SMALL, max_size=3).map(uint32) | st.binary(max_size=24))
    | {"derived": st.lists(DERIVED, max_size=3), "device_id": st.lists(st.text(max_size=3), max_size=3)},
)


@given(messages=st.lists(FUZZED, min_size=1, max_size=4))
def test_whatever_the_messages_of_a_stream_hold_it_is_answered_or_ended_with_a_status(features_channel, messages):
    stream = Stream(features_channel)
    stream.ask(**defined([0, 1, 2], [4, 4, 4]), **appended({0: [event(1, 1.0)] * 3, 1: [event(1, np.nan)]}))
    for message in messages:
        try:
            answer = stream.ask(**message)
        except grpc.RpcError as refused:
            assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT  # noqa: PT017 - an answer is right as well
            assert refused.details().partition(":")[0] in WindowBatch.DESCRIPTOR.fields_by_name  # noqa: PT017
            break
        assert answer.rows == len(message.get("window_number", b"")) // 4
    stream.cancel()
