"""Writes finished lines of JSON as Parquet, a column for each field, nested ones as structs; and reads Parquet."""

import io
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import polars as pl

from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.first_records import InputError

__all__ = ["lines_of_parquet", "os_error_in", "rows_of_outputs", "written_as_parquet"]

_ROWS: Final = 20_000
"""Read at once."""

_DAMAGED: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""How polars meets a damaged file; a panic of its Rust is no ``Exception``."""

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
    """The rows as lines of JSON, many at once, made ahead of who reads them.

    A date or a timestamp, as time or arrival, is a number in its unit; a decimal is a number. Where a reading may be
    absent, NaN is null: pandas writes it so.

    Raises:
        InputError: it cannot be read, or a timestamp says no zone and none was given.
    """
    try:
        table = pl.scan_parquet(path)
        left = table.select(pl.len()).collect().item()
        pieces = iter(table.select(_written(path, layout, table.collect_schema())).collect_batches(chunk_size=_ROWS))
        with ThreadPoolExecutor(1, thread_name_prefix="parquet") as ahead:
            following = ahead.submit(_next_lines, pieces, layout)
            while (lines := following.result()) is not None:
                following = ahead.submit(_next_lines, pieces, layout)
                left -= lines.count(b"\n")
                yield lines
    except _DAMAGED as error:
        raise InputError(f"--input {path} cannot be read as Parquet: {' '.join(str(error).split())}") from None
    if left:  # a panic while batches are collected ends them as the last row does
        raise InputError(f"--input {path} cannot be read as Parquet: {left:,} of its rows are not there")


def rows_of_outputs(path: str) -> Iterator[dict[str, Any]]:
    """The rows of what ``written_as_parquet`` wrote, in their order, each by its columns.

    Raises:
        InputError: it is damaged.
    """
    try:
        table = pl.scan_parquet(path)
        for first in range(0, table.select(pl.len()).collect().item(), _ROWS):
            yield from table.slice(first, _ROWS).collect().iter_rows(named=True)
    except _DAMAGED as error:
        raise InputError(f"{path} is damaged or cut: {' '.join(str(error).split())}") from None


def _written(path: str, layout: EventLayout, schema: pl.Schema) -> list[pl.Expr]:
    """The columns as they are written; those that JSON cannot hold are left out, unless they are texts as bytes."""
    columns: list[pl.Expr] = []
    for column, dtype in schema.items():
        if dtype == pl.Binary and column in _named(layout):
            columns.append(pl.col(column).map_elements(_text, return_dtype=pl.String))
        elif dtype.is_decimal():
            columns.append(pl.col(column).cast(pl.Float64))
        elif column in _times(layout) and dtype.is_temporal():
            columns.append(_instants(path, layout, pl.col(column), column, dtype))
        elif not _has_bytes(dtype):
            columns.append(pl.col(column))
    for place in set(_times(layout)) - set(schema):
        names = place.split(".")
        nested: Any = schema.get(names[0])
        instants = pl.col(names[0])
        for name in names[1:]:
            nested = dict(nested).get(name) if isinstance(nested, pl.Struct) else None
            instants = instants.struct.field(name)
        if nested is not None and nested.is_temporal():
            columns.append(_instants(path, layout, instants, place, nested).alias(place))  # found before the nested one
    return columns


def _named(layout: EventLayout) -> list[str | None]:
    return [layout.path(name) for name in layout.own_fields]


def _times(layout: EventLayout) -> tuple[str, str]:
    return layout.paths.get("time", "time"), layout.paths.get("arrival", "arrival")


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _has_bytes(dtype: Any) -> bool:
    if isinstance(dtype, pl.Struct):
        return any(_has_bytes(field.dtype) for field in dtype.fields)
    return dtype == pl.Binary or dtype == pl.Object or (hasattr(dtype, "inner") and _has_bytes(dtype.inner))


def _next_lines(pieces: Iterator[pl.DataFrame], layout: EventLayout) -> bytes | None:
    """The lines of the next rows; ``None``: there are no more."""
    table = next(pieces, None)
    if table is None:
        return None
    written = io.BytesIO()
    table.write_ndjson(written)
    sensors = {
        layout.paths.get(name, name): optional
        for name, optional in zip(layout.sensors.names, layout.sensors.optional, strict=True)
    }
    wrong = [
        pl.col(name).is_infinite() | (pl.lit(not sensors[name]) & pl.col(name).is_nan())
        for name, dtype in table.schema.items()
        if name in sensors and dtype.is_float()
    ]
    numbers = table.select(pl.arg_where(pl.any_horizontal(wrong))).to_series() if wrong else ()
    if not len(numbers):
        return written.getvalue()
    lines = written.getvalue().splitlines(keepends=True)
    for number in numbers:  # JSON has no word for them but Python's, which says what is wrong; polars writes null
        row = table.row(number, named=True)
        found = {name: row[name] for name in sensors if type(row.get(name)) is float}
        lines[number] = json.dumps(json.loads(lines[number]) | found, ensure_ascii=False).encode() + b"\n"
    return b"".join(lines)


def _instants(path: str, layout: EventLayout, instants: pl.Expr, place: str, dtype: Any) -> pl.Expr:
    """A column of timestamps in the unit that the events of the log have."""
    if dtype == pl.Time or dtype == pl.Duration:
        raise InputError(f"--input {path}: column {place} holds no instants, but {dtype}")
    if dtype == pl.Date:
        instants = instants.cast(pl.Datetime("us"))
    if getattr(dtype, "time_zone", None) is None:
        if layout.zone is None:
            raise InputError(f"--input {path}: column {place} names no zone: give --time-unit iso --time-zone UTC, say")
        instants = _in_zone(instants, str(layout.zone))
    if layout.time_unit == "iso":
        return instants.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    if layout.time_unit == "s":
        return instants.dt.epoch("ms") / 1000
    return instants.dt.epoch(layout.time_unit)


def _in_zone(local: pl.Expr, zone: str) -> pl.Expr:
    """Local times as Python reads them: of a time that is there twice the first, of one that was skipped as before."""
    before = local.dt.offset_by("-1d").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    there = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return pl.coalesce(there, before.dt.offset_by("24h"))
