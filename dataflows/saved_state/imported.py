"""A state that was put into a folder for the first run there to begin with.

It is a copy of the portable file, and becomes a state of an engine in the same step in which the first run claims the
folder. Until then nothing has changed, and afterwards it is of no use: so a death at any place does no harm.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataflows.connectors.log import Log
from dataflows.saved_state.fitting import check_fits
from dataflows.saved_state.origin import Origin
from dataflows.saved_state.portable_file import read_devices, read_origin, write_portable_file
from dataflows.state_folder import IMPORTED_FILE, check_unclaimed, identity_in, locked
from runtime.errors import SettingsError

__all__ = ["fitting_origin", "import_state", "imported_state"]


def import_state(file: Path, folder: Path, name: str) -> tuple[Origin, int]:
    """Copy a state into a folder that has none.

    Args:
        file: the state.
        folder: it is made if it is not there.
        name: of the file, for errors.
    Returns:
        What the state belongs to, and how many devices it has.
    Raises:
        SettingsError: the folder holds a state or other files, or others may write it.
        SnapshotError: the file is damaged, or of another version.
    """
    origin = read_origin(file, name)
    for _ in read_devices(file, name):
        pass  # each was checked, before anything is written
    with _empty(folder):
        count = write_portable_file(folder / IMPORTED_FILE, origin, read_devices(file, name))
    return origin, count


def imported_state(folder: Path, log: Log, given: str | None) -> Path | None:
    """The state that the first run in a folder, which holds it, begins with; ``None``: it begins at the beginning.

    Args:
        folder: of the state.
        log: what the run reads.
        given: a portable file, which is put into a folder that has neither a state nor another one.
    Raises:
        SettingsError: it is of another log, or of other sensors.
        SnapshotError: it is damaged, or the log is not the one that was read.
    """
    file = folder / IMPORTED_FILE
    if identity_in(folder) is not None or (given is None and not file.is_file()):
        return file if file.is_file() else None
    source, name = (file, f"{file}") if file.is_file() else (Path(given or ""), f"--from-export {given}")
    origin = fitting_origin(source, log, name)
    if source != file:
        for _ in read_devices(source, name):
            pass
        write_portable_file(file, origin, read_devices(source, name))
    return file


def fitting_origin(file: Path, log: Log, name: str) -> Origin:
    """What a state belongs to that a run of a log may begin with. Raises as ``imported_state`` does."""
    origin = read_origin(file, name)
    check_fits(origin, log, name)
    return origin


@contextmanager
def _empty(folder: Path) -> Iterator[None]:
    """Hold a folder in which there is no state.

    Raises:
        SettingsError: there is one, or something else.
    """
    if folder.is_dir() and (identity_in(folder) is not None or (folder / IMPORTED_FILE).is_file()):
        raise SettingsError(f"--state {folder} holds a state already: name another folder")
    check_unclaimed(folder)
    with locked(folder):
        yield
