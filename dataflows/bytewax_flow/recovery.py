"""The databases in which Bytewax keeps the state of a run."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from bytewax.recovery import RecoveryConfig, init_db_dir

from dataflows.state_folder import claim, is_claimed
from window_core import SnapshotError

__all__ = ["opened_state"]

_PARTITIONS: Final = 1
"""Bytewax fixes this number when the folder is made; one database keeps up with every worker of one process."""


def opened_state(folder: Path, identity: dict[str, str]) -> tuple[RecoveryConfig, bool]:
    """The state in a folder, which is made if there is none, and whether it was.

    Args:
        folder: where it is kept.
        identity: what the state belongs to: the engine, the input and the outputs.
    Raises:
        SettingsError: it belongs to another run, or the folder holds something else.
        SnapshotError: it is damaged.
    """
    is_new = not is_claimed(folder, identity)
    if is_new:
        claim(folder, identity, partial(_make_databases, folder))
    else:
        for number in range(_PARTITIONS):
            _check_database(folder, folder / f"part-{number}.sqlite3")
    return RecoveryConfig(folder, backup_interval=timedelta(0)), is_new


def _make_databases(folder: Path) -> None:
    for left_behind in folder.glob("part-*.sqlite3*"):  # by a start that was cut short
        left_behind.unlink()
    init_db_dir(folder, _PARTITIONS)


def _check_database(folder: Path, database: Path) -> None:
    """Find damage that Bytewax would meet with the state of its stack."""
    try:
        with closing(sqlite3.connect(database.resolve().as_uri() + "?mode=rw", uri=True)) as connection:
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise SnapshotError(f"--state {folder} is damaged: {database.name}: {found}")
