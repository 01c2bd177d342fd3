"""Outputs as tables: times as datetimes, a column for each feature and each result."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import polars as pl

from dataflows.connectors.locations import is_parquet
from dataflows.pipeline.first_records import InputError

__all__ = ["predictions_file", "predictions_table", "rejections_file", "rejections_table"]

_TIMES: Final = {
    "event_ms": "event_time",
    "as_of_ms": "as_of",
    "newest_ms": "newest",
    "oldest_ms": "oldest",
    "arrival_ms": "arrival",
}
"""What the instants of an output are called as datetimes."""

_PREDICTION: Final = {
    "evaluation_id": pl.String,
    "device_id": pl.String,
    "cause": pl.String,
    "position": pl.String,
    "event_ms": pl.Int64,
    "as_of_ms": pl.Int64,
    "newest_ms": pl.Int64,
    "oldest_ms": pl.Int64,
    "events": pl.Int64,
    "model_id": pl.String,
}
_REJECTION: Final = {
    "device_id": pl.String,
    "reason": pl.String,
    "position": pl.String,
    "arrival_ms": pl.Int64,
    "late_by_ms": pl.Int64,
    "error": pl.String,
    "field": pl.String,
    "event_ms": pl.Int64,
    "as_of_ms": pl.Int64,
    "evaluation_id": pl.String,
    "status": pl.String,
    "service": pl.String,
    "message": pl.String,
}


def predictions_table(lines: Iterable[bytes]) -> pl.DataFrame:
    """Predictions as rows, in the order of the lines.

    Args:
        lines: as a run writes them.
    Returns:
        ``evaluation_id``, ``device_id``, ``cause``, ``position``, ``event_time``, ``as_of``, ``newest``, ``oldest``,
        ``events``, ``model_id``; each feature under its name, Float32; each result under its key, Float64 where all are
        numbers. A name that another column has is written ``features.NAME`` or ``result.NAME``.
    """
    return _predictions(_read(lines))


def predictions_file(path: str) -> pl.DataFrame:
    """The predictions of a file, JSON lines or Parquet, as ``predictions_table`` gives them.

    Raises:
        OSError: it cannot be read.
        InputError: it holds something else, or was cut.
    """
    return _predictions(_read_file(path))


def _predictions(table: pl.DataFrame) -> pl.DataFrame:
    table = _completed(table, _PREDICTION)
    for column in ("features", "result"):
        if column in table.columns:
            taken = {*table.columns, *_TIMES.values()}
            names = [field.name for field in table.schema[column].fields]  # type: ignore[attr-defined]  # a struct
            free = [f"{column}.{name}" if name in taken else name for name in names]
            table = table.with_columns(pl.col(column).struct.rename_fields(free)).unnest(column)
    own = [name for name in table.columns if name not in _PREDICTION]
    values = [
        pl.col(name).cast(pl.Float32) if table[name].dtype.is_numeric() else _as_number(table[name]) for name in own
    ]
    return _with_instants(table.select(*_PREDICTION, *values))


def rejections_table(lines: Iterable[bytes]) -> pl.DataFrame:
    """Rejections as rows, in the order of the lines; what a reason does not have is null.

    Args:
        lines: as a run writes them.
    Returns:
        ``device_id``, ``reason``, ``position``, ``arrival``, ``late_by_ms``, ``error``, ``field``, ``event_time``,
        ``as_of``, ``evaluation_id``, ``status``, ``service``, ``message``.
    """
    return _rejections(_read(lines))


def rejections_file(path: str) -> pl.DataFrame:
    """The rejections of a file, JSON lines or Parquet, as ``rejections_table`` gives them.

    Raises:
        OSError: it cannot be read.
        InputError: it holds something else, or was cut.
    """
    return _rejections(_read_file(path))


def _rejections(table: pl.DataFrame) -> pl.DataFrame:
    table = _completed(table, _REJECTION)
    if "event" in table.columns:
        table = table.with_columns(pl.coalesce("event_ms", pl.col("event").struct.field("time")).alias("event_ms"))
    return _with_instants(table.select(*_REJECTION))


def _read(lines: Iterable[bytes]) -> pl.DataFrame:
    text = b"\n".join(lines)
    return pl.read_ndjson(text, infer_schema_length=None) if text else pl.DataFrame()


def _read_file(path: str) -> pl.DataFrame:
    try:
        if is_parquet(path):
            return pl.read_parquet(path)
        return pl.read_ndjson(path, infer_schema_length=None) if Path(path).stat().st_size else pl.DataFrame()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:  # the latter is no Exception
        raise InputError(f"{path} holds no outputs of a run, or was cut: {' '.join(str(error).split())}") from None


def _completed(table: pl.DataFrame, columns: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    """A table that has at least these columns."""
    return table.with_columns(
        *(pl.col(name).cast(dtype) for name, dtype in columns.items() if name in table.columns),
        *(pl.lit(None, dtype).alias(name) for name, dtype in columns.items() if name not in table.columns),
    )


def _as_number(values: pl.Series) -> pl.Series:
    """Texts as numbers, if all of them are."""
    numbers = values.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == values.null_count() else values


def _with_instants(table: pl.DataFrame) -> pl.DataFrame:
    names = {name: as_datetime for name, as_datetime in _TIMES.items() if name in table.columns}
    instants = [pl.from_epoch(name, "ms").dt.replace_time_zone("UTC").alias(name) for name in names]
    return table.with_columns(instants).rename(names)
