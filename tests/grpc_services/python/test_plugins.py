import gc
import json
import logging
from functools import partial

import grpc
import numpy as np
import pytest

from grpc_services.python.errors import AbandonedError
from grpc_services.python.features import (
    MEANS,
    UnavailableError,
    Window,
    Windows,
    batch_feature,
    feature,
    feature_matrix,
)
from grpc_services.python.models import batch_model, model
from grpc_services.python.plugins import load_features, load_model
from grpc_services.python.stubs import mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2_grpc
from runtime.errors import SettingsError
from tests.grpc_services.python.messages import (
    error_texts,
    event_list,
    feature_batch,
    feature_list,
    matrix_of,
    window_batch,
)
from window_core import DEMO_SENSORS

INTERNAL = grpc.StatusCode.INTERNAL.value[0]
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


@feature("spread_1/v1")
def spread(window: Window) -> float:
    return window.sensor1.max() - window.sensor1.min()


@batch_feature("span/v1")
def span(windows: Windows) -> np.ndarray:
    return windows.times[windows.ends - 1] - windows.times[windows.starts]


@feature("picky/v1")
def picky(window: Window) -> float:
    return {2: 1.5, 3: float("nan"), 4: 1e39}[len(window)]  # a window of another size is a KeyError


@batch_feature("picky_batch/v1")
def picky_batch(windows: Windows) -> np.ndarray:
    return np.array([{2: 1.5, 3: np.nan, 4: 1e39}[count] for count in windows.counts.tolist()])


@batch_feature("wrong_shape/v1")
def wrong_shape(windows: Windows) -> np.ndarray:
    return windows.sensor1


@feature("text/v1")
def text(window: Window) -> str:
    return "many"


def windows_of(*sizes):
    return window_batch([[(time, float(time), 0, 0, 0) for time in range(size)] for size in sizes])


def test_features_of_ones_own_are_served_beside_the_means(started, plugin):
    _, channel = started("features", features_from=plugin((*MEANS, spread, span)))
    answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(windows_of(3, 1))
    assert list(answer.name) == [*(one.name for one in MEANS), "spread_1/v1", "span/v1"]
    assert matrix_of(answer) == [[1, 0, 0, 0, 2, 2], [0, 0, 0, 0, 0, 0]]
    alone = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel).engineerFeatures(
        event_list([(5, 1, 0, 0, 0), (7, 4, 0, 0, 0)])
    )
    assert [one.value for one in alone.feature] == [2.5, 0, 0, 0, 3, 2]


@model("asks_a_store/v1", features=("sensor_1/v1",), results=("x",))
def asks_a_store(values):
    if values[0] > 1:
        raise UnavailableError("the store is away")
    return {"x": values[0]}


@feature("not_now/v1")
def not_now(window: Window) -> float:
    raise UnavailableError("not now")


def test_a_plug_in_that_says_not_now_is_unavailable_in_every_way_to_call(started, plugin):
    _, channel = started("features", features_from=plugin([not_now]))
    answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(windows_of(1))
    assert [(error.code, error.message) for error in answer.error] == [(UNAVAILABLE.value[0], "not now")]
    with pytest.raises(grpc.RpcError) as caught:
        mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel).engineerFeatures(event_list([(5, 1, 0, 0, 0)]))
    assert (caught.value.code(), caught.value.details()) == (UNAVAILABLE, "not now")
    _, channel = started("inference", model=plugin(asks_a_store))
    answer = batch_pb2_grpc.InferenceServiceStub(channel).Predict(feature_batch([[1], [2]], ["sensor_1/v1"]))
    assert [(error.row, error.code, error.message) for error in answer.error] == [
        (1, UNAVAILABLE.value[0], "the store is away")
    ]


