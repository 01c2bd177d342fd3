"""Sensors: how many there may be, which may be absent, what a server says of them, and what features see of them."""

import grpc
import numpy as np
import pytest

from grpc_services.python.column_memory import ColumnMemory, StreamMemory
from grpc_services.python.features import MEANS, Windows, batch_feature
from grpc_services.python.held_columns import HeldColumns
from grpc_services.python.plugins import load_features
from grpc_services.python.service_metrics import ServiceMetrics
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc
from grpc_services.python.window_message import WindowMessage
from runtime.errors import SettingsError
from tests.grpc_services.python.messages import NAMES, error_texts, matrix_of, window_batch
from window_core import Sensors

INVALID = grpc.StatusCode.INVALID_ARGUMENT.value[0]


def decoded(batch, sensors, *, is_stream):
    memory = StreamMemory(ColumnMemory(1 << 20, 1 << 20, ServiceMetrics()))
    return HeldColumns(sensors, memory if is_stream else None).take(WindowMessage.of(batch, sensors))


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
        [(1, 1.0, np.inf)],
    ]
    answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(window_batch(windows, sensors))
    assert matrix_of(answer) == [[3.0, 2.0], [0, 0], [0, 0], [0, 0], [1.0, 5.0], [0, 0]]
    assert error_texts(answer) == {
        1: "door: no reading in the window",
        2: "temperature: not finite in event 0 of the window",
        3: "temperature: not finite in event 1 of the window",
        5: "door: not finite in event 0 of the window",
    }
    assert {error.code for error in answer.error} == {INVALID}


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_absent_reading_may_be_any_nan(is_stream):
    sensors = Sensors.of(["a", "b?"])
    batch = window_batch([[(1, 2.0, 0.0), (2, 3.0, 4.0)]] * 2, sensors.declared)
    for nan in ("0100a07f", "0000c0ff", "ffffff7f"):  # one that signals, a negative one, one with all bits
        batch.readings = bytes.fromhex(f"00000040 {nan}") + batch.readings[8:]
        windows, _, errors = decoded(batch, sensors, is_stream=is_stream)
        assert errors == {}
        assert (windows.sum("b").tolist(), windows.count("b").tolist()) == ([4.0, 4.0], [1, 2])


@pytest.mark.parametrize("is_stream", [False, True])
def test_as_many_sensors_as_there_may_be_are_answered(is_stream):
    sensors = Sensors.of([f"s{number}?" for number in range(64)])
    row = [float(number) for number in range(64)]
    batch = window_batch([[(1, *row), (2, *row)]], sensors.declared)
    windows, _, errors = decoded(batch, sensors, is_stream=is_stream)
    assert errors == {}
    assert windows.totals[0].tolist() == [[2 * value for value in row]]
    assert windows.totals[1].tolist() == [[2] * 64]


def test_the_mean_of_a_sensor_that_is_not_there_is_refused_at_the_start(plugin):
    message = r"^--features-from: sensor_1/v1 is the mean of sensor1, the sensors are a, b\?$"
    with pytest.raises(SettingsError, match=message):
        load_features(plugin(MEANS), Sensors.of(("a", "b?")))


@batch_feature("mean_b/v1")
def mean_b(windows: Windows) -> np.ndarray:
    return windows.mean("b")


def test_a_feature_of_ones_own_that_takes_the_mean_of_no_reading_fails_its_row_as_the_mean_does(
    started, plugin, caplog
):
    _, channel = started("features", sensors=("a", "b?"), features_from=plugin(mean_b))
    windows = [[(1, 1.0, np.nan)], [(1, 1.0, 2.0)], [(2, 1.0, np.nan), (3, 1.0, 3.0)]]
    answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(window_batch(windows, ("a", "b?")))
    assert error_texts(answer) == {0: "b: no reading in the window"}
    assert answer.error[0].code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert matrix_of(answer) == [[0.0], [2.0], [3.0]]
    assert not caplog.records


def test_what_a_window_does_not_have_is_an_error_that_says_what_it_has():
    sensors = Sensors.of(("a", "b?"))
    windows = Windows(sensors, np.array([0]), np.array([1]), np.zeros(1, np.int64), np.ones((1, 2), np.float32))
    assert windows[0].b.tolist() == windows.b.tolist() == [1.0]
    for one in (windows, windows[0]):
        with pytest.raises(AttributeError, match=r"^there is no sensor c, there are a, b$"):
            _ = one.c
        with pytest.raises(KeyError, match="there is no sensor c, there are a, b"):
            one["c"]
