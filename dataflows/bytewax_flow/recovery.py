"""The state of a run on Bytewax: opened as it was at the end of the last complete epoch, or not at all.

Bytewax writes the snapshots of an epoch first, and that it is over (its frontier) behind them. A run that dies between
leaves snapshots of an epoch that never ended. Bytewax starts that epoch again and passes them over, but they keep their
number: once the next run has ended an epoch of this number, with other records in it, they are taken for its own.
So they are removed before it starts. docs/adr/0001 lists each pair of writes between which a run can die.
"""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from bytewax.recovery import RecoveryConfig

from dataflows.bytewax_flow.database import checked_database
from dataflows.bytewax_flow.databases import (
    databases_in,
    moved_into,
    new_databases,
    remove_leftovers,
    without_orphans,
)
from dataflows.bytewax_flow.saved import (
    LOG_STEP,
    OUTPUTS_STEP,
    check_process,
    redistribute,
    resume_epoch,
    seed_databases,
)
from dataflows.bytewax_flow.sealed import checked_pickle, loaded_pickle
from dataflows.state_folder import claim, is_claimed

__all__ = ["SavedEnds", "opened_state", "recovery_of", "resumed"]


_SNAPSHOTS: Final = "SELECT step_id, state_key, ser_change FROM snaps WHERE ser_change IS NOT NULL ORDER BY snap_epoch"


class SavedEnds(NamedTuple):
    """What the last whole epoch left of each part of the log and of the outputs, by their names."""

    log: dict[str, Any]
    outputs: dict[str, Any]


def opened_state(
    folder: Path, identity: dict[str, str], imported: Path | None = None, processes: int = 1
) -> list[Path]:
    """The state in a folder, which is made if there is none: the folder of the database of each process.

    Args:
        folder: where it is kept.
        identity: what the state belongs to: the engine, the input and the outputs.
        imported: the portable state that a new one begins with; ``None``: it begins at the beginning.
        processes: how many will run; a state of another number is moved into as many databases.
    Raises:
        SettingsError: it belongs to another run, or the folder holds something else.
        SnapshotError: it is damaged.
    """
    if not is_claimed(folder, identity):
        claim(folder, identity, partial(_prepare, folder, identity, imported, processes))
    if imported is not None:
        imported.unlink()  # its content is in the databases now
    remove_leftovers(folder)
    if len(databases_in(folder)) != processes:
        with without_orphans(folder):
            moved_into(folder, processes, redistribute)
    return databases_in(folder)


def recovery_of(database: Path) -> RecoveryConfig:
    """How Bytewax is given the database in a folder, which was checked."""
    return RecoveryConfig(database, backup_interval=timedelta(0))


def resumed(databases: list[Path]) -> SavedEnds:
    """Check the databases of a state, make them ready for a run, and tell where they say the log and the outputs were.

    Raises:
        SnapshotError: one is damaged, or is that of another process.
    """
    saved = SavedEnds({}, {})
    ends = {LOG_STEP: saved.log, OUTPUTS_STEP: saved.outputs}
    for number, folder in enumerate(databases):
        with checked_database(folder) as connection:
            with connection:
                connection.execute("DELETE FROM snaps WHERE snap_epoch >= ?", (resume_epoch(connection),))
            for step, key, stored in connection.execute(_SNAPSHOTS):
                checked_pickle(stored)
                if step == LOG_STEP:
                    check_process(key, number, len(databases))
                if step in ends:
                    ends[step][key] = loaded_pickle(stored)
    return saved


def _prepare(folder: Path, identity: dict[str, str], imported: Path | None, processes: int) -> None:
    databases = new_databases(folder, processes)
    if imported is not None:
        seed_databases(databases, imported, identity)
