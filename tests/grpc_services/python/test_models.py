"""Models of a user's own: served, and failing row by row."""

import numpy as np
import pytest

from grpc_services.python.models import batch_model, model
from grpc_services.python.stubs import mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2_grpc
from tests.grpc_services.python.messages import error_texts, feature_batch, feature_list


@model("picky_model/v3", features=["b/v1", "a/v1"], results=["z", "text"])
def picky_model(values):
    if values[0] == 13:
        raise LookupError("unlucky")
    return {"text": f"b is {values[0]:g}", "z": values[0] / values[1]}


@batch_model("batch_model/v1", features=["b/v1", "a/v1"], results=["z", "text"])
def a_batch_model(values):
    rows = values.tolist()
    return {"z": [b / a for b, a in rows], "text": [f"b is {b:g}" for b, _ in rows]}


def test_models_of_ones_own_are_served_and_fail_row_by_row(started, plugin, caplog):
    _, channel = started("inference", model=plugin(picky_model))
    batch = feature_batch([[2, 1, 9], [0, 1, 9], [4, 13, 9]], ["a/v1", "b/v1", "c/v1"])
    answer = batch_pb2_grpc.InferenceServiceStub(channel).Predict(batch)
    assert answer.model_id == "picky_model/v3"
    assert list(answer.key) == ["text", "z"]
    assert list(answer.value) == ["b is 1", "0.5", "", "", "", ""]
    assert error_texts(answer) == {
        1: "model picky_model/v3: its value is neither a text nor a finite number",
        2: "model picky_model/v3 failed on this row",
    }
    assert "unlucky" in caplog.text
    alone = mlpipeline_pb2_grpc.PredictionServiceStub(channel).predict(feature_list([2, 1], ["a/v1", "b/v1"]))
    assert dict(alone.result) == {"text": "b is 1", "z": "0.5"}


def test_a_model_of_many_rows_that_fails_is_asked_row_by_row(started, plugin):
    _, channel = started("inference", model=plugin(a_batch_model))
    batch = feature_batch([[2, 1], [0, 1], [3, 1]], ["a/v1", "b/v1"])
    answer = batch_pb2_grpc.InferenceServiceStub(channel).Predict(batch)
    assert list(answer.value) == ["b is 1", "0.5", "", "", "b is 1", "0.333333333"]
    assert error_texts(answer) == {1: "model batch_model/v1 failed on this row"}


@pytest.mark.parametrize("result", [{"other": 1.0}, {"z": [1.0]}, {"z": None}, {"z": "\ud800"}, {"z": True, "y": 1}])
def test_a_result_that_cannot_be_sent_fails_its_row(result):
    one = model("m/v1", features=["a/v1"], results=["z"])(lambda values: result)
    texts, errors = one.predictions(np.zeros((1, 1), np.float32))
    assert texts == [[""]]
    assert str(errors[0]).startswith("model m/v1")
