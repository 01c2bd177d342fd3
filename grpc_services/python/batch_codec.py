"""Takes a request apart into rows, and says of each row that cannot be answered which field is at fault.

Nothing is read beyond the columns, and no reading is used by two rows, so the work is bounded by the size of a request.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.errors import RequestError, RowErrors, status_of
from grpc_services.python.stubs import mlpipeline_pb2
from grpc_services.python.stubs.latecomer.v1 import batch_pb2
from grpc_services.python.windows import SENSORS, Float32s, Int64s, Windows

__all__ = ["MAX_ROWS", "check_given_once", "decoded_features", "decoded_windows", "row_errors", "window_of_events"]

MAX_ROWS: Final = 65_536
"""Rows of one request. A row that fails costs a thousand times the bytes it is made of: this bounds the whole."""

_COLUMNS: Final[tuple[tuple[str, "np.dtype[Any]"], ...]] = (
    ("times", np.dtype("<i8")),
    *((sensor, np.dtype("<f4")) for sensor in SENSORS),
)
_OFFSET: Final = np.dtype("<u4")
_FLOAT32: Final = np.dtype("<f4")


def decoded_windows(batch: batch_pb2.WindowBatch) -> tuple[Windows, Int64s, RowErrors]:
    """The windows that can be answered, the row of each, and the rows that cannot. Cost: no copy if all can.

    Raises:
        RequestError: the request cannot be taken apart into rows.
    """
    offsets = _decoded_offsets(batch)
    data: dict[str, bytes] = {field: getattr(batch, field) for field, _ in _COLUMNS}
    columns = tuple(_column(data[field], dtype) for field, dtype in _COLUMNS)
    sizes = [len(column) for column in columns]
    errors = _misplaced_rows(offsets, sizes)
    last = len(offsets) - 2
    if last not in errors and (surplus := _surplus(int(offsets[-1]), data, sizes)) is not None:
        errors[last] = surplus
    if errors:
        rows = np.setdiff1d(np.arange(last + 1), list(errors))
        windows = Windows.of_spans(offsets[rows], offsets[rows + 1], columns)
    else:
        rows = np.arange(last + 1)
        windows = Windows(offsets, *columns)
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
    windows = Windows(np.array([0, len(times)]), times, *sensors)
    errors: RowErrors = {}
    windows, _ = _finite_windows(windows, np.zeros(1, np.int64), errors)
    if errors:
        raise errors[0]
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
    """The whole values in ``data``, without a copy; bytes that are no whole value are left for ``_surplus``."""
    return (
        np.frombuffer(data, dtype, len(data) // dtype.itemsize) if len(data) >= dtype.itemsize else np.empty(0, dtype)
    )


def _row_count(evaluation_ids: Sequence[str], device_ids: Sequence[str]) -> int:
    if len(device_ids) != len(evaluation_ids):
        raise RequestError(f"device_id: {len(device_ids)} values, evaluation_id has {len(evaluation_ids)}")
    if len(evaluation_ids) > MAX_ROWS:
        raise RequestError(f"evaluation_id: {len(evaluation_ids)} rows, a request may have {MAX_ROWS}")
    return len(evaluation_ids)


def _decoded_offsets(batch: batch_pb2.WindowBatch) -> Int64s:
    window_count = _row_count(batch.evaluation_id, batch.device_id)
    data = batch.offsets
    if len(data) != (window_count + 1) * _OFFSET.itemsize:
        raise RequestError(
            f"offsets: {len(data)} bytes are not {window_count + 1} uint32, one more than there are windows"
        )
    offsets = _column(data, _OFFSET).astype(np.int64)
    if not window_count:
        for field, _ in _COLUMNS:
            if offsets[0] or getattr(batch, field):
                raise RequestError(f"{field if not offsets[0] else 'offsets'}: there is no window for these values")
    return offsets


def _misplaced_rows(offsets: Int64s, sizes: list[int]) -> RowErrors:
    """The rows whose offsets do not span at least one value of each column, all of it behind the rows before."""
    starts, ends = offsets[:-1], offsets[1:]
    reached = np.maximum.accumulate(np.where(offsets <= min(sizes), offsets, 0))[:-1]
    misplaced = (starts != reached) | (ends <= starts) | (ends > min(sizes))
    misplaced[:1] |= starts[:1] != 0
    return {row: _misplacement(offsets, reached, row, sizes) for row in np.flatnonzero(misplaced).tolist()}


def _misplacement(offsets: Int64s, reached: Int64s, row: int, sizes: list[int]) -> RequestError:
    start, end = offsets[row : row + 2].tolist()
    if row == 0 and start != 0:
        return RequestError(f"offsets: the first is {start}, not 0")
    if end == start:
        return RequestError("offsets: the window holds no event")
    if end < start or start < reached[row]:
        return RequestError(f"offsets: the window goes back, from {max(start, int(reached[row]))} to {min(start, end)}")
    if len(set(sizes)) == 1:
        return RequestError(f"offsets: the window ends at {end}, out of range: the columns hold {sizes[0]} values")
    short = sizes.index(min(sizes))
    return RequestError(f"{_COLUMNS[short][0]}: {sizes[short]} values, the window ends at {end}")


def _surplus(end: int, data: dict[str, bytes], sizes: list[int]) -> RequestError | None:
    """What stands behind the last window; the last row answers for it."""
    for (field, dtype), size in zip(_COLUMNS, sizes, strict=True):
        if size != end:
            return RequestError(f"{field}: {size} values, the last window ends at {end}")
        if len(data[field]) % dtype.itemsize:
            return RequestError(f"{field}: {len(data[field])} bytes are not a whole number of {dtype.name}")
    return None


def _finite_windows(windows: Windows, rows: Int64s, errors: RowErrors) -> tuple[Windows, Int64s]:
    """The windows without a reading that is not finite; the rows of the others are added to ``errors``."""
    failed: dict[int, RequestError] = {}
    for sensor in SENSORS:
        column = getattr(windows, sensor)
        finite = np.isfinite(column)
        if finite.all():
            continue
        positions = np.flatnonzero(~finite)
        at, first = np.unique(np.searchsorted(windows.offsets, positions, side="right") - 1, return_index=True)
        for window, position in zip(at.tolist(), positions[first].tolist(), strict=True):
            event = position - int(windows.offsets[window])
            failed.setdefault(window, RequestError(f"{sensor}: not finite in event {event} of the window"))
    if not failed:
        return windows, rows
    errors.update({int(rows[window]): error for window, error in failed.items()})
    kept = np.setdiff1d(np.arange(len(windows)), list(failed))
    return Windows.of_spans(windows.offsets[kept], windows.offsets[kept + 1], windows.columns), rows[kept]
