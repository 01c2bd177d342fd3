"""Features: named, versioned functions over a window's columns, and how the matrix of a batch is made of them.

One of your own takes a few lines, in any module::

    from grpc_services.python.features import MEANS, Window, feature

    @feature("spread_1/v1")
    def spread(window: Window) -> float:
        return window.sensor1.max() - window.sensor1.min()

    FEATURES = (*MEANS, spread)

and is served by naming the module and the sequence: ``my_features:FEATURES``.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grpc_services.python.errors import (
    AbandonedError,
    AbsentError,
    RowErrors,
    UnavailableError,
    UnusableValueError,
    plugin_failures,
)
from grpc_services.python.windows import Float32s, Window, Windows
from window_core import DEMO_SENSORS, Sensors

__all__ = [
    "MEANS",
    "Feature",
    "Mean",
    "UnavailableError",
    "Window",
    "Windows",
    "batch_feature",
    "feature",
    "feature_matrix",
    "means_of",
    "read_events",
]

_NAME: Final = re.compile(r"[^\s/]+/v[0-9]+")


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature; made by ``@feature`` or ``@batch_feature``.

    Attributes:
        name: with its version, ``name/v1``. Another formula is another version.
        function: of a ``Window`` or, if ``takes_batch``, of ``Windows``.
        takes_batch: whether the function is vectorised over many windows.
    """

    name: str
    function: Callable[[Any], ArrayLike]
    takes_batch: bool

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"the name of a feature ends in its version, as in spread_1/v1, not {self.name!r}")

    @np.errstate(all="ignore")  # what is divided by zero, or too large, is found in the values
    def values(self, windows: Windows) -> tuple[Float32s, RowErrors]:
        """The feature of each window and the windows on which it failed, their value 0.

        Of a vectorised function that fails on a batch every window is asked about alone, so that one does not take the
        others with it and a batch answers as its rows would.
        """
        if self.takes_batch:
            try:
                return self._batch_values(windows), {}
            except BaseException as error:  # whatever a user's code raises, an exit too; its rows are found below
                if len(windows) == 1:
                    return np.zeros(1, np.float32), plugin_failures(f"feature {self.name}", {0: error})
        values = np.zeros(len(windows), np.float32)
        causes: dict[int, BaseException] = {}
        for row in range(len(windows)):
            try:
                values[row] = self._value(windows, row)
            except BaseException as error:  # whatever a user's code raises, an exit too
                causes[row] = error
        return values, plugin_failures(f"feature {self.name}", causes)

    def _batch_values(self, windows: Windows) -> Float32s:
        return _finite(np.asarray(self.function(windows)), (len(windows),))

    def _value(self, windows: Windows, row: int) -> np.float32:
        if self.takes_batch:
            return np.float32(self._batch_values(windows.alone(row))[0])
        return np.float32(_finite(np.asarray(self.function(windows[row])), ()))


def _finite(values: NDArray[Any], shape: tuple[int, ...]) -> Float32s:
    if values.shape != shape:
        raise UnusableValueError(f"it gave the shape {values.shape}, not {shape}")
    if values.dtype.kind not in "fiub":
        raise UnusableValueError(f"it gave {values.dtype}, not numbers")
    rounded = values.astype(np.float32)
    if not np.isfinite(rounded).all():
        raise UnusableValueError("its value is not finite as a float32")
    return rounded


def feature(name: str) -> Callable[[Callable[[Window], ArrayLike]], Feature]:
    """Make a feature of a function of one window.

    The function takes a ``Window`` and returns one finite number, rounded to float32 for the answer. If it raises, or
    gives NaN or an infinity, that row of the batch fails with INTERNAL, the other rows are answered.

    >>> @feature("events/v1")
    ... def events(window: Window) -> float:
    ...     return len(window)
    >>> events.name
    'events/v1'
    """
    return lambda function: Feature(name, function, takes_batch=False)


def batch_feature(name: str) -> Callable[[Callable[[Windows], ArrayLike]], Feature]:
    """Make a feature of a function of many windows, where speed matters.

    The function takes ``Windows`` and returns an array of shape ``(windows,)``, finite numbers. A window's value must
    not depend on which others stand beside it: how windows are put into batches changes with the load.

    >>> @batch_feature("peak_1/v1")
    ... def peak(windows: Windows) -> Float32s:
    ...     return windows.reduced(np.maximum, windows.sensor1)
    """
    return lambda function: Feature(name, function, takes_batch=True)


class Mean(Feature):
    """The exact mean of the readings of a sensor that are there; of none, the row fails with INVALID_ARGUMENT.

    Attributes:
        sensor: whose readings.
    """

    __slots__ = ("sensor",)
    sensor: str

    def __init__(self, name: str, sensor: str) -> None:
        Feature.__init__(self, name, lambda windows: windows.mean(sensor), takes_batch=True)
        object.__setattr__(self, "sensor", sensor)

    def values(self, windows: Windows) -> tuple[Float32s, RowErrors]:
        """As of any feature; it fails alone on a window, and none is asked about again."""
        try:
            return windows.mean(self.sensor), {}
        except AbsentError:
            absent = np.flatnonzero(windows.count(self.sensor) == 0).tolist()
            values = windows.means[:, windows.sensors.names.index(self.sensor)]
            return values, {row: AbsentError(self.sensor) for row in absent}


MEANS: Final[tuple[Feature, ...]] = tuple(Mean(f"sensor_{sensor[-1]}/v1", sensor) for sensor in DEMO_SENSORS.names)
"""``sensor_1/v1`` to ``sensor_4/v1``, the features of the original demo: the exact mean of each sensor."""


def means_of(sensors: Sensors) -> tuple[Feature, ...]:
    """The mean of each sensor: ``MEANS`` for those of the original demo, else ``mean_NAME/v1``."""
    if sensors == DEMO_SENSORS:
        return MEANS
    return tuple(Mean(f"mean_{sensor}/v1", sensor) for sensor in sensors.names)


def read_events(features: Sequence[Feature]) -> bool:
    """Whether one of them may read every event: a mean does not where there are running sums."""
    return not all(isinstance(one, Mean) for one in features)


def feature_matrix(
    features: Sequence[Feature], windows: Windows, is_wanted: Callable[[], bool]
) -> tuple[Float32s, RowErrors]:
    """All features of all windows.

    Args:
        features: one for each column.
        windows: one for each row, their events in whatever order; there may be none.
        is_wanted: asked before each feature whether anyone still waits for the answer.
    Returns:
        float32, shape ``(windows, features)``, and the rows that failed, which hold zeros; of several failures the
        first feature's.
    Raises:
        AbandonedError: nobody waits any more.
    """
    matrix = np.zeros((len(windows), len(features)), np.float32)
    errors: RowErrors = {}
    if not len(windows):
        return matrix, errors
    parts = windows.parts_in_time_order() if read_events(features) else ((slice(0, len(windows)), windows),)
    for rows, part in parts:
        for column, one in enumerate(features):
            if not is_wanted():
                raise AbandonedError(f"abandoned before feature {one.name}")
            matrix[rows, column], failed = one.values(part)
            errors = {rows.start + row: error for row, error in failed.items()} | errors
    matrix[list(errors)] = 0
    return matrix, errors
