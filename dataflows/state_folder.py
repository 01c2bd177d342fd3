"""The folder of a run's state: it names the run that it belongs to, is refused to any other, and serves one at a time.

Write access to it decides what a run takes for its windows, and what code it loads: so only its owner has it.
"""

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from dataflows.connectors.kafka.log import TOPIC_ID
from dataflows.connectors.locations import Locations, is_kafka
from dataflows.connectors.log import Log
from runtime.errors import SettingsError
from runtime.written_files import write_whole
from window_core import SnapshotError, WindowSpec

__all__ = [
    "IMPORTED_FILE",
    "check_rights",
    "check_unclaimed",
    "claim",
    "held",
    "identity_in",
    "identity_of",
    "is_claimed",
    "locked",
    "note_settings",
    "read_note",
    "window_in",
    "write_note",
    "wrote_in_transactions",
]

IMPORTED_FILE: Final = "imported.state"
"""A state that ``latecomer state import`` has put there, from which the first run begins."""


_IDENTITY_FILE: Final = "latecomer.json"
_BEGUN_FILE: Final = "latecomer.json.new"
_LOCK_FILE: Final = "latecomer.lock"
_SETTINGS_FILE: Final = "latecomer.settings.json"

_BEFORE_A_RUN: Final = frozenset({_LOCK_FILE, IMPORTED_FILE, IMPORTED_FILE + ".new"})
"""What may be in a folder in which no run has begun a state."""

_CHECKSUM: Final = "checksum"

_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def identity_of(engine: str, locations: Locations, log: Log) -> dict[str, str]:
    """What a state belongs to."""
    outputs = {"output": locations.predictions, "rejections": locations.rejections}
    places = {name: place if is_kafka(place) else str(Path(place).resolve()) for name, place in outputs.items()}
    return {"engine": engine, **log.identity(), **places}


def is_claimed(folder: Path, identity: dict[str, str]) -> bool:
    """Whether a folder holds the state of this run; it may be made if not.

    Raises:
        SettingsError: it belongs to another engine, input or output, or it holds something else.
        SnapshotError: it does not name its run.
    """
    if folder.exists():
        check_rights(folder)
    if (folder / _IDENTITY_FILE).is_file():
        _check_identity(folder, identity)
        _settings_in(folder)  # a damaged note is found before anything is written
        return True
    check_unclaimed(folder)
    return False


def check_unclaimed(folder: Path) -> None:
    """Check that a folder in which no run has made a state may become one.

    Raises:
        SettingsError: it holds something else, or others may write it.
    """
    if folder.exists():
        check_rights(folder)
    others = folder.exists() and any(path.name not in _BEFORE_A_RUN for path in folder.iterdir())
    if others and not (folder / _BEGUN_FILE).is_file():
        raise SettingsError(f"--state {folder} holds other files, and no state of latecomer: name another folder")


@contextmanager
def held(folder: Path, identity: dict[str, str]) -> Iterator[None]:
    """Keep other runs away from a folder for the time of the context. What a killed run held is free with its end.

    Raises:
        SettingsError: another run holds it, or it is none of this run's, as ``is_claimed`` says.
        SnapshotError: as ``is_claimed`` says.
    """
    is_claimed(folder, identity)  # nothing is written into what is somebody else's
    with _locked(folder):
        yield


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep runs away from a folder, whosever state it holds. It is made if it is not there.

    Raises:
        SettingsError: a run holds it, or others may write it.
    """
    if folder.exists():
        check_rights(folder)
    with _locked(folder):
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(lock):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"--state {folder} is in use by another run: stop that run, or name another folder"
            ) from None
        yield


def claim(folder: Path, identity: dict[str, str], prepare: Callable[[], None] = lambda: None) -> None:
    """Make a folder the state of a run. It is that once ``prepare`` is through: a start cut short is made again."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / _BEGUN_FILE).touch(0o600)
    prepare()
    write_note(folder / _IDENTITY_FILE, identity)


