"""The folder of a run's state: made at its first start, and never taken for another run's."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

from bytewax.recovery import RecoveryConfig, init_db_dir

from dataflows.settings import SettingsError
from window_core import SnapshotError

__all__ = ["opened_state"]

_IDENTITY_FILE: Final = "latecomer.json"
_BEGUN_FILE: Final = "latecomer.json.new"

_PARTITIONS: Final = 1
"""Bytewax fixes this number when the folder is made; one database keeps up with every worker of one process."""


def opened_state(folder: Path, identity: dict[str, str]) -> tuple[RecoveryConfig, bool]:
    """The state in a folder, which is made if there is none, and whether it was.

    Args:
        folder: where it is kept.
        identity: what the state belongs to: the input and the outputs.
    Raises:
        SettingsError: it belongs to another input or output, or the folder holds something else.
        SnapshotError: it is damaged.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"--state {folder} is a file, not a folder")
    is_new = not (folder / _IDENTITY_FILE).is_file()
    if not is_new:
        _check_identity(folder, identity)
        for number in range(_PARTITIONS):
            _check_database(folder, folder / f"part-{number}.sqlite3")
    elif folder.exists() and any(folder.iterdir()) and not (folder / _BEGUN_FILE).is_file():
        raise SettingsError(f"--state {folder} holds other files, and no state of latecomer")
    else:
        _make(folder, identity)
    return RecoveryConfig(folder, backup_interval=timedelta(0)), is_new


def _make(folder: Path, identity: dict[str, str]) -> None:
    """Make an empty state. It has its name once it is whole; what a start that was cut short left behind is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = folder / _BEGUN_FILE
    begun.write_text(json.dumps(identity, indent=2) + "\n")
    for left_behind in folder.glob("part-*.sqlite3*"):
        left_behind.unlink()
    init_db_dir(folder, _PARTITIONS)
    begun.replace(folder / _IDENTITY_FILE)


def _check_identity(folder: Path, identity: dict[str, str]) -> None:
    try:
        written = json.loads((folder / _IDENTITY_FILE).read_bytes())
        of_run = {name: written[name] for name in identity}
    except (ValueError, TypeError, KeyError):
        raise SnapshotError(f"--state {folder} is damaged: {_IDENTITY_FILE} does not say what it belongs to") from None
    for name, value in identity.items():
        if of_run[name] != value:
            raise SettingsError(f"--state {folder} belongs to a run with --{name} {of_run[name]}, not {value}")


def _check_database(folder: Path, database: Path) -> None:
    """Find damage that Bytewax would meet with the state of its stack."""
    try:
        with closing(sqlite3.connect(database.resolve().as_uri() + "?mode=rw", uri=True)) as connection:
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise SnapshotError(f"--state {folder} is damaged: {database.name}: {found}")
