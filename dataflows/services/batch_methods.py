"""The methods of ``latecomer.v1``, which are asked about many windows at once."""

from typing import Final

from dataflows.services.answer_checks import Answered, Checked, checked
from dataflows.services.answers import Answer, Prediction, Refusal
from dataflows.services.chunks import Chunk, FeatureRows, Features
from dataflows.services.methods import Method, decoded
from dataflows.services.window_request import window_request
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureBatch, PredictionBatch, WindowBatch
from window_core import Sensors

__all__ = [
    "DESCRIBE_FEATURES",
    "DESCRIBE_INFERENCE",
    "PREDICT",
    "STREAM_FEATURES",
    "STREAM_PREDICTIONS",
    "engineer_features",
    "read_features",
    "read_predictions",
    "read_streamed_features",
    "with_trace_parent",
]

_FLOAT32_BYTES: Final = 4


def read_features(chunk: Chunk, answer: bytes) -> Features:
    """The features of a chunk, from a serialised ``FeatureBatch``.

    Raises:
        AskAgainError: a row failed with a status that may pass.
        WrongAnswerError: it is no answer to this chunk.
    """
    rows, checked_rows = _read_features(chunk, answer, is_streamed=False)
    return _features(rows, checked_rows.refusals)


def read_streamed_features(chunk: Chunk, answer: bytes) -> tuple[Features, set[int]]:
    """As above, of an answer on a stream; and the rows whose columns the server does not hold.

    The features are those of the chunk without these rows.
    """
    rows, (refusals, not_held) = _read_features(chunk, answer, is_streamed=True)
    if not_held:
        held = [row for row in range(len(chunk)) if row not in not_held]
        rows = rows.chosen(held)
        refusals = {place: refusals[row] for place, row in enumerate(held) if row in refusals}
    return _features(rows, refusals), not_held


def _read_features(chunk: Chunk, answer: bytes, *, is_streamed: bool) -> tuple[FeatureRows, Checked]:
    batch = decoded(answer, FeatureBatch)
    names, values = list(batch.name), batch.values
    cells, rest = divmod(len(values), _FLOAT32_BYTES)
    found = checked(
        Answered("features", len(chunk), batch.rows, names, None if rest else cells, batch.error, values, is_streamed)
    )
    return FeatureRows(chunk, names, values, answer), found


def _features(rows: FeatureRows, refusals: dict[int, Refusal]) -> Features:
    if refusals:
        rows = rows.chosen([row for row in range(len(rows)) if row not in refusals])
    return Features(rows, refusals)


def read_predictions(rows: FeatureRows, answer: bytes) -> list[Answer]:
    """The answer to each row, from a serialised ``PredictionBatch``.

    Raises:
        AskAgainError: a row failed with a status that may pass.
        WrongAnswerError: it is no answer to these rows.
    """
    batch = decoded(answer, PredictionBatch)
    names, keys, texts, model_id = rows.names, list(batch.key), list(batch.value), batch.model_id
    refusals, _ = checked(Answered("inference", len(rows), batch.rows, keys, len(texts), batch.error))
    texts_of_rows = zip(*[iter(texts)] * len(keys), strict=True) if keys else [()] * len(rows)
    answers: list[Answer] = [
        Prediction(dict(zip(names, values, strict=True)), model_id, dict(zip(keys, row_texts, strict=True)))
        for values, row_texts in zip(rows.lists(), texts_of_rows, strict=True)
    ]
    for row, refusal in refusals.items():
        answers[row] = refusal
    return answers


def engineer_features(sensors: Sensors) -> Method[Chunk, Features]:
    """The method for windows of these sensors."""
    return Method(
        path="/latecomer.v1.FeatureService/EngineerFeatures",
        request=lambda chunk: window_request(chunk, sensors),
        read=lambda chunk, answer: [read_features(chunk, answer)],
        refused=Features.refused,
    )


PREDICT: Final[Method[FeatureRows, Answer]] = Method(
    path="/latecomer.v1.InferenceService/Predict",
    request=FeatureRows.serialised,
    read=read_predictions,
    refused=lambda _, refusal: refusal,
)

DESCRIBE_FEATURES: Final = "/latecomer.v1.FeatureService/Describe"
DESCRIBE_INFERENCE: Final = "/latecomer.v1.InferenceService/Describe"

STREAM_FEATURES: Final = "/latecomer.v1.FeatureService/StreamFeatures"
STREAM_PREDICTIONS: Final = "/latecomer.v1.InferenceService/StreamPredictions"

_REQUESTS: Final = {STREAM_FEATURES: WindowBatch, STREAM_PREDICTIONS: FeatureBatch}


def with_trace_parent(path: str, request: bytes, parent: str) -> bytes:
    """A serialised request of a stream that names its span. Source: protobuf's encoding, "Last One Wins"."""
    appended: bytes = _REQUESTS[path](trace_parent=parent.encode()).SerializeToString()
    return request + appended
