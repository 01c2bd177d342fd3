"""The folder of a run's state: it says whose it is, is never taken for another run's, and serves one run at a time."""

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dataflows.file_log import FileLog
from dataflows.kafka.log import KafkaLog
from dataflows.locations import Locations, is_kafka
from runtime.errors import SettingsError
from window_core import SnapshotError

__all__ = ["claim", "held", "identity_of", "is_claimed"]

_IDENTITY_FILE: Final = "latecomer.json"
_BEGUN_FILE: Final = "latecomer.json.new"
_LOCK_FILE: Final = "latecomer.lock"


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
    others = folder.exists() and any(path.name != _LOCK_FILE for path in folder.iterdir())
    if others and not (folder / _BEGUN_FILE).is_file():
        raise SettingsError(f"--state {folder} holds other files, and no state of latecomer")
    return False


@contextmanager
def held(folder: Path, identity: dict[str, str]) -> Iterator[None]:
    """Keep other runs away from a folder for the time of the context. What a killed run held is free with its end.

    Raises:
        SettingsError: another run holds it, or it is none of this run's, as ``is_claimed`` says.
        SnapshotError: as ``is_claimed`` says.
    """
    is_claimed(folder, identity)  # nothing is written into what is somebody else's
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"--state {folder} is in use by another run: end that one, or name another folder"
            ) from None
        yield


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
