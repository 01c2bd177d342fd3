"""The methods of the original demo, package ``mlpipeline``: one window at a time, of the demo's four sensors."""

from array import array
from typing import Final

from dataflows.services.answer_checks import Answered, checked
from dataflows.services.answers import Answer, Prediction
from dataflows.services.chunks import Chunk, FeatureRows, Features
from dataflows.services.methods import Method, decoded
from grpc_services.python.stubs.mlpipeline_pb2 import Feature, FeatureList, RawEvent, RawEventList
from grpc_services.python.stubs.mlpipeline_pb2 import Prediction as OriginalPrediction

__all__ = ["ORIGINAL_ENGINEER_FEATURES", "ORIGINAL_PREDICT"]


def _event_list(chunk: Chunk) -> bytes:
    [evaluation] = chunk.evaluations
    times, rows = evaluation.window()
    readings = iter(rows.cast("f").tolist())
    events = [
        RawEvent(device_id=evaluation.device_id, time=time, sensor1=s1, sensor2=s2, sensor3=s3, sensor4=s4)
        for time, s1, s2, s3, s4 in zip(times.tolist(), readings, readings, readings, readings, strict=True)
    ]
    return RawEventList(device_id=evaluation.device_id, event=events).SerializeToString()


def _read_features(chunk: Chunk, answer: bytes) -> list[Features]:
    features = decoded(answer, FeatureList).feature
    names = [feature.name for feature in features]
    values = array("f", (feature.value for feature in features)).tobytes()
    refusals, _ = checked(Answered("features", 1, 1, names, len(names), (), values))
    if refusals:
        return [Features.refused(chunk, refusals[0])]
    return [Features(FeatureRows(chunk, names, values), {})]


def _feature_list(rows: FeatureRows) -> bytes:
    [evaluation], [values] = rows.chunk.evaluations, rows.lists()
    features = [Feature(name=name, value=value) for name, value in zip(rows.names, values, strict=True)]
    return FeatureList(device_id=evaluation.device_id, feature=features).SerializeToString()


def _read_prediction(rows: FeatureRows, answer: bytes) -> list[Answer]:
    prediction = decoded(answer, OriginalPrediction)
    [values] = rows.lists()
    return [Prediction(dict(zip(rows.names, values, strict=True)), prediction.modelId, dict(prediction.result))]


ORIGINAL_ENGINEER_FEATURES: Final[Method[Chunk, Features]] = Method(
    path="/mlpipeline.FeatureEngineeringService/engineerFeatures",
    request=_event_list,
    read=_read_features,
    refused=Features.refused,
    takes_many=False,
)

ORIGINAL_PREDICT: Final[Method[FeatureRows, Answer]] = Method(
    path="/mlpipeline.PredictionService/predict",
    request=_feature_list,
    read=_read_prediction,
    refused=lambda _, refusal: refusal,
    takes_many=False,
)