@pytest.mark.parametrize("plug_in", [picky, picky_batch])
def test_a_feature_that_fails_on_a_window_fails_its_row_only_and_is_logged_once(started, plugin, plug_in, caplog):
    _, channel = started("features", features_from=plugin([plug_in, spread]))
    answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(windows_of(2, 3, 4, 5, 6, 2))
    name = plug_in.name
    assert error_texts(answer) == {
        1: f"feature {name}: its value is not finite as a float32",
        2: f"feature {name}: its value is not finite as a float32",
        3: f"feature {name} failed on this row",
        4: f"feature {name} failed on this row",
    }
    assert {error.code for error in answer.error} == {INTERNAL}
    assert matrix_of(answer) == [[1.5, 1], [0, 0], [0, 0], [0, 0], [0, 0], [1.5, 1]]
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    assert "KeyError" in caplog.text
    with pytest.raises(grpc.RpcError) as refused:
        mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel).engineerFeatures(event_list([(5, 1, 0, 0, 0)]))
    assert refused.value.code() == grpc.StatusCode.INTERNAL
    assert refused.value.details() == f"feature {name} failed on this row"


def test_a_row_that_fails_in_a_feature_keeps_its_number_behind_one_that_never_reached_it(started, plugin):
    _, channel = started("features", features_from=plugin([picky]))
    answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(windows_of(0, 2, 5, 2))
    assert error_texts(answer) == {
        0: "event: the window holds no event",
        2: "feature picky/v1 failed on this row",
    }
    assert matrix_of(answer) == [[0], [1.5], [0], [1.5]]


@pytest.mark.parametrize(
    ("plug_in", "message"),
    [(wrong_shape, "it gave the shape (2,), not (1,)"), (text, "it gave <U4, not numbers")],
)
def test_a_feature_that_gives_no_number_is_told_from_one_that_does(started, plugin, plug_in, message):
    _, channel = started("features", features_from=plugin(plug_in))
    answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(windows_of(2, 2))
    assert error_texts(answer) == dict.fromkeys((0, 1), f"feature {plug_in.name}: {message}")


class PanicError(BaseException):
    """What bindings of Rust raise: no ``Exception``."""


@pytest.mark.parametrize("raised", [SystemExit(3), PanicError("index out of bounds")], ids=["exit", "panic"])
@pytest.mark.parametrize(("feature_of", "model_of"), [(feature, model), (batch_feature, batch_model)])
def test_a_plug_in_that_exits_or_panics_fails_on_its_row_alone(started, plugin, feature_of, model_of, raised):
    def ending(values):
        raise raised

    _, channel = started("features", features_from=plugin([feature_of("ending/v1")(ending)]))
    answer = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(windows_of(1, 2), timeout=60)
    assert error_texts(answer) == dict.fromkeys((0, 1), "feature ending/v1 failed on this row")
    _, channel = started(
        "inference", model=plugin(model_of("ending/v1", features=["sensor_1/v1"], results=["x"])(ending))
    )
    with pytest.raises(grpc.RpcError, match="model ending/v1 failed on this row") as failed:
        mlpipeline_pb2_grpc.PredictionServiceStub(channel).predict(feature_list([1], ["sensor_1/v1"]), timeout=60)
    assert failed.value.code() is grpc.StatusCode.INTERNAL


def test_calls_on_which_a_plugin_failed_are_gone_before_garbage_is_collected(started, plugin, caplog):
    """Else their streams count, and a connection with more of them than it may have is refused good calls."""
    caplog.set_level(logging.CRITICAL, "grpc_services.python.errors")  # a record that pytest keeps holds the traceback
    _, features = started("features", features_from=plugin((picky,)))
    _, inference = started("inference", model=plugin(failing))
    original = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(features)
    batches = batch_pb2_grpc.FeatureServiceStub(features)
    predictions = mlpipeline_pb2_grpc.PredictionServiceStub(inference)
    failed_window, no_features = [(1, 1.0, 1.0, 1.0, 1.0)], []
    calls = {
        grpc.StatusCode.INTERNAL: (
            lambda: original.engineerFeatures(event_list(failed_window)),
            lambda: predictions.predict(feature_list([1.0], ["a"])),
        ),
        grpc.StatusCode.INVALID_ARGUMENT: (
            lambda: original.engineerFeatures(event_list(no_features)),
            lambda: predictions.predict(feature_list([], [])),
        ),
    }
    gc.collect()
    gc.disable()
    try:
        for status, failing_calls in calls.items():
            for call in failing_calls:
                for _ in range(200):
                    with pytest.raises(grpc.RpcError) as caught:
                        call()
                    assert caught.value.code() is status
        for _ in range(200):
            assert len(batches.EngineerFeatures(window_batch([failed_window])).error) == 1
            assert len(list(batches.StreamFeatures(iter([window_batch([failed_window])])))) == 1
    finally:
        gc.enable()


