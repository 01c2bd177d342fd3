"""Takes requests apart that hold no columns, and makes the rows that failed into what is answered."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from grpc_services.python.errors import RequestError, RowErrors, status_of
from grpc_services.python.row_faults import not_finite
from grpc_services.python.stubs import mlpipeline_pb2
from grpc_services.python.stubs.latecomer.v1 import batch_pb2
from grpc_services.python.window_message import MAX_ROWS
from grpc_services.python.windows import Float32s, Int64s, Windows
from window_core import DEMO_SENSORS

__all__ = [
    "MAX_EVENTS",
    "MAX_STREAM_EVENTS",
    "check_events",
    "check_given_once",
    "decoded_features",
    "row_errors",
    "window_of_events",
]

MAX_EVENTS: Final = 1 << 22
"""Events of all windows of one request, one that is in two of them counted twice: a feature of a user's own may look at
each. Without shared rows it would take 100 MB to send them."""

MAX_STREAM_EVENTS: Final = 16 * MAX_EVENTS
"""The same of one message of a stream, whose columns are there already: 1,800 windows of ten hours of one event a
second. It concerns features that read events, which means do not."""

_FLOAT32: Final = np.dtype("<f4")


def check_events(windows: Windows, most: int) -> None:
    """Refuse a request whose windows hold more events than so many in all."""
    if (events := int(windows.counts.sum())) > most:
        raise RequestError(f"ends: the windows hold {events} events in all, those of a request may hold {most}")


def window_of_events(events: Sequence[mlpipeline_pb2.RawEvent]) -> Windows:
    """The one window of a list of events, in whatever order.

    Raises:
        RequestError: the list is empty, or a reading is not finite.
    """
    if not events:
        raise RequestError("event: the window holds no event")
    times = np.array([event.time for event in events], np.int64)
    rows = [(event.sensor1, event.sensor2, event.sensor3, event.sensor4) for event in events]
    readings = np.array(rows, np.float32)
    readings.setflags(write=False)
    times.setflags(write=False)
    starts, ends = np.array([0]), np.array([len(times)])
    if errors := not_finite(DEMO_SENSORS, readings, starts, ends):
        raise errors.pop(0)  # one that stayed there would keep this frame, and so the call, alive
    return Windows(DEMO_SENSORS, starts, ends, times, readings)


def decoded_features(batch: batch_pb2.FeatureBatch, names: Sequence[str]) -> tuple[Float32s, Int64s, RowErrors]:
    """The features ``names`` of the rows that can be answered, the row of each, and the rows that cannot.

    Raises:
        RequestError: the request cannot be taken apart into rows, or a feature is missing in all of them or repeated.
    """
    row_count = batch.rows
    if row_count > MAX_ROWS:
        raise RequestError(f"rows: {row_count}, a request may have {MAX_ROWS}")
    data = batch.values
    given = list(batch.name)
    if len(data) != row_count * len(given) * _FLOAT32.itemsize:
        raise RequestError(
            f"values: {len(data)} bytes are not {row_count} rows of {len(given)} names, float32, "
            f"{row_count * len(given) * _FLOAT32.itemsize} bytes"
        )
    columns = []
    for name in names:
        check_given_once(name, given.count(name))
        columns.append(given.index(name))
    matrix = np.frombuffer(data, _FLOAT32).reshape(row_count, len(given))[:, columns]
    errors: RowErrors = {}
    for error in batch.error:
        if error.row >= row_count:
            raise RequestError(f"error: row {error.row} of {row_count}")
        errors[error.row] = RequestError("error: this row failed before, it holds no features")
    for row, column in np.argwhere(~np.isfinite(matrix)).tolist():
        errors.setdefault(row, RequestError(f"feature: {names[column]} is not finite"))
    rows = np.setdiff1d(np.arange(row_count), list(errors)).astype(np.int64)
    return (matrix[rows] if errors else matrix), rows, errors


def check_given_once(name: str, count: int) -> None:
    """Refuse a request that has a feature of the model not at all, or more than once."""
    if count != 1:
        raise RequestError(f"feature: {name} is {'repeated' if count else 'missing'}")


def row_errors(errors: RowErrors) -> list[batch_pb2.RowError]:
    """The rows that failed as they are answered, ascending."""
    answered = []
    for row in sorted(errors):
        code, message = status_of(errors[row])
        answered.append(batch_pb2.RowError(row=row, code=code.value[0], message=message))
    return answered
