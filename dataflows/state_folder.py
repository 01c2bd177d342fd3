"""The folder of a run's state: it says whose it is, and is never taken for another run's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dataflows.file_log import FileLog
from dataflows.kafka_log import KafkaLog
from dataflows.locations import Locations, is_kafka
from dataflows.settings import SettingsError
from window_core import SnapshotError

__all__ = ["claim", "identity_of", "is_claimed"]

_IDENTITY_FILE: Final = "latecomer.json"
_BEGUN_FILE: Final = "latecomer.json.new"


def identity_of(engine: str, locations: Locations, log: FileLog | KafkaLog) -> dict[str, str]:
    """What a state belongs to. Where a topic has other partitions than it had, a device may be in another one."""
    places = {"input": locations.input, "output": locations.predictions, "rejections": locations.rejections}
    identity = {name: place if is_kafka(place) else str(Path(place).resolve()) for name, place in places.items()}
    if isinstance(log, KafkaLog):
        identity["input"] += f" of {log.partitions} partitions"
    return {"engine": engine, **identity}


def is_claimed(folder: Path, identity: dict[str, str]) -> bool:
    """Whether a folder holds the state of this run; it may be made if not.

    Raises:
        SettingsError: it belongs to another engine, input or output, or it holds something else.
        SnapshotError: it does not say whose it is.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"--state {folder} is a file, not a folder")
    if (folder / _IDENTITY_FILE).is_file():
        _check_identity(folder, identity)
        return True
    if folder.exists() and any(folder.iterdir()) and not (folder / _BEGUN_FILE).is_file():
        raise SettingsError(f"--state {folder} holds other files, and no state of latecomer")
    return False


def claim(folder: Path, identity: dict[str, str], prepare: Callable[[], None] = lambda: None) -> None:
    """Make a folder the state of a run. It is that once ``prepare`` is through: a start cut short is made again."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = folder / _BEGUN_FILE
    begun.write_text(json.dumps(identity, indent=2) + "\n")
    prepare()
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
