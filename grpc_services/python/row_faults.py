"""Which windows of a request cannot be answered, and the words for each."""

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.errors import RequestError, RowErrors
from grpc_services.python.row_ranges import Int64s, united
from window_core import Sensors

__all__ = ["misplaced", "not_finite", "wrong_readings"]


def misplaced(starts: Int64s, ends: Int64s, lengths: Int64s) -> RowErrors:
    """The windows that hold no event, or not only rows of their columns, which have so many."""
    errors: RowErrors = {}
    for window in np.flatnonzero((starts >= ends) | (ends > lengths)).tolist():
        if starts[window] >= ends[window]:
            errors[window] = RequestError("event: the window holds no event")
        else:
            errors[window] = RequestError(
                f"ends: the window ends at {ends[window]}, out of range: the column holds {lengths[window]} rows"
            )
    return errors


def wrong_readings(sensors: Sensors, readings: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which readings are not finite; one that may be absent may be NaN. Shape as that of the readings."""
    wrong = ~np.isfinite(readings)
    if any(sensors.optional) and wrong.any():
        wrong[..., sensors.optional] = np.isinf(readings[..., sensors.optional])
    return wrong


def not_finite(sensors: Sensors, readings: NDArray[np.float32], starts: Int64s, ends: Int64s) -> RowErrors:
    """The windows, none of them empty, that hold a wrong reading: of the first such sensor, the first event."""
    errors: RowErrors = {}
    if not len(starts):
        return errors
    rows, first_rows, last_rows = united(starts, ends)
    wrong = wrong_readings(sensors, readings[rows])
    for place in np.flatnonzero(wrong.any(axis=0)).tolist():
        positions = np.append(np.flatnonzero(wrong[:, place]), len(wrong))
        found = positions[np.searchsorted(positions, first_rows)]
        for window in np.flatnonzero(found < last_rows).tolist():
            event = found[window] - first_rows[window]
            message = f"{sensors.names[place]}: not finite in event {event} of the window"
            errors.setdefault(window, RequestError(message))
    return errors
