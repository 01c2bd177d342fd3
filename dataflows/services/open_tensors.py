"""Features as tensors of the Open Inference Protocol, and tensors as results. No I/O.

A model takes all features of a window as a row of one tensor, ``[rows, features]``, or an input for each, ``[rows]`` or
``[rows, 1]``, which bears the name of its feature. Its metadata says which.
"""

import struct
from collections.abc import Iterator, Sequence
from math import isfinite, prod
from typing import Final, NamedTuple

import grpc
import numpy as np

from dataflows.services.answer_checks import Answered, checked
from dataflows.services.answers import Answer, Prediction
from dataflows.services.chunks import FeatureRows
from dataflows.services.descriptions import listed
from dataflows.services.errors import WrongAnswerError
from dataflows.services.methods import decoded
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import RowError
from grpc_services.python.stubs.open_inference_pb2 import ModelInferRequest, ModelInferResponse, ModelMetadataResponse

__all__ = ["ModelTensors", "TensorError", "read_outputs"]

_INPUT_DTYPES: Final = {"FP32": "<f4", "FP64": "<f8"}

_DTYPES: Final = {
    "BOOL": "?", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "<u1", "UINT16": "<u2",
    "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""Of raw contents, by datatype. BYTES are not here: each has its length before it."""

_CONTENTS: Final = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip
"""The field of contents, by datatype."""

_UNNAMED: Final = "input"
"""The one tensor of a model whose metadata names no input."""

Value = bool | int | float | bytes


class TensorError(Exception):
    """A model takes something else than rows of numbers; the message says what."""


class _Input(NamedTuple):
    """
    Attributes:
        width: features in a row; ``None``: any number.
        is_flat: its shape is ``[rows]``.
    """

    name: str
    datatype: str
    width: int | None
    is_flat: bool


class ModelTensors(NamedTuple):
    """What a model takes and gives.

    Attributes:
        inputs: one for all features, or one for each.
        outputs: the names of those that it declares.
        takes_many: whether a request may hold several rows.
    """

    inputs: Sequence[_Input]
    outputs: Sequence[str]
    takes_many: bool

    @classmethod
    def of(cls, metadata: ModelMetadataResponse) -> "ModelTensors":
        """Those of a model, by what its server says.

        Raises:
            TensorError: it takes something else.
        """
        outputs = [one.name for one in metadata.outputs]
        if not metadata.inputs:
            return cls((_Input(_UNNAMED, "FP32", None, is_flat=False),), outputs, takes_many=True)
        takes_many = True
        inputs = []
        for one in metadata.inputs:
            shape = list(one.shape)
            if len(shape) not in (1, 2) or shape[0] not in (-1, 1) or shape[-1] == 0:
                raise TensorError(f"input {one.name} has the shape {shape}, not [-1, features]")
            if one.datatype not in _INPUT_DTYPES:
                raise TensorError(f"input {one.name} is {one.datatype}, not FP32 or FP64")
            takes_many = takes_many and shape[0] == -1
            width = 1 if len(shape) == 1 else shape[1]
            inputs.append(_Input(one.name, one.datatype, None if width < 0 else width, is_flat=len(shape) == 1))
        if len(inputs) > 1 and any(one.width != 1 for one in inputs):
            raise TensorError("it has several inputs, and not each is for one feature")
        return cls(inputs, outputs, takes_many)

    def is_each(self, features: Sequence[str]) -> bool:
        """Whether each input is for the feature of its name."""
        return all(one.width == 1 and one.name in features for one in self.inputs)

    def misfit(self, features: Sequence[str]) -> str | None:
        """Why the model cannot be asked about these features; ``None`` if it can."""
        if self.is_each(features):
            return None
        if len(self.inputs) > 1:
            missing = next(one.name for one in self.inputs if one.name not in features)
            return f"needs {missing}, which the feature service has not: it has {listed(features)}"
        [one] = self.inputs
        if one.width not in (None, len(features)):
            return f"takes {one.width} features in {one.name}: the feature service has {listed(features)}"
        return None

    def request(self, model: str, version: str, rows: FeatureRows) -> bytes:
        """A serialised request about features, which fit."""
        request = ModelInferRequest(model_name=model, model_version=version)
        for name in self.outputs:
            request.outputs.add(name=name)
        matrix = np.frombuffer(rows.values, "<f4").reshape(len(rows), len(rows.names))
        names = list(rows.names)
        is_each = self.is_each(names)
        for one in self.inputs:
            values = matrix[:, names.index(one.name)].reshape(-1, 1) if is_each else matrix
            shape = [len(rows)] if one.is_flat else list(values.shape)
            request.inputs.add(name=one.name, datatype=one.datatype, shape=shape)
            request.raw_input_contents.append(values.astype(_INPUT_DTYPES[one.datatype]).tobytes())
        return request.SerializeToString()


def read_outputs(rows: FeatureRows, answer: bytes, model: str, version: str) -> list[Answer]:
    """The answer to each row: a result for each output, or for each of its columns, ``name[0]`` and so on.

    Args:
        rows: what was asked about.
        answer: a serialised ``ModelInferResponse``.
        model: its name.
        version: its version, where the answer gives none.
    Raises:
        WrongAnswerError: it is no answer to these rows.
    """
    response = decoded(answer, ModelInferResponse)
    keys: list[str] = []
    columns: list[Sequence[Value]] = []
    for number, output in enumerate(response.outputs):
        values, shape = _values(output, response.raw_output_contents, number), list(output.shape)
        width = prod(shape[1:])
        if shape[:1] != [len(rows)] or len(values) != len(rows) * width:
            raise WrongAnswerError(
                f"an output {output.name} of {len(values)} values in the shape {shape} to {len(rows)} rows of features"
            )
        keys += [output.name] if width == 1 else [f"{output.name}[{column}]" for column in range(width)]
        columns += [values[column::width] for column in range(width)]
    if not keys:
        raise WrongAnswerError("a prediction without an output")
    errors = list(_not_finite(keys, columns))
    refusals, _ = checked(Answered("inference", len(rows), len(rows), keys, len(rows) * len(keys), errors))
    version = response.model_version or version
    model_id = f"{model}/{version}" if version else model
    texts = zip(*(map(_text, column) for column in columns), strict=True)
    answers: list[Answer] = [
        Prediction(dict(zip(rows.names, features, strict=True)), model_id, dict(zip(keys, row, strict=True)))
        for features, row in zip(rows.lists(), texts, strict=True)
    ]
    for row, refusal in refusals.items():
        answers[row] = refusal
    return answers


def _values(output: ModelInferResponse.InferOutputTensor, raw: Sequence[bytes], number: int) -> Sequence[Value]:
    """The elements of an output, row by row.

    Raises:
        WrongAnswerError: it has none that can be read.
    """
    datatype = output.datatype
    if not raw and datatype in _CONTENTS:
        found: Sequence[Value] = getattr(output.contents, _CONTENTS[datatype])
        return found
    try:
        if datatype == "BYTES":
            return list(_texts(raw[number]))
        values: Sequence[Value] = np.frombuffer(raw[number], _DTYPES[datatype]).tolist()
    except KeyError:
        raise WrongAnswerError(f"an output {output.name} of the datatype {datatype}") from None
    except (IndexError, ValueError, struct.error):
        raise WrongAnswerError(f"an output {output.name} whose bytes are no {datatype}") from None
    return values


def _texts(raw: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(raw):
        [size] = struct.unpack_from("<I", raw, place)
        place += 4 + size
        if place > len(raw):
            raise ValueError("cut")
        yield raw[place - size : place]


def _not_finite(keys: Sequence[str], columns: Sequence[Sequence[Value]]) -> Iterator[RowError]:
    code = grpc.StatusCode.INTERNAL.value[0]
    for key, column in zip(keys, columns, strict=True):
        for row, value in enumerate(column):
            if isinstance(value, float) and not isfinite(value):
                yield RowError(row=row, code=code, message=f"result: {key} is not finite")


def _text(value: Value) -> str:
    """As a result of ours is written: a number as C's ``%.9g`` prints it."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.9g}" if isinstance(value, float) else str(value)
