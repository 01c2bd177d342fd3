"""Both services asked about many chunks on one call each: the streams of ``latecomer.v1``.

The features that come out of one stream go straight into the other.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from dataflows.services.answers import Answer
from dataflows.services.batch_methods import (
    STREAM_FEATURES,
    STREAM_PREDICTIONS,
    read_features,
    read_predictions,
)
from dataflows.services.calls import Service
from dataflows.services.chunks import Chunk, Features
from dataflows.services.errors import AskAgainError, WrongAnswerError
from dataflows.services.window_request import window_request

__all__ = ["streamed_answers"]

_THE_STREAM_ENDS: Final = (AskAgainError, WrongAnswerError)
"""Chunks without an answer are asked about again by a call, where errors are told apart."""


def streamed_answers(
    feature_service: Service, inference_service: Service, chunks: Sequence[Chunk]
) -> Iterator[list[Answer]]:
    """The answers to the first chunks, for as long as both streams go well."""
    awaiting: deque[Features] = deque()  # their rows went to the inference service

    def feature_rows() -> Iterator[bytes]:  # gRPC runs this in a thread of its own
        answers = feature_service.stream(STREAM_FEATURES, map(window_request, chunks))
        for answer, chunk in zip(answers, chunks, strict=False):  # answers first: a stream is read to its end
            try:
                features = read_features(chunk, answer)
            except _THE_STREAM_ENDS:
                return
            awaiting.append(features)
            yield features.rows.serialised()

    for answer in inference_service.stream(STREAM_PREDICTIONS, feature_rows()):
        if not awaiting:
            return
        features = awaiting.popleft()
        try:
            predictions = read_predictions(features.rows, answer)
        except _THE_STREAM_ENDS:
            return
        yield features.completed(predictions)
