"""The same fault of a window has the same words, in both languages, whichever way a service is asked."""

from collections.abc import Callable, Iterator
from math import inf, nan

import grpc
import numpy as np
import pytest

from grpc_services.python.stubs import mlpipeline_pb2, mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc
from tests.grpc_services.python.messages import window_batch

NAMES = [f"sensor_{number}/v1" for number in range(1, 5)]
Reading = tuple[float, float, float, float]


def words(call: Callable[[], object]) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return f"{caught.value.code().name}: {caught.value.details()}"


def words_of_a_row(answer: batch_pb2.FeatureBatch | batch_pb2.PredictionBatch) -> str:
    [error] = answer.error
    [status] = [status for status in grpc.StatusCode if status.value[0] == error.code]
    return f"{status.name}: {error.message}"


def words_of_a_window(channel: grpc.Channel, readings: list[Reading]) -> Iterator[str]:
    """What the feature service says, in each of the three ways."""
    events = [
        mlpipeline_pb2.RawEvent(time=time, sensor1=s1, sensor2=s2, sensor3=s3, sensor4=s4)
        for time, (s1, s2, s3, s4) in enumerate(readings)
    ]
    original = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel)
    yield words(lambda: original.engineerFeatures(mlpipeline_pb2.RawEventList(event=events)))
    window = [(time, *reading) for time, reading in enumerate(readings)]
    request = window_batch([[(0, 1.0, 2.0, 3.0, 4.0)], window])
    batches = batch_pb2_grpc.FeatureServiceStub(channel)
    yield words_of_a_row(batches.EngineerFeatures(request))
    [answer] = batches.StreamFeatures(iter([request]))
    yield words_of_a_row(answer)


def words_of_features(channel: grpc.Channel, features: list[tuple[str, float]]) -> Iterator[str]:
    """What the inference service says, in each of the three ways."""
    original = mlpipeline_pb2_grpc.PredictionServiceStub(channel)
    pairs = [mlpipeline_pb2.Feature(name=name, value=value) for name, value in features]
    yield words(lambda: original.predict(mlpipeline_pb2.FeatureList(feature=pairs)))
    request = batch_pb2.FeatureBatch(
        rows=1,
        name=[name for name, _ in features],
        values=np.array([value for _, value in features], "<f4").tobytes(),
    )
    batches = batch_pb2_grpc.InferenceServiceStub(channel)
    for call in (lambda: batches.Predict(request), lambda: next(batches.StreamPredictions(iter([request])))):
        try:
            answer = call()
        except grpc.RpcError as error:
            yield f"{error.code().name}: {error.details()}"
        else:
            yield words_of_a_row(answer)


@pytest.mark.parametrize("language", ["python", "java"])
@pytest.mark.parametrize(
    ("readings", "said"),
    [
        ([], "INVALID_ARGUMENT: event: the window holds no event"),
        ([(0, 0, 0, 0), (0, 0, nan, 0)], "INVALID_ARGUMENT: sensor3: not finite in event 1 of the window"),
        ([(0, 0, 0, inf), (0, inf, 0, 0)], "INVALID_ARGUMENT: sensor2: not finite in event 1 of the window"),
    ],
)
def test_a_window_that_cannot_be_answered_is_refused_in_the_same_words(
    language: str, readings: list[Reading], said: str, servers: dict[tuple[str, str, str], str]
) -> None:
    with grpc.insecure_channel(servers[language, "features", "plain"]) as channel:
        assert list(words_of_a_window(channel, readings)) == [said] * 3


@pytest.mark.parametrize("language", ["python", "java"])
@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([(name, 0.0) for name in NAMES[:3]], "INVALID_ARGUMENT: feature: sensor_4/v1 is missing"),
        ([(name, nan) for name in NAMES[:3]], "INVALID_ARGUMENT: feature: sensor_4/v1 is missing"),
        ([(name, 0.0) for name in [*NAMES, NAMES[1]]], "INVALID_ARGUMENT: feature: sensor_2/v1 is repeated"),
        ([(name, -inf) for name in NAMES], "INVALID_ARGUMENT: feature: sensor_1/v1 is not finite"),
    ],
)
def test_features_that_cannot_be_answered_are_refused_in_the_same_words(
    language: str, features: list[tuple[str, float]], said: str, servers: dict[tuple[str, str, str], str]
) -> None:
    with grpc.insecure_channel(servers[language, "inference", "plain"]) as channel:
        assert list(words_of_features(channel, features)) == [said] * 3