@model("failing/v1", features=("a",), results=("r",))
def failing(values: np.ndarray) -> dict[str, str]:
    raise ValueError(values)


def test_nothing_more_is_computed_when_nobody_waits():
    asked = []

    @feature("first/v1")
    def first(window: Window) -> float:
        asked.append("first")
        return 0.0

    @feature("second/v1")
    def second(window: Window) -> float:
        asked.append("second")
        return 0.0

    times, readings = np.zeros(1, np.int64), np.zeros((1, 4), np.float32)
    window = Windows(DEMO_SENSORS, np.array([0]), np.array([1]), times, readings)
    with pytest.raises(AbandonedError):
        feature_matrix([first, second], window, lambda: not asked)
    assert asked == ["first"]


@pytest.mark.parametrize("name", ["spread", "spread/1", "/v1", "a b/v1", "a/b/v1", "a/v", ""])
def test_a_feature_without_a_version_in_its_name_is_refused(name):
    with pytest.raises(ValueError, match="the name of a feature ends in its version"):
        feature(name)(len)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (7, "is neither a feature nor a sequence of features"),
        ([spread, 7], "is neither a feature nor a sequence of features"),
        ([], "must hold at least one feature, each name once"),
        ([spread, spread], "must hold at least one feature, each name once"),
    ],
)
def test_what_is_no_feature_cannot_be_served(plugin, value, reason):
    with pytest.raises(SettingsError, match=f"^--features-from plugin_of_a_test:PLUGIN {reason}$"):
        load_features(plugin(value), DEMO_SENSORS)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("no_such_module:x", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("json:x", "cannot be loaded: AttributeError"),
        ("json:", "must be written module:name"),
        (":x", "must be written module:name"),
    ],
)
def test_a_name_that_is_not_there_is_an_error_of_one_line(source, reason):
    for load, setting in ((partial(load_features, sensors=DEMO_SENSORS), "--features-from"), (load_model, "--model")):
        with pytest.raises(SettingsError, match=reason) as refused:
            load(source)
        assert str(refused.value).startswith(setting)
        assert "\n" not in str(refused.value)


def test_what_is_no_model_cannot_be_served(plugin):
    with pytest.raises(SettingsError, match=r"^--model plugin_of_a_test:PLUGIN is not a model$"):
        load_model(plugin(spread))


def test_a_module_in_the_current_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "features_beside_me.py").write_text(
        "from grpc_services.python.features import feature\n"
        "@feature('events/v1')\ndef events(window):\n    return len(window)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    assert [one.name for one in load_features("features_beside_me:events", DEMO_SENSORS)] == ["events/v1"]


def test_a_model_of_an_artifact_has_its_id_weights_and_order(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"id": "mine/v7", "intercept": -1, "weights": {"b/v1": 2, "a/v1": 0.5}}))
    mine = load_model(str(path))
    assert (mine.model_id, mine.features) == ("mine/v7", ("b/v1", "a/v1"))
    assert mine.predictions(np.array([[0.5, 0.0]], np.float32)) == ([["0.5"]], {})


@pytest.mark.parametrize(
    "artifact",
    [
        "",
        "[]",
        "{}",
        '{"id": "a", "intercept": 0, "weights": {}}',
        '{"id": "", "intercept": 0, "weights": {"a": 1}}',
        '{"id": "a", "intercept": true, "weights": {"a": 1}}',
        '{"id": "a", "intercept": 0, "weights": {"a": NaN}}',
        '{"id": "a", "intercept": 0, "weights": {"a": 1e999}}',
        '{"id": "a", "intercept": 0, "weights": {"a": 1' + "0" * 400 + "}}",
        '{"id": "a", "intercept": 0, "weights": {"a": 1, "a": 2}}',
        '{"id": "a", "intercept": 0, "weights": {"a": 1}, "more": 1}',
        "[" * 100_000,
    ],
)
def test_an_artifact_that_is_none_is_refused(tmp_path, artifact):
    path = tmp_path / "model.json"
    path.write_text(artifact)
    with pytest.raises(SettingsError, match=f"^--model {path} is not an artifact: "):
        load_model(str(path))


def test_an_artifact_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        load_model(str(tmp_path / "model.json"))
