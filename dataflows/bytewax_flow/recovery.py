"""The folder of a run's state: made at its first start, and never taken for another run's."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Final

from bytewax.recovery import RecoveryConfig, init_db_dir

from dataflows.settings import SettingsError

__all__ = ["opened_state"]

_IDENTITY_FILE: Final = "latecomer.json"

_PARTITIONS: Final = 1
"""Bytewax fixes this number when the folder is made; one database keeps up with every worker of one process."""


def opened_state(folder: Path, identity: dict[str, str]) -> RecoveryConfig:
    """The state in a folder, which is made if there is none.

    Args:
        folder: where it is kept.
        identity: what the state belongs to: the input and the outputs.
    Raises:
        SettingsError: it belongs to another input or output, or the folder holds something else.
    """
    identity_file = folder / _IDENTITY_FILE
    if identity_file.is_file():
        written = json.loads(identity_file.read_text())
        for name, value in identity.items():
            if written.get(name) != value:
                raise SettingsError(f"--state {folder} belongs to a run with --{name} {written.get(name)}, not {value}")
    elif folder.exists() and any(folder.iterdir()):
        raise SettingsError(f"--state {folder} holds other files, and no state of latecomer")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        init_db_dir(folder, _PARTITIONS)
        identity_file.write_text(json.dumps(identity, indent=2) + "\n")
    return RecoveryConfig(folder, backup_interval=timedelta(0))
