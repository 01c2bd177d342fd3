"""Tables in files, by suffix: CSV, TSV, JSON lines or Parquet. Not logs: they are read and written at once."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dataflows.connectors.locations import is_parquet
from dataflows.pipeline.first_records import InputError
from runtime.errors import SettingsError
from runtime.written_files import naming

if TYPE_CHECKING:
    import polars as pl

__all__ = ["TABLE_SUFFIXES", "check_input_table", "check_output_table", "read_table", "write_lines", "write_table"]

TABLE_SUFFIXES: Final = (".csv", ".tsv", ".jsonl", ".parquet")


def check_input_table(flag: str, path: str) -> None:
    """Look whether a table can be read.

    Raises:
        SettingsError: there is no such file, or its suffix is of no format.
    """
    if not Path(path).is_file():
        raise SettingsError(f"{flag} {path} does not exist, or is no file")
    _check_suffix(flag, path, TABLE_SUFFIXES)


def check_output_table(
    flag: str, path: str, others: Iterable[tuple[str, str | None]], suffixes: Iterable[str] = TABLE_SUFFIXES
) -> None:
    """Look whether a table can be written, and make its folder.

    Args:
        flag: the option.
        path: its value.
        others: files that are read, each behind its option.
        suffixes: those of formats that will do.
    Raises:
        SettingsError: it cannot, or it is one of the others.
    """
    _check_suffix(flag, path, suffixes)
    file = Path(path)
    for other, read in others:
        if read is not None and file.exists() and Path(read).exists() and file.samefile(read):
            raise SettingsError(f"{flag} and {other} are the same file, {path}")
    if file.is_dir():
        raise SettingsError(f"{flag} {path} is a folder, not a file")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{flag} {path}: {error.strerror}") from None
    if not os.access(file.parent, os.W_OK):
        raise SettingsError(f"{flag} {path} may not be written")


def read_table(flag: str, path: str, texts: Iterable[str] = ()) -> "pl.DataFrame":
    """The rows of a file.

    Args:
        flag: the option that named it.
        path: the file.
        texts: columns of CSV that hold texts, whatever they look like.
    Raises:
        InputError: it is damaged, or of another format.
    """
    import polars as pl  # loaded when it is needed

    suffix = Path(path).suffix
    try:
        if suffix == ".parquet":
            return pl.read_parquet(path)
        if suffix == ".jsonl":
            return pl.read_ndjson(path, infer_schema_length=None)
        separator = "\t" if suffix == ".tsv" else ","
        overrides = dict.fromkeys(texts, pl.String)
        return pl.read_csv(path, separator=separator, infer_schema_length=None, schema_overrides=overrides)
    except pl.exceptions.NoDataError:
        return pl.DataFrame()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:  # the latter is no Exception
        raise InputError(f"{flag} {path} cannot be read: {' '.join(str(error).split())[:200]}") from None


def write_table(table: "pl.DataFrame", path: str) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    from polars.exceptions import PolarsError

    from dataflows.connectors.parquet import os_error_in

    new, suffix = Path(path + ".new"), Path(path).suffix
    try:
        if suffix == ".parquet":
            table.write_parquet(new)
        elif suffix == ".jsonl":
            table.write_ndjson(new)
        else:
            table.write_csv(new, separator="\t" if suffix == ".tsv" else ",")
    except (PolarsError, OSError) as error:
        new.unlink(missing_ok=True)
        raise os_error_in(error, path) from None
    new.replace(path)


def write_lines(lines: Iterable[bytes], path: str) -> None:
    """Write lines of JSON whole or not at all: as they are, or as Parquet if the name says so.

    Raises:
        OSError: the file cannot be written.
    """
    new = Path(path + ".lines")
    try:
        with naming(path), new.open("wb") as file:
            file.writelines(line + b"\n" for line in lines)
        if is_parquet(path):
            from dataflows.connectors.parquet import written_as_parquet

            written_as_parquet(new, Path(path))
        else:
            new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _check_suffix(flag: str, path: str, suffixes: Iterable[str]) -> None:
    if Path(path).suffix not in suffixes:
        raise SettingsError(f"{flag} {path}: the name must end in {', '.join(suffixes)}")
