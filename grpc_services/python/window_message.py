"""Takes a ``WindowBatch`` apart into arrays, without a copy, and checks that their lengths fit each other."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.errors import RequestError
from grpc_services.python.row_ranges import Int64s
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import DerivedColumn, WindowBatch
from window_core import Sensors

__all__ = ["MAX_ROWS", "WindowMessage", "check_sensors"]

MAX_ROWS: Final = 65_536
"""Rows of one request. A row that fails costs a thousand times the bytes it is made of: this bounds the whole."""

_SHOWN_BYTES: Final = 2_000
"""Of the sensors of a request in a status, whose message travels in the 8 KiB of its metadata."""

_UINT32: Final = np.dtype("<u4")
_INT64: Final = np.dtype("<i8")
_FLOAT32: Final = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class WindowMessage:
    """What a request does to columns, in this order, and the windows that it asks about; made by ``of``.

    Attributes:
        numbers: int64, of the columns that it defines.
        rooms: int64, the rows that each of them has at most.
        derived: columns that begin with rows of others; their readings are a row or empty.
        appended_numbers: int64, of the columns that it appends rows to.
        appended_counts: int64, how many to each.
        times: int64, of these rows, column after column.
        readings: float32, shape ``(rows, sensors)``.
        window_numbers: int64, of the column of each window.
        starts: int64, its first row in that column.
        ends: int64, one past its last row.
        dropped_numbers: int64, of the columns that it drops.
    """

    numbers: Int64s
    rooms: Int64s
    derived: list[DerivedColumn]
    appended_numbers: Int64s
    appended_counts: Int64s
    times: Int64s
    readings: NDArray[np.float32]
    window_numbers: Int64s
    starts: Int64s
    ends: Int64s
    dropped_numbers: Int64s

    @classmethod
    def of(cls, batch: WindowBatch, sensors: Sensors) -> "WindowMessage":
        """A request taken apart. Cost: no copy of the rows.

        Raises:
            RequestError: the length of a field does not fit the others, or there are too many windows.
        """
        devices = len(batch.device_id)
        numbers = _values("number", batch.number, devices, "device_id")
        rooms = _values("room", batch.room, devices, "device_id")
        if len(batch.derived) > MAX_ROWS:
            raise RequestError(f"derived: {len(batch.derived)} columns, a request may have {MAX_ROWS}")
        for one in batch.derived:
            if one.readings and len(one.readings) != sensors.row_bytes:
                raise RequestError(f"derived: the readings are {len(one.readings)} bytes, not {sensors.width} float32")
        appended_numbers = _values("appended_number", batch.appended_number)
        appended_counts = _values("appended_count", batch.appended_count, len(appended_numbers), "appended_number")
        rows = int(appended_counts.sum())
        if len(batch.times) != rows * _INT64.itemsize:
            raise RequestError(f"times: {len(batch.times)} bytes are not {rows} int64, one for each row")
        if len(batch.readings) != rows * sensors.row_bytes:
            raise RequestError(f"readings: {len(batch.readings)} bytes are not {rows} rows of {sensors.width} float32")
        window_numbers = _values("window_number", batch.window_number)
        windows = len(window_numbers)
        if windows > MAX_ROWS:
            raise RequestError(f"window_number: {windows} windows, a request may have {MAX_ROWS}")
        return cls(
            numbers,
            rooms,
            list(batch.derived),
            appended_numbers,
            appended_counts,
            np.frombuffer(batch.times, _INT64),
            np.frombuffer(batch.readings, _FLOAT32).reshape(rows, sensors.width),
            window_numbers,
            _values("starts", batch.starts, windows, "window"),
            _values("ends", batch.ends, windows, "window"),
            _values("dropped_number", batch.dropped_number),
        )

    def coming(self, numbers: Int64s) -> Int64s:
        """How many rows it appends to each of these columns."""
        order = np.argsort(self.appended_numbers, kind="stable")
        known, counts = self.appended_numbers[order], self.appended_counts[order]
        before = np.append(0, np.cumsum(counts))
        coming: Int64s = before[np.searchsorted(known, numbers, "right")] - before[np.searchsorted(known, numbers)]
        return coming


def check_sensors(batch: WindowBatch, sensors: Sensors, *, is_first: bool) -> None:
    """Refuse a request for other sensors, and one that names them a second time.

    Args:
        batch: the request.
        sensors: those of the server.
        is_first: whether it is the first of its call.
    """
    if not is_first:
        if batch.sensor:
            raise RequestError("sensor: only the first message of a stream has sensors")
    elif tuple(batch.sensor) != sensors.declared:
        given = ", ".join(batch.sensor) or "none"
        if len(given.encode()) > _SHOWN_BYTES:
            given = f"{len(batch.sensor)} others"
        raise RequestError(f"sensor: the request has {given}; this server is for {sensors}")


def _values(field: str, data: bytes, count: int | None = None, of: str = "") -> Int64s:
    if len(data) != (len(data) // _UINT32.itemsize if count is None else count) * _UINT32.itemsize:
        wanted = f"{len(data) // _UINT32.itemsize} uint32" if count is None else f"{count} uint32, one for each {of}"
        raise RequestError(f"{field}: {len(data)} bytes are not {wanted}")
    values: Any = np.frombuffer(data, _UINT32).astype(np.int64)
    return values  # type: ignore[no-any-return]
