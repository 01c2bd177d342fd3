"""Files that are written whole or not at all, and errors that say which file could not be written.

Only what opens a file says so by itself; a write meets a full disk with its number and nothing else.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

__all__ = ["naming", "write_error", "write_whole"]

_PROBE_BYTES: Final = 64 * 1024
"""Twice what SQLite asks for at once: the index of its log, 32 KiB."""


@contextmanager
def naming(place: object) -> Iterator[None]:
    """Inside, an error of the operating system that names no file names this place."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(place)) from None


def write_error(folder: Path) -> OSError | None:
    """What keeps this process from writing into a folder, such as a full disk; ``None`` if nothing does."""
    try:
        with TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return OSError(error.errno, error.strerror, str(folder))
    return None


def write_whole(file: Path, data: bytes) -> None:
    """Write a file for its owner alone: a crash or a full disk leaves what it held before."""
    new = file.with_name(file.name + ".new")
    with (
        naming(file),
        os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as written,
    ):
        written.write(data)
        written.flush()
        os.fsync(written.fileno())
    new.replace(file)
