"""Which databases a state has: one for each process of its run, and which of them are the state's at this instant.

The state of one process has its database in its own folder. That of several has a folder of databases, and a note that
names it. Another number of processes has new databases, beside the old ones: the state moves into them in the one step
that replaces the note. Whatever the note does not name was left by a death, and is removed by the next run.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Final

from dataflows.bytewax_flow.database import make_database, remove_database, seal_database, sync_folder
from dataflows.state_folder import check_rights, read_note, write_note
from runtime.terminal import say

__all__ = ["databases_in", "moved_into", "new_databases", "remove_leftovers", "without_orphans"]

_NOTE_FILE: Final = "latecomer.databases.json"
_FOLDER: Final = "databases-"
_LOCK_FILE: Final = "processes.lock"


def databases_in(folder: Path) -> list[Path]:
    """The folder of each database of a state, by the numbers of its processes.

    Raises:
        SnapshotError: the note is damaged.
        SettingsError: others may write them.
    """
    note = _note(folder)
    if note is None:
        return [folder]
    place = folder / note[0]
    found = [place / str(number) for number in range(note[1])]
    for path in (place, *found):
        if path.exists():
            check_rights(path)
    return found


def new_databases(folder: Path, processes: int) -> list[Path]:
    """Make the databases of a new state; what an interrupted start left is made again."""
    if _note(folder) is not None:
        (folder / _NOTE_FILE).unlink()
    remove_leftovers(folder)
    if processes == 1:
        make_database(folder)
        return [folder]
    place = folder / f"{_FOLDER}1"
    found = _made(place, processes)
    write_note(folder / _NOTE_FILE, {"folder": place.name, "processes": processes})
    return found


def moved_into(folder: Path, processes: int, fill: Callable[[list[Path], list[Path]], None]) -> None:
    """Give a state databases for another number of processes, wholly or not at all.

    Args:
        folder: of the state, which nobody else uses.
        processes: how many there will be.
        fill: copies the state from its databases to new, empty ones.
    """
    note = _note(folder)
    number = 1 if note is None else int(note[0].removeprefix(_FOLDER)) + 1
    place = folder / f"{_FOLDER}{number}"
    new = _made(place, processes)
    fill(databases_in(folder), new)
    for path in new:
        seal_database(path)
        sync_folder(path)
    sync_folder(place)
    sync_folder(folder)
    write_note(folder / _NOTE_FILE, {"folder": place.name, "processes": processes})  # from here on it is the state
    sync_folder(folder)
    remove_leftovers(folder)


def remove_leftovers(folder: Path) -> None:
    """Remove the databases in the folder of a state that are not the state's, or no longer."""
    note = _note(folder)
    for place in folder.glob(f"{_FOLDER}*"):
        if note is None or place.name != note[0]:
            rmtree(place)
    if note is not None:
        remove_database(folder)


@contextmanager
def without_orphans(folder: Path) -> Iterator[int | None]:
    """Wait until the processes of a killed run have ended, which they do at once, and hold off others for the context.

    Yields:
        The descriptor by which a process shows that it is there: whoever inherits it holds the databases. ``None``
        for a state whose run is one process.
    """
    note = _note(folder)
    if note is None:
        yield None
        return
    lock = os.open(folder / note[0] / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(lock):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"--state {folder}: waiting for the processes of a run that was killed to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def _note(folder: Path) -> tuple[str, int] | None:
    """The folder of the databases, and how many there are; ``None``: one, in the folder of the state."""
    file = folder / _NOTE_FILE
    if not file.is_file():
        return None
    note = read_note(file)
    return note["folder"], note["processes"]


def _made(place: Path, processes: int) -> list[Path]:
    found = [place / str(number) for number in range(processes)]
    for path in found:
        path.mkdir(mode=0o700, parents=True)
        make_database(path)
    return found
