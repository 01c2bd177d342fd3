"""Writes finished lines of JSON as Parquet, a column for each field, nested ones as structs; and reads Parquet."""

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.first_records import InputError

__all__ = ["lines_of_parquet", "os_error_in", "rows_of_outputs", "written_as_parquet"]

_ROWS: Final = 20_000
"""Read at once."""

_OS_ERROR: Final = re.compile(r"\(os error (\d+)\)")


def written_as_parquet(lines: Path, parquet: Path) -> None:
    """Write the lines as Parquet and remove them. Without a line, there is a file without a column and a row.

    Raises:
        OSError: it cannot be written; the lines are still there.
    """
    try:
        if lines.stat().st_size:
            pl.scan_ndjson(lines, infer_schema_length=None).sink_parquet(parquet)
        else:
            pl.DataFrame().write_parquet(parquet)
    except (pl.exceptions.PolarsError, OSError) as error:
        parquet.unlink(missing_ok=True)
        raise os_error_in(error, str(parquet)) from None
    lines.unlink()


def os_error_in(error: Exception, path: str) -> Exception:
    """What an error of polars says of the operating system; else the error."""
    said = _OS_ERROR.search(str(error))  # Polars has no other way to say it
    return OSError(int(said[1]), os.strerror(int(said[1])), path) if said else error


def lines_of_parquet(path: str, layout: EventLayout) -> Iterator[bytes]:
    """The rows as lines of JSON, many at once. A date or a timestamp, as time or arrival, is a number in its unit.

    Raises:
        InputError: it is damaged, or a timestamp says no zone and none was given.
    """
    try:
        table = pl.scan_parquet(path)
        times = [
            _instants(path, layout, column, dtype)
            for column, dtype in table.collect_schema().items()
            if column in (layout.path("time"), layout.path("arrival")) and dtype.is_temporal()
        ]
        table = table.with_columns(times)
        for first in range(0, table.select(pl.len()).collect().item(), _ROWS):
            lines = io.BytesIO()
            table.slice(first, _ROWS).collect().write_ndjson(lines)
            yield lines.getvalue()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"--input {path} is damaged or cut: {' '.join(str(error).split())}") from None


def rows_of_outputs(path: str) -> Iterator[dict[str, Any]]:
    """The rows of what ``written_as_parquet`` wrote, in their order, each by its columns.

    Raises:
        InputError: it is damaged.
    """
    try:
        table = pl.scan_parquet(path)
        for first in range(0, table.select(pl.len()).collect().item(), _ROWS):
            yield from table.slice(first, _ROWS).collect().iter_rows(named=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path} is damaged or cut: {' '.join(str(error).split())}") from None


def _instants(path: str, layout: EventLayout, column: str, dtype: pl.DataType) -> pl.Expr:
    """A column of timestamps in the unit that the events of the log have."""
    instants = pl.col(column)
    if dtype == pl.Time or dtype == pl.Duration:
        raise InputError(f"--input {path}: column {column} holds no instants, but {dtype}")
    if dtype == pl.Date:
        instants = instants.cast(pl.Datetime("us"))
    if getattr(dtype, "time_zone", None) is None:
        if layout.zone is None:
            raise InputError(
                f"--input {path}: column {column} names no zone: give --time-unit iso --time-zone UTC, say"
            )
        instants = instants.dt.replace_time_zone(str(layout.zone), ambiguous="earliest", non_existent="null")
    if layout.time_unit == "iso":
        return instants.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    if layout.time_unit == "s":
        return instants.dt.epoch("ms") / 1000
    return instants.dt.epoch(layout.time_unit)
