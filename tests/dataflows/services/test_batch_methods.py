"""Answers of ``latecomer.v1`` from bytes to values."""

from array import array
from typing import Any

import pytest

from dataflows.services.answers import Prediction, Refusal
from dataflows.services.batch_methods import read_features, read_predictions, read_streamed_features
from dataflows.services.chunks import Chunk, FeatureRows
from dataflows.services.errors import WrongAnswerError
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureBatch, PredictionBatch, RowError
from tests.dataflows.asking import EVALUATIONS

CHUNK = Chunk(EVALUATIONS[:3])


def feature_batch(**changes: Any) -> FeatureBatch:
    fields = {
        "rows": 3,
        "name": ["a/v1", "b/v1"],
        "values": array("f", [1, 2, 3, 4, 5, 6]).tobytes(),
    }
    return FeatureBatch(**fields | changes)


def test_features_are_read_and_passed_on_as_they_came() -> None:
    answer = feature_batch().SerializeToString()
    features = read_features(CHUNK, answer)
    assert features.refusals == {}
    assert features.rows.lists() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert features.rows.serialised() == answer


def test_rows_that_failed_are_refused_and_not_passed_on() -> None:
    errors = [RowError(row=1, code=3, message="sensor2: not finite")]
    features = read_features(CHUNK, feature_batch(error=errors).SerializeToString())
    assert features.refusals == {1: Refusal("INVALID_ARGUMENT", "features", "sensor2: not finite")}
    assert features.rows.chunk.evaluations == [EVALUATIONS[0], EVALUATIONS[2]]
    assert FeatureBatch.FromString(features.rows.serialised()) == FeatureBatch(
        rows=2,
        name=["a/v1", "b/v1"],
        values=array("f", [1, 2, 5, 6]).tobytes(),
    )


def test_rows_that_a_stream_does_not_hold_are_told_and_the_others_are_a_chunk_of_their_own() -> None:
    errors = [RowError(row=0, code=5, message="column: 7 is not held"), RowError(row=2, code=3, message="not finite")]
    features, not_held = read_streamed_features(CHUNK, feature_batch(error=errors).SerializeToString())
    assert not_held == {0}
    assert features.refusals == {1: Refusal("INVALID_ARGUMENT", "features", "not finite")}
    assert features.rows.chunk.evaluations == [EVALUATIONS[1]]
    assert features.rows.lists() == [[3.0, 4.0]]
    answer = feature_batch().SerializeToString()
    assert read_streamed_features(CHUNK, answer) == (read_features(CHUNK, answer), set())


@pytest.mark.parametrize("values", [b"", bytes(23), bytes(25), bytes(28)])
def test_values_of_another_size_are_no_answer(values: bytes) -> None:
    with pytest.raises(WrongAnswerError):
        read_features(CHUNK, feature_batch(values=values).SerializeToString())


def test_predictions_are_read_with_the_features_that_they_were_made_of() -> None:
    rows = FeatureRows(CHUNK, ["a/v1"], array("f", [1, 2, 3]).tobytes())
    batch = PredictionBatch(
        rows=3,
        model_id="m/v1",
        key=["k", "l"],
        value=["1", "2", "", "", "5", "6"],
        error=[RowError(row=1, code=13, message="model m/v1 failed on this row")],
    )
    assert read_predictions(rows, batch.SerializeToString()) == [
        Prediction({"a/v1": 1.0}, "m/v1", {"k": "1", "l": "2"}),
        Refusal("INTERNAL", "inference", "model m/v1 failed on this row"),
        Prediction({"a/v1": 3.0}, "m/v1", {"k": "5", "l": "6"}),
    ]


def test_a_model_without_results_predicts_nothing_for_each_row() -> None:
    rows = FeatureRows(CHUNK, ["a/v1"], array("f", [1, 2, 3]).tobytes())
    batch = PredictionBatch(rows=3, model_id="m/v1")
    answers = read_predictions(rows, batch.SerializeToString())
    assert answers == [Prediction({"a/v1": value}, "m/v1", {}) for value in (1.0, 2.0, 3.0)]