def identity_in(folder: Path) -> dict[str, str] | None:
    """What the state in a folder belongs to; ``None`` if no run has made one there.

    Raises:
        SnapshotError: it is damaged.
    """
    return read_note(folder / _IDENTITY_FILE) if (folder / _IDENTITY_FILE).is_file() else None


def note_settings(folder: Path, spec: WindowSpec, delivery: str) -> None:
    """Note what a state is kept by in this run; a later one may have other settings."""
    now = {"window": asdict(spec), "delivery": delivery}
    if _settings_in(folder) != now:
        write_note(folder / _SETTINGS_FILE, now)


def window_in(folder: Path) -> WindowSpec | None:
    """The numbers of the last run; ``None`` if that was of a version that did not note them.

    Raises:
        SnapshotError: the note is damaged.
    """
    found = _settings_in(folder)
    return WindowSpec(**found["window"]) if found else None


def wrote_in_transactions(folder: Path) -> bool:
    """Whether the last run wrote its outputs in transactions. Raises as ``window_in`` does."""
    return _settings_in(folder).get("delivery") == "exactly-once"


def _settings_in(folder: Path) -> dict[str, Any]:
    file = folder / _SETTINGS_FILE
    return read_note(file) if file.is_file() else {}


def check_rights(folder: Path) -> None:
    """See that nobody but the owner of the run can write a state, or have it written elsewhere.

    Raises:
        SettingsError: somebody can, or it is no folder.
    """
    if not folder.is_dir():
        raise SettingsError(f"--state {folder} is a file, not a folder")
    folder_rights = folder.stat()
    is_closed = stat.S_IMODE(folder_rights.st_mode) & (stat.S_IRWXG | stat.S_IRWXO) == 0
    for path, rights in ((folder, folder_rights), *_files(folder)):
        if stat.S_ISLNK(rights.st_mode):
            raise SettingsError(f"--state {folder}: {path.name} is a link: all files of a state must be in its folder")
        if rights.st_uid != os.geteuid():
            raise SettingsError(
                f"--state {folder}: {path} belongs to another user: run as that user, or name another folder"
            )
        out_of_reach = is_closed and stat.S_ISDIR(rights.st_mode)  # Flink's own, made as the umask says
        if rights.st_mode & _WRITABLE_BY_OTHERS and not out_of_reach:
            raise SettingsError(f"--state {folder}: {path} may be written by others: remove that right (chmod go-w)")


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """What is in a folder. Another reader of the database removes the files of its log when it is the last to close."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            yield path, path.lstat()


def write_note(file: Path, note: Mapping[str, Any]) -> None:
    """Write down something about a state, whole or not at all, with its checksum."""
    write_whole(file, _encoded(note))


def read_note(file: Path) -> dict[str, Any]:
    """What was written down.

    Raises:
        SnapshotError: it is damaged.
    """
    data = file.read_bytes()
    try:
        note: dict[str, Any] = json.loads(data)
        del note[_CHECKSUM]
        is_whole = _encoded(note) == data
    except (ValueError, TypeError, KeyError):
        is_whole = False
    if not is_whole:
        raise SnapshotError(
            f"--state {file.parent} is damaged: {file.name} is not whole, or was written by an earlier version"
        )
    return note


def _encoded(note: Mapping[str, Any]) -> bytes:
    checksum = f"{crc32(json.dumps(note).encode()):08x}"
    return json.dumps({**note, _CHECKSUM: checksum}, indent=2).encode() + b"\n"


def _check_identity(folder: Path, identity: dict[str, str]) -> None:
    of_run = read_note(folder / _IDENTITY_FILE)
    if TOPIC_ID in identity and of_run.get(TOPIC_ID) not in (None, identity[TOPIC_ID]):
        raise SettingsError(
            f"--state {folder} belongs to another topic: {identity['input']} was deleted and made anew; start "
            "anew with another --state"
        )
    for name, value in identity.items():
        if of_run.get(name) != value:
            raise SettingsError(f"--state {folder} belongs to a run with --{name} {of_run.get(name)}, not {value}")
