"""Models: named, versioned functions from features to a result of texts.

One of your own takes a few lines, in any module::

    from grpc_services.python.models import model

    @model("two_means/v1", features=("sensor_1/v1", "sensor_2/v1"), results=("larger",))
    def two_means(values):
        return {"larger": values.max()}

and is served by naming both: ``my_models:two_means``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from grpc_services.python.errors import RowErrors, UnavailableError, UnusableValueError, plugin_failures
from grpc_services.python.windows import Float32s

__all__ = ["Model", "UnavailableError", "Value", "batch_model", "model"]

Value: TypeAlias = str | float
"""One value of a result; a number is written as C's ``%.9g`` prints it, so it has to be finite."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model; made by ``@model``, ``@batch_model`` or from an artifact.

    Attributes:
        model_id: with its version, ``name/v1``.
        features: names of the features it reads, each once.
        results: keys of its result, the same for every row; sorted.
        function: of one row of features or, if ``takes_batch``, of many.
        takes_batch: whether the function is vectorised over many rows.
    """

    model_id: str
    features: tuple[str, ...]
    results: tuple[str, ...]
    function: Callable[[Float32s], Mapping[str, Any]]
    takes_batch: bool

    def __post_init__(self) -> None:
        if not self.model_id:
            raise ValueError("a model needs an id")
        for what, names in (("feature", self.features), ("result", self.results)):
            if not names or len(set(names)) < len(names) or not all(names):
                raise ValueError(f"model {self.model_id} needs at least one {what}, each with a name of its own")
        object.__setattr__(self, "results", tuple(sorted(self.results)))

    @np.errstate(all="ignore")  # what is divided by zero, or too large, is found in the values
    def predictions(self, values: Float32s) -> tuple[list[list[str]], RowErrors]:
        """The result of each row, in the order of ``results``, and the rows that failed, their texts empty.

        Args:
            values: float32, shape ``(rows, features)``, finite, in the order of ``features``.
        """
        if self.takes_batch and len(values):
            try:
                return self._batch_texts(values), {}
            except BaseException as error:  # whatever a user's code raises, an exit too; its rows are found below
                if len(values) == 1:
                    return [[""] * len(self.results)], plugin_failures(f"model {self.model_id}", {0: error})
        texts: list[list[str]] = []
        causes: dict[int, BaseException] = {}
        for row in range(len(values)):
            try:
                texts.append(self._row_texts(values, row))
            except BaseException as error:  # whatever a user's code raises, an exit too
                texts.append([""] * len(self.results))
                causes[row] = error
        return texts, plugin_failures(f"model {self.model_id}", causes)

    def _batch_texts(self, values: Float32s) -> list[list[str]]:
        result = self._checked(self.function(values))
        columns: list[list[str]] = []
        for key in self.results:
            column = result[key]
            if len(column) != len(values):
                raise UnusableValueError(f"{key} has {len(column)} values, not {len(values)}")
            columns.append([_text(value) for value in column])
        return [list(row) for row in zip(*columns, strict=True)]

    def _row_texts(self, values: Float32s, row: int) -> list[str]:
        if self.takes_batch:
            return self._batch_texts(values[row : row + 1])[0]
        result = self._checked(self.function(values[row]))
        return [_text(result[key]) for key in self.results]

    def _checked(self, result: Mapping[str, Any]) -> Mapping[str, Any]:
        if sorted(result) != list(self.results):
            raise UnusableValueError(f"its result does not have the keys {', '.join(self.results)}")
        return result


def _text(value: object) -> str:
    if type(value) is float and isfinite(value):
        return f"{value:.9g}"
    if isinstance(value, str):
        value.encode()  # a lone surrogate cannot be sent
        return value
    if isinstance(value, Real) and isfinite(value):  # numpy's numbers, and integers
        return f"{float(value):.9g}"
    raise UnusableValueError("its value is neither a text nor a finite number")


def model(
    model_id: str, *, features: Sequence[str], results: Sequence[str]
) -> Callable[[Callable[[Float32s], Mapping[str, Value]]], Model]:
    """Make a model of a function of one row.

    The function takes float32 of shape ``(features,)``, finite, in the order of ``features``, and returns a value for
    each key of ``results``. If it raises, or gives NaN or an infinity, that row fails with INTERNAL.

    >>> @model("first/v1", features=["sensor_1/v1"], results=["first"])
    ... def first(values: Float32s) -> dict[str, float]:
    ...     return {"first": values[0] / 3}
    >>> import numpy as np
    >>> first.predictions(np.ones((1, 1), np.float32))
    ([['0.333333343']], {})
    """
    return lambda function: Model(model_id, tuple(features), tuple(results), function, takes_batch=False)


def batch_model(
    model_id: str, *, features: Sequence[str], results: Sequence[str]
) -> Callable[[Callable[[Float32s], Mapping[str, Sequence[Value]]]], Model]:
    """Make a model of a function of many rows, where speed matters.

    The function takes float32 of shape ``(rows, features)`` and returns a sequence of ``rows`` values for each key.
    The value of a row must not depend on which others stand beside it.
    """
    return lambda function: Model(model_id, tuple(features), tuple(results), function, takes_batch=True)
