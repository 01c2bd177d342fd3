"""Labels: for which device, and at which instant, features are wanted; and whatever else stands in their table."""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final, NamedTuple
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dataflows.pipeline.event_layout import EventLayout, number_of_text
from runtime.errors import SettingsError
from window_core import EventError

__all__ = ["Instants", "Labels"]


class Instants(NamedTuple):
    """The labels of one device, by time.

    Attributes:
        rows: where each stands in the table, int64.
        times_ms: int64, never falling.
    """

    rows: NDArray[np.int64]
    times_ms: NDArray[np.int64]


class Labels:
    """A table of labels.

    Attributes:
        table: as it was given.
        without: how many rows have no device or no time.
    """

    def __init__(
        self, table: pl.DataFrame, *, device: str = "device_id", time: str = "time", zone: tzinfo | None = None
    ) -> None:
        """
        Args:
            table: a row for each label.
            device: the column with the ids of the devices.
            time: the column with the instants: numbers of ms since the Unix epoch, datetimes, or texts of ISO 8601.
            zone: of datetimes and texts without one.
        Raises:
            SettingsError: a column is not there, or a time is none.
        """
        for flag, name in (("--label-device", device), ("--label-time", time)):
            if name not in table.columns:
                raise SettingsError(f"{flag}: the labels have no column {name}; they have {', '.join(table.columns)}")
        self.table: Final = table
        self._device, self._time, self._zone = device, time, zone
        places = pl.DataFrame({"device": _as_ids(table[device]), "ms": _as_ms(table[time], zone)})
        self._places: Final = places.with_row_index("row").drop_nulls().sort("ms", maintain_order=True)
        self.without: Final = len(table) - len(self._places)

    def parts(self, number: int) -> "list[tuple[Labels, pl.Series]]":
        """So many shares of the devices: the labels of each, and which rows of the table they are."""
        device = _as_ids(self.table[self._device]).fill_null("")
        share = {one: crc32(one.encode()) % number for one in device.unique()}
        shares = device.replace_strict(share, return_dtype=pl.Int64)
        rows = [(shares == one).arg_true() for one in range(number)]
        options: Any = {"device": self._device, "time": self._time, "zone": self._zone}
        return [(Labels(self.table[of_share], **options), of_share) for of_share in rows]

    def by_device(self) -> Mapping[str, Instants]:
        """The labels of each device."""
        return {
            str(device): Instants(part["row"].to_numpy().astype(np.int64), part["ms"].to_numpy())
            for (device,), part in self._places.group_by("device", maintain_order=True)
        }


def _as_ids(column: pl.Series) -> pl.Series:
    if column.dtype.is_float() or column.dtype.is_nested():
        raise SettingsError(f"--label-device: {column.name} holds {column.dtype}, not texts")
    return column.cast(pl.String)


def _as_ms(column: pl.Series, zone: tzinfo | None) -> pl.Series:
    """Instants as ms since the Unix epoch, rounded down."""
    dtype = column.dtype
    if dtype == pl.Null:
        return column.cast(pl.Int64)
    if dtype.is_numeric():
        return _whole(column)
    if dtype == pl.String:
        return _of_texts(column, zone)
    if dtype != pl.Date and not isinstance(dtype, pl.Datetime):
        raise SettingsError(f"--label-time: {column.name} holds {dtype}, neither numbers of ms nor times")
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return column.dt.epoch("ms")
    if zone is None:
        raise SettingsError(f"--label-time: the times in {column.name} have no time zone; give --time-zone")
    local = column.cast(pl.Datetime("us"))
    return local.dt.replace_time_zone(str(zone), ambiguous="earliest", non_existent="null").dt.epoch("ms")


def _whole(column: pl.Series) -> pl.Series:
    numbers = column.cast(pl.Int64, strict=False)
    is_wrong = (numbers.is_null() & column.is_not_null()) | (numbers != column).fill_null(value=False)
    if (row := is_wrong.arg_max()) is not None and is_wrong.any():
        raise SettingsError(f"--label-time: {column.name} of row {row} is {column[row]}, no whole number of ms")
    return numbers


def _of_texts(column: pl.Series, zone: tzinfo | None) -> pl.Series:
    layout = EventLayout(time_unit="iso", zone=zone)
    found: list[int | None] = []
    for row, text in enumerate(column):
        number = None if text is None else number_of_text(text)
        try:
            found.append(layout.ms(number, "time") if isinstance(number, str) else number)  # type: ignore[arg-type]
        except EventError:
            hint = "" if zone is not None else "; without a time zone it needs --time-zone"
            raise SettingsError(f"--label-time: {column.name} of row {row} is {text!r}, no time{hint}") from None
    return _whole(pl.Series(column.name, found, strict=False))
