"""Turns a finished file of JSON lines into Parquet: a column for each field, nested ones as structs."""

from pathlib import Path

import polars as pl

__all__ = ["written_as_parquet"]


def written_as_parquet(lines: Path, parquet: Path) -> None:
    """Write the lines as Parquet and remove them. Without a line, there is a file without a column and a row."""
    if lines.stat().st_size:
        pl.scan_ndjson(lines, infer_schema_length=None).sink_parquet(parquet)
    else:
        pl.DataFrame().write_parquet(parquet)
    lines.unlink()
