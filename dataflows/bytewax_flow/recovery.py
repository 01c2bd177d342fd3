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

from dataflows.bytewax_flow.database import checked_database, make_database
from dataflows.bytewax_flow.saved import LOG_STEP, OUTPUTS_STEP, resume_epoch, seed_database
from dataflows.bytewax_flow.sealed import checked_pickle, loaded_pickle
from dataflows.state_folder import claim, is_claimed

__all__ = ["SavedEnds", "opened_state"]


_SNAPSHOTS: Final = "SELECT step_id, state_key, ser_change FROM snaps WHERE ser_change IS NOT NULL ORDER BY snap_epoch"


class SavedEnds(NamedTuple):
    """What the last whole epoch left of each part of the log and of the outputs, by their names."""

    log: dict[str, Any]
    outputs: dict[str, Any]


def opened_state(
    folder: Path, identity: dict[str, str], imported: Path | None = None
) -> tuple[RecoveryConfig, SavedEnds]:
    """The state in a folder, which is made if there is none, and where it says the log and the outputs were.

    Args:
        folder: where it is kept.
        identity: what the state belongs to: the engine, the input and the outputs.
        imported: the portable state that a new one begins with; ``None``: it begins at the beginning.
    Raises:
        SettingsError: it belongs to another run, or the folder holds something else.
        SnapshotError: it is damaged.
    """
    if not is_claimed(folder, identity):
        claim(folder, identity, partial(_prepare, folder, identity, imported))
    if imported is not None:
        imported.unlink()  # its content is in the database now
    with checked_database(folder) as connection:
        with connection:
            connection.execute("DELETE FROM snaps WHERE snap_epoch >= ?", (resume_epoch(connection),))
        saved = SavedEnds({}, {})
        ends = {LOG_STEP: saved.log, OUTPUTS_STEP: saved.outputs}
        for step, key, stored in connection.execute(_SNAPSHOTS):
            checked_pickle(stored)
            if step in ends:
                ends[step][key] = loaded_pickle(stored)
    return RecoveryConfig(folder, backup_interval=timedelta(0)), saved


def _prepare(folder: Path, identity: dict[str, str], imported: Path | None) -> None:
    make_database(folder)
    if imported is not None:
        seed_database(folder, imported, identity)
