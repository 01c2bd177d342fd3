"""The logistic regression, loaded from an artifact: a JSON file with its id, its intercept and its weights.

Equal in every language: the score adds in double from the intercept, in the order of the weights, each product rounded
before it is added (numpy has no fused operation in ``*`` and ``+`` of arrays).
"""

import json
from math import exp, isfinite
from pathlib import Path
from typing import Any, Final

import numpy as np

from grpc_services.python.models import Model, batch_model
from grpc_services.python.windows import Float32s
from runtime.errors import SettingsError

__all__ = ["DEFAULT_ARTIFACT", "RESULT", "load_logistic_regression", "logistic", "logistic_regression"]

DEFAULT_ARTIFACT: Final = Path(__file__).parent / "artifacts" / "log_reg_model_v2.json"
"""The model of the original demo."""

RESULT: Final = "logistic_regression_result"


def logistic(score: float) -> float:
    """The logistic function, in the form of two sides: no score overflows.

    >>> logistic(0.0), logistic(800.0), logistic(-800.0)
    (0.5, 1.0, 0.0)
    """
    if score >= 0:
        return 1 / (1 + exp(-score))
    odds = exp(score)
    return odds / (1 + odds)


def logistic_regression(model_id: str, intercept: float, weights: dict[str, float]) -> Model:
    """The model with these weights, by the names of their features."""

    @batch_model(model_id, features=tuple(weights), results=(RESULT,))
    def function(values: Float32s) -> dict[str, list[float]]:
        scores = np.full(len(values), intercept)
        for weight, column in zip(weights.values(), values.T.astype(np.float64), strict=True):
            scores = scores + weight * column
        return {RESULT: [logistic(score) for score in scores.tolist()]}  # numpy's exp is not that of every language

    return function


def load_logistic_regression(path: Path) -> Model:
    """The model of an artifact file.

    Raises:
        SettingsError: the file cannot be read, or is not ``{"id": …, "intercept": …, "weights": {name: …}}``.
    """
    try:
        artifact = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_object)
        if not isinstance(artifact, dict) or set(artifact) != {"id", "intercept", "weights"}:
            raise ValueError("it must have id, intercept and weights, and nothing else")
        model_id, weights = artifact["id"], artifact["weights"]
        if not isinstance(model_id, str) or not model_id:
            raise ValueError("id must be a text")
        if not isinstance(weights, dict) or not weights or "" in weights:
            raise ValueError("weights must be an object with the name of a feature for each number")
        numbers = {name: _number(f"the weight of {name}", weight) for name, weight in weights.items()}
        return logistic_regression(model_id, _number("intercept", artifact["intercept"]), numbers)
    except OSError as error:
        raise SettingsError(f"--model {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"--model {path} is not an artifact: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a name stands in it twice")
    return dict(pairs)


def _number(what: str, value: object) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"{what} must be a number")
    assert isinstance(value, int | float)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise ValueError(f"{what} must be finite")
    return number
