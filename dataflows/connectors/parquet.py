"""Turns a finished file of JSON lines into Parquet: a column for each field, nested ones as structs."""

import os
import re
from pathlib import Path
from typing import Final

import polars as pl

__all__ = ["written_as_parquet"]

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
        said = _OS_ERROR.search(str(error))  # Polars has no other way to say it
        raise OSError(int(said[1]), os.strerror(int(said[1])), str(parquet)) if said else error from None
    lines.unlink()
