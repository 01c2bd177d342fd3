"""The original demo's messages, one window each."""

from dataflows.services.answers import Prediction, Refusal
from dataflows.services.chunks import Chunk
from dataflows.services.original_methods import ORIGINAL_ENGINEER_FEATURES, ORIGINAL_PREDICT
from grpc_services.python.stubs import mlpipeline_pb2
from tests.dataflows.asking import EVALUATIONS
from window_core import DEMO_SENSORS

WINDOW = Chunk(EVALUATIONS[2:3])


def features_of(*pairs: tuple[str, float]) -> bytes:
    features = [mlpipeline_pb2.Feature(name=name, value=value) for name, value in pairs]
    return mlpipeline_pb2.FeatureList(device_id="d", feature=features).SerializeToString()


def test_a_window_goes_and_comes_back_as_a_prediction() -> None:
    events = mlpipeline_pb2.RawEventList.FromString(ORIGINAL_ENGINEER_FEATURES.request(WINDOW))
    assert (events.device_id, {event.device_id for event in events.event}) == ("d", {"d"})
    rows = [(event.time, event.sensor1, event.sensor2, event.sensor3, event.sensor4) for event in events.event]
    times, readings = EVALUATIONS[2].window()
    assert rows == [(time_ms, *DEMO_SENSORS.readings(readings[16 * row :][:16])) for row, time_ms in enumerate(times)]
    answer = features_of(("a/v1", 0.5), ("b/v1", 2.0))
    [features] = ORIGINAL_ENGINEER_FEATURES.read(WINDOW, answer)
    assert ORIGINAL_PREDICT.request(features.rows) == answer
    prediction = mlpipeline_pb2.Prediction(modelId="m/v1", deviceId="d", result={"k": "1"}).SerializeToString()
    assert ORIGINAL_PREDICT.read(features.rows, prediction) == [
        Prediction({"a/v1": 0.5, "b/v1": 2.0}, "m/v1", {"k": "1"})
    ]


def test_features_that_cannot_stand_in_an_output_are_refused() -> None:
    for pairs, message in (
        ([("a/v1", 1.0), ("a/v1", 2.0)], "feature: a/v1 is repeated"),
        ([("a/v1", float("nan"))], "feature: a/v1 is not finite"),
    ):
        [features] = ORIGINAL_ENGINEER_FEATURES.read(WINDOW, features_of(*pairs))
        [answer] = features.completed([])
        assert isinstance(answer, Refusal)
        assert (answer.status, answer.message) == ("INTERNAL", message)
        assert len(features.rows) == 0
