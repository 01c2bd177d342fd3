"""Tensors of the Open Inference Protocol: what is sent, and what each answer means."""

import struct
from array import array
from typing import Any

import numpy as np
import pytest

from dataflows.services.answers import Prediction, Refusal
from dataflows.services.chunks import Chunk, FeatureRows
from dataflows.services.errors import WrongAnswerError
from dataflows.services.open_tensors import ModelTensors, TensorError, read_outputs
from grpc_services.python.stubs.open_inference_pb2 import ModelInferRequest, ModelInferResponse, ModelMetadataResponse
from tests.dataflows.asking import EVALUATIONS
from tests.dataflows.open_server import tensor

ROWS = FeatureRows(Chunk(EVALUATIONS[:3]), ["a/v1", "b/v1"], array("f", [1, 2, 3, 4, 5, 6]).tobytes())
FEATURES = [{"a/v1": 1.0, "b/v1": 2.0}, {"a/v1": 3.0, "b/v1": 4.0}, {"a/v1": 5.0, "b/v1": 6.0}]


def tensors_of(*inputs: ModelMetadataResponse.TensorMetadata) -> ModelTensors:
    return ModelTensors.of(ModelMetadataResponse(inputs=inputs))


def sent(*inputs: ModelMetadataResponse.TensorMetadata) -> list[tuple[str, list[int], list[float]]]:
    request = ModelInferRequest.FromString(tensors_of(*inputs).request("m", "7", ROWS))
    assert (request.model_name, request.model_version) == ("m", "7")
    dtypes = {"FP32": "<f4", "FP64": "<f8"}
    return [
        (one.name, list(one.shape), np.frombuffer(raw, dtypes[one.datatype]).tolist())
        for one, raw in zip(request.inputs, request.raw_input_contents, strict=True)
    ]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([], [("input", [3, 2], [1, 2, 3, 4, 5, 6])]),
        ([tensor("x", "FP32", -1, 2)], [("x", [3, 2], [1, 2, 3, 4, 5, 6])]),
        ([tensor("x", "FP64", -1, -1)], [("x", [3, 2], [1, 2, 3, 4, 5, 6])]),
        ([tensor("b/v1", "FP32", -1)], [("b/v1", [3], [2, 4, 6])]),
        (
            [tensor("b/v1", "FP64", -1, 1), tensor("a/v1", "FP32", -1)],
            [("b/v1", [3, 1], [2, 4, 6]), ("a/v1", [3], [1, 3, 5])],
        ),
    ],
)
def test_features_are_one_tensor_or_an_input_each_as_the_metadata_say(inputs: list[Any], expected: list[Any]) -> None:
    assert sent(*inputs) == expected
    assert tensors_of(*inputs).misfit(ROWS.names) is None


def test_outputs_that_the_metadata_declare_are_asked_for() -> None:
    metadata = ModelMetadataResponse(outputs=[tensor("p", "FP32", -1), tensor("q", "FP32", -1)])
    request = ModelInferRequest.FromString(ModelTensors.of(metadata).request("m", "", ROWS))
    assert [one.name for one in request.outputs] == ["p", "q"]


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([tensor("x", "FP32", -1, 4)], "takes 4 features in x: the feature service has a/v1, b/v1"),
        ([tensor("x", "FP32", -1)], "takes 1 features in x: the feature service has a/v1, b/v1"),
        (
            [tensor("a/v1", "FP32", -1), tensor("c/v1", "FP32", -1)],
            "needs c/v1, which the feature service has not: it has a/v1, b/v1",
        ),
    ],
)
def test_a_model_for_other_features_is_told(inputs: list[Any], says: str) -> None:
    assert tensors_of(*inputs).misfit(ROWS.names) == says


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([tensor("x", "INT64", -1, 2)], "input x is INT64, not FP32 or FP64"),
        ([tensor("x", "FP32", 2, 2)], r"input x has the shape \[2, 2\], not \[-1, features\]"),
        ([tensor("x", "FP32", -1, 2, 2)], r"input x has the shape \[-1, 2, 2\]"),
        ([tensor("x", "FP32")], r"input x has the shape \[\]"),
        ([tensor("x", "FP32", -1, 2), tensor("y", "FP32", -1, 1)], "several inputs, and not each is for one feature"),
    ],
)
def test_a_model_of_something_else_is_refused(inputs: list[Any], says: str) -> None:
    with pytest.raises(TensorError, match=says):
        tensors_of(*inputs)


