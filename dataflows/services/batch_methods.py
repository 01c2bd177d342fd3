"""The methods of ``latecomer.v1``, which are asked about many windows at once."""

from typing import Final

from dataflows.services.answer_checks import Answered, checked
from dataflows.services.answers import Answer, Prediction
from dataflows.services.chunks import Chunk, FeatureRows, Features
from dataflows.services.methods import Method, decoded
from dataflows.services.window_request import window_request
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureBatch, PredictionBatch

__all__ = ["ENGINEER_FEATURES", "PREDICT", "STREAM_FEATURES", "STREAM_PREDICTIONS", "read_features", "read_predictions"]

_FLOAT32_BYTES: Final = 4


def read_features(chunk: Chunk, answer: bytes) -> Features:
    """The features of a chunk, from a serialised ``FeatureBatch``.

    Raises:
        AskAgainError: a row failed with a status that may pass.
        WrongAnswerError: it is no answer to this chunk.
    """
    batch = decoded(answer, FeatureBatch)
    names, values = list(batch.name), batch.values
    cells, rest = divmod(len(values), _FLOAT32_BYTES)
    refusals = checked(
        Answered("features", chunk.ids, batch.evaluation_id, names, None if rest else cells, batch.error, values)
    )
    if not refusals and len(batch.device_id) == len(chunk):
        return Features(FeatureRows(chunk, names, values, answer), refusals)
    rows = FeatureRows(chunk, names, values)
    return Features(rows.chosen([row for row in range(len(chunk)) if row not in refusals]), refusals)


def read_predictions(rows: FeatureRows, answer: bytes) -> list[Answer]:
    """The answer to each row, from a serialised ``PredictionBatch``.

    Raises:
        AskAgainError: a row failed with a status that may pass.
        WrongAnswerError: it is no answer to these rows.
    """
    batch = decoded(answer, PredictionBatch)
    names, keys, texts, model_id = rows.names, list(batch.key), list(batch.value), batch.model_id
    refusals = checked(Answered("inference", rows.chunk.ids, batch.evaluation_id, keys, len(texts), batch.error))
    texts_of_rows = zip(*[iter(texts)] * len(keys), strict=True) if keys else [()] * len(rows)
    answers: list[Answer] = [
        Prediction(dict(zip(names, values, strict=True)), model_id, dict(zip(keys, row_texts, strict=True)))
        for values, row_texts in zip(rows.lists(), texts_of_rows, strict=True)
    ]
    for row, refusal in refusals.items():
        answers[row] = refusal
    return answers


ENGINEER_FEATURES: Final[Method[Chunk, Features]] = Method(
    path="/latecomer.v1.FeatureService/EngineerFeatures",
    request=window_request,
    read=lambda chunk, answer: [read_features(chunk, answer)],
    refused=Features.refused,
)

PREDICT: Final[Method[FeatureRows, Answer]] = Method(
    path="/latecomer.v1.InferenceService/Predict",
    request=FeatureRows.serialised,
    read=read_predictions,
    refused=lambda _, refusal: refusal,
)

STREAM_FEATURES: Final = "/latecomer.v1.FeatureService/StreamFeatures"
STREAM_PREDICTIONS: Final = "/latecomer.v1.InferenceService/StreamPredictions"
