"""Models in ONNX files, run by onnxruntime, which is installed by whoever has such a model.

Each row is run alone: libraries of linear algebra add in another order in a batch of another size, and the answer to a
row must not depend on its neighbours, to the last bit.
"""

import json
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Final

import numpy as np

from grpc_services.python.models import Model
from grpc_services.python.windows import Float32s
from runtime.errors import SettingsError

__all__ = ["load_onnx"]

_SIDECAR: Final = ".json"

_NO_VERSION: Final = (1 << 63) - 1

_CLASS: Final = "_"
"""Between the name of an output and the class, where it gives a value for each class."""


def load_onnx(path: Path) -> Model:
    """The model of an ONNX file.

    Its features are the names of its inputs, if each takes one value a row. If it has one input for all of them, a file
    ``NAME.onnx.json`` beside it names them: ``{"features": ["sensor_1/v1", ...]}``; it may also give an ``id``, by
    default the name of the file with the version of the model. Its results are the names of its outputs; an output of
    several values a row is a result for each, ``probabilities_0`` and so on.

    Raises:
        SettingsError: onnxruntime is not installed, the file cannot be read, or the model cannot be asked row by row.
    """
    try:
        import onnxruntime
    except ImportError:
        raise SettingsError(
            f"--model {path} needs onnxruntime: pip install -c requirements/constraints.txt onnxruntime"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # calls are many, rows are small
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise SettingsError(f"--model {path}: {error.strerror}") from None
    except Exception as error:  # whatever a library finds in a file that is none
        raise SettingsError(f"--model {path} is no ONNX model: {' '.join(str(error).split())}") from None
    sidecar = _sidecar(Path(f"{path}{_SIDECAR}"))
    inputs = session.get_inputs()
    features = _features(path, inputs, sidecar)
    feed = _feed(inputs, features)

    def outputs(values: Float32s) -> dict[str, Any]:
        named: dict[str, Any] = {}
        answers: list[Any] = session.run(None, feed(values))
        for output, answer in zip(session.get_outputs(), answers, strict=True):
            named |= _named(output.name, answer)
        return named

    try:
        results = tuple(outputs(np.ones(len(features), np.float32)))
    except Exception as error:  # a model may ask for more than a row of numbers
        raise SettingsError(f"--model {path} cannot be asked about one row: {' '.join(str(error).split())}") from None
    version = session.get_modelmeta().version
    model_id = sidecar.get("id", f"{path.stem}/v{0 if version == _NO_VERSION else version}")
    try:
        return Model(model_id, features, results, outputs, takes_batch=False)
    except ValueError as error:
        raise SettingsError(f"--model {path}: {error}") from None


def _sidecar(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"--model {path} is no JSON: {error}") from None
    is_object = isinstance(found, dict) and set(found) <= {"id", "features"}
    texts = (found.get("id", "x"), *found.get("features", ())) if is_object else ()
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise SettingsError(f'--model {path} must be {{"id": …, "features": […]}}, both of texts')
    return found


def _features(path: Path, inputs: list[Any], sidecar: Mapping[str, Any]) -> tuple[str, ...]:
    for one in inputs:
        if one.type not in ("tensor(float)", "tensor(double)"):
            raise SettingsError(f"--model {path}: input {one.name} is {one.type}, not numbers")
        rows = one.shape[0] if len(one.shape) == 2 else 0
        if isinstance(rows, int) and rows != 1:
            raise SettingsError(f"--model {path}: input {one.name} has the shape {one.shape}, not [rows, features]")
    widths = [one.shape[1] for one in inputs]
    names = tuple(sidecar.get("features", ()))
    if len(inputs) > 1 or (not names and widths == [1]):
        if set(widths) != {1}:
            raise SettingsError(f"--model {path} must have one input of all features, or one of one column for each")
        return tuple(one.name for one in inputs)
    if not names:
        raise SettingsError(
            f'model: {path} does not say which features it reads: name them in {path}{_SIDECAR}, {{"features": […]}}'
        )
    if isinstance(widths[0], int) and widths[0] != len(names):
        raise SettingsError(f"--model {path} reads {widths[0]} features, {path}{_SIDECAR} names {len(names)}")
    return names


def _feed(inputs: list[Any], features: tuple[str, ...]) -> Callable[[Float32s], Any]:
    """What turns a row into the inputs of the model."""
    dtypes = [np.float64 if one.type == "tensor(double)" else np.float32 for one in inputs]
    if len(inputs) == 1:
        name, dtype = inputs[0].name, dtypes[0]
        return lambda row: {name: row.astype(dtype).reshape(1, len(features))}
    return lambda row: {
        one.name: np.full((1, 1), value, dtype) for one, value, dtype in zip(inputs, row, dtypes, strict=True)
    }


def _named(name: str, answer: Any) -> dict[str, Any]:
    """What an output says of the one row, by key; a label that is a number stays one."""
    if isinstance(answer, list):  # of maps from class to probability, as scikit-learn's exports have them
        [classes] = answer
        return {f"{name}{_CLASS}{key}": _value(value) for key, value in classes.items()}
    values = np.asarray(answer).reshape(-1)
    if len(values) == 1:
        return {name: _value(values[0])}
    return {f"{name}{_CLASS}{number}": _value(value) for number, value in enumerate(values)}


def _value(value: Any) -> str | float:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    number = float(value)
    if not isfinite(number):
        raise ValueError("its value is not finite")
    return number
