"""Takes a request apart into rows; for each row that cannot be answered, names the field at fault.

Nothing is read beyond the columns, and the events of all windows of a request are limited, so its work is bounded.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.errors import RequestError, RowErrors, status_of
from grpc_services.python.stubs import mlpipeline_pb2
from grpc_services.python.stubs.latecomer.v1 import batch_pb2
from grpc_services.python.windows import SENSORS, Float32s, Int64s, Windows

__all__ = [
    "MAX_EVENTS",
    "MAX_ROWS",
    "check_given_once",
    "decoded_features",
    "decoded_windows",
    "row_errors",
    "window_of_events",
]

MAX_ROWS: Final = 65_536
"""Rows of one request. A row that fails costs a thousand times the bytes it is made of: this bounds the whole."""

MAX_EVENTS: Final = 1 << 22
"""Events of all windows of one request, one that is in two of them counted twice: a feature of a user's own may look at
each. Without shared rows it would take 100 MB to send them."""

_COLUMNS: Final[tuple[tuple[str, "np.dtype[Any]"], ...]] = (
    ("times", np.dtype("<i8")),
    *((sensor, np.dtype("<f4")) for sensor in SENSORS),
)
_BOUND: Final = np.dtype("<u4")
_FLOAT32: Final = np.dtype("<f4")


def decoded_windows(batch: batch_pb2.WindowBatch) -> tuple[Windows, Int64s, RowErrors]:
    """The windows that can be answered, the row of each, and the rows that cannot. Cost: no copy of a column.

    Raises:
        RequestError: the request cannot be taken apart into rows, or its windows hold too many events in all.
    """
    window_count = _row_count(batch.evaluation_id, batch.device_id)
    starts = _bounds("starts", batch.starts, window_count)
    ends = _bounds("ends", batch.ends, window_count)
    columns = _columns(batch)
    errors = _misplaced_rows(starts, ends, len(columns[0]))
    rows = np.arange(window_count)
    if errors:
        rows = np.setdiff1d(rows, list(errors))
    windows = Windows(starts[rows], ends[rows], *columns)
    if (events := int(windows.counts.sum())) > MAX_EVENTS:
        raise RequestError(f"ends: the windows hold {events} events in all, those of a request may hold {MAX_EVENTS}")
    windows, rows = _finite_windows(windows, rows, errors)
    return windows.in_time_order(), rows, errors


def window_of_events(events: Sequence[mlpipeline_pb2.RawEvent]) -> Windows:
    """The one window of a list of events, put in order if it is not.

    Raises:
        RequestError: the list is empty, or a reading is not finite.
    """
    if not events:
        raise RequestError("event: the window holds no event")
    times = np.array([event.time for event in events], np.int64)
    rows = [(event.sensor1, event.sensor2, event.sensor3, event.sensor4) for event in events]
    sensors = np.ascontiguousarray(np.array(rows, np.float32).T)
    sensors.setflags(write=False)
    times.setflags(write=False)
    windows = Windows(np.array([0]), np.array([len(times)]), times, *sensors)
    errors: RowErrors = {}
    windows, _ = _finite_windows(windows, np.zeros(1, np.int64), errors)
    if errors:
        raise errors.pop(0)  # one that stayed there would keep this frame, and so the call, alive
    return windows.in_time_order()


def decoded_features(batch: batch_pb2.FeatureBatch, names: Sequence[str]) -> tuple[Float32s, Int64s, RowErrors]:
    """The features ``names`` of the rows that can be answered, the row of each, and the rows that cannot.

    Raises:
        RequestError: the request cannot be taken apart into rows, or a feature is missing in all of them or repeated.
    """
    row_count = _row_count(batch.evaluation_id, batch.device_id)
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
    matrix = _column(data, _FLOAT32).reshape(row_count, len(given))[:, columns]
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


def _column(data: bytes, dtype: "np.dtype[Any]") -> NDArray[Any]:
    """The values in ``data``, read-only, without a copy."""
    return np.frombuffer(data, dtype)


def _row_count(evaluation_ids: Sequence[str], device_ids: Sequence[str]) -> int:
    if len(device_ids) != len(evaluation_ids):
        raise RequestError(f"device_id: {len(device_ids)} values, evaluation_id has {len(evaluation_ids)}")
    if len(evaluation_ids) > MAX_ROWS:
        raise RequestError(f"evaluation_id: {len(evaluation_ids)} rows, a request may have {MAX_ROWS}")
    return len(evaluation_ids)


def _bounds(field: str, data: bytes, window_count: int) -> Int64s:
    if len(data) != window_count * _BOUND.itemsize:
        raise RequestError(f"{field}: {len(data)} bytes are not {window_count} uint32, one for each window")
    return _column(data, _BOUND).astype(np.int64)


def _columns(batch: batch_pb2.WindowBatch) -> tuple[NDArray[Any], ...]:
    """The five columns, as long as the first, without a copy."""
    row_count = len(batch.times) // _COLUMNS[0][1].itemsize
    columns = []
    for field, dtype in _COLUMNS:
        data: bytes = getattr(batch, field)
        if len(data) != row_count * dtype.itemsize:
            raise RequestError(f"{field}: {len(data)} bytes are not {row_count} {dtype.name}, one for each event")
        columns.append(_column(data, dtype))
    return tuple(columns)


def _misplaced_rows(starts: Int64s, ends: Int64s, row_count: int) -> RowErrors:
    """The windows that hold no event, or not only rows of the columns."""
    errors: RowErrors = {}
    for window in np.flatnonzero((starts >= ends) | (ends > row_count)).tolist():
        if starts[window] >= ends[window]:
            errors[window] = RequestError("event: the window holds no event")
        else:
            errors[window] = RequestError(
                f"ends: the window ends at {ends[window]}, out of range: the columns hold {row_count} values"
            )
    return errors


def _finite_windows(windows: Windows, rows: Int64s, errors: RowErrors) -> tuple[Windows, Int64s]:
    """The windows without a reading that is not finite; the rows of the others are added to ``errors``."""
    failed: dict[int, RequestError] = {}
    for sensor in SENSORS:
        finite = np.isfinite(getattr(windows, sensor))
        if finite.all():
            continue
        positions = np.append(np.flatnonzero(~finite), len(finite))
        first = positions[np.searchsorted(positions, windows.starts)]
        for window in np.flatnonzero(first < windows.ends).tolist():
            event = first[window] - windows.starts[window]
            failed.setdefault(window, RequestError(f"{sensor}: not finite in event {event} of the window"))
    if not failed:
        return windows, rows
    errors.update({int(rows[window]): error for window, error in failed.items()})
    kept = np.setdiff1d(np.arange(len(windows)), list(failed))
    return windows.chosen(kept), rows[kept]