def test_a_model_of_one_row_a_request_is_asked_so() -> None:
    assert tensors_of(tensor("x", "FP32", -1, 2)).takes_many
    assert not tensors_of(tensor("x", "FP32", 1, 2)).takes_many


def answered(response: ModelInferResponse) -> list[Any]:
    return read_outputs(ROWS, response.SerializeToString(), "m", "9")


def response_of(name: str, datatype: str, shape: list[int], raw: bytes | None = None, **contents: Any) -> Any:
    response = ModelInferResponse()
    response.outputs.add(name=name, datatype=datatype, shape=shape, contents=contents)
    if raw is not None:
        response.raw_output_contents.append(raw)
    return response


BYTES = [b"low", b"", "größer".encode()]


@pytest.mark.parametrize(
    ("response", "texts"),
    [
        (response_of("p", "FP64", [3], fp64_contents=[0.1, 1e-20, 1 / 3]), ["0.1", "1e-20", "0.333333333"]),
        (response_of("p", "FP32", [3, 1], array("f", [0.5, -0.0, 3e9]).tobytes()), ["0.5", "-0", "3e+09"]),
        (response_of("p", "FP16", [3], np.array([1, 2, 0.1], "<f2").tobytes()), ["1", "2", "0.0999755859"]),
        (response_of("p", "INT64", [3], int64_contents=[1 << 60, 0, -1]), ["1152921504606846976", "0", "-1"]),
        (response_of("p", "UINT8", [3], b"\x00\x01\xff"), ["0", "1", "255"]),
        (response_of("p", "BOOL", [3], bool_contents=[True, False, True]), ["true", "false", "true"]),
        (response_of("p", "BYTES", [3], bytes_contents=BYTES), ["low", "", "größer"]),
        (
            response_of("p", "BYTES", [3], b"".join(struct.pack("<I", len(one)) + one for one in BYTES)),
            ["low", "", "größer"],
        ),
    ],
)
def test_an_output_of_any_datatype_is_a_text_a_row(response: ModelInferResponse, texts: list[str]) -> None:
    assert answered(response) == [
        Prediction(features, "m/9", {"p": text}) for features, text in zip(FEATURES, texts, strict=True)
    ]


def test_an_output_of_several_columns_is_a_result_for_each_and_the_answer_says_its_version() -> None:
    response = response_of("p", "FP32", [3, 2], fp32_contents=[1, 2, 3, 4, 5, 6])
    response.model_version = "10"
    assert answered(response)[1] == Prediction(FEATURES[1], "m/10", {"p[0]": "3", "p[1]": "4"})


def test_a_row_whose_value_is_not_finite_is_refused_alone() -> None:
    nan, inf = float("nan"), float("inf")
    found = answered(response_of("p", "FP32", [3, 2], fp32_contents=[1, 2, 3, nan, inf, nan]))
    assert found == [
        Prediction(FEATURES[0], "m/9", {"p[0]": "1", "p[1]": "2"}),
        Refusal("INTERNAL", "inference", "result: p[1] is not finite"),
        Refusal("INTERNAL", "inference", "result: p[0] is not finite"),
    ]


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (ModelInferResponse(), "a prediction without an output"),
        (response_of("p", "FP32", [2], fp32_contents=[1, 2]), r"p of 2 values in the shape \[2\] to 3 rows"),
        (response_of("p", "FP32", [3], fp32_contents=[1, 2]), r"p of 2 values in the shape \[3\] to 3 rows"),
        (response_of("p", "FP32", [], fp32_contents=[1]), r"p of 1 values in the shape \[\] to 3 rows"),
        (response_of("p", "FP32", [3, 1 << 50], fp32_contents=[1]), "p of 1 values in the shape"),
        (response_of("p", "FP32", [3], b"12345"), "an output p whose bytes are no FP32"),
        (response_of("p", "BYTES", [3], b"\x09\x00\x00\x00cut"), "an output p whose bytes are no BYTES"),
        (response_of("p", "BF16", [3], b"123456"), "an output p of the datatype BF16"),
    ],
)
def test_an_answer_that_cannot_be_right_fails_the_run(response: ModelInferResponse, says: str) -> None:
    with pytest.raises(WrongAnswerError, match=says):
        answered(response)


def test_an_output_that_is_there_twice_is_refused() -> None:
    response = response_of("p", "FP32", [3], fp32_contents=[1, 2, 3])
    response.outputs.append(response.outputs[0])
    assert answered(response) == [Refusal("INTERNAL", "inference", "result: p is repeated")] * 3
