"""Reduces a failure to one line on the terminal.

Where one of our functions raises, or a write of the state fails, Bytewax's runtime panics: it hands the error on as an
exception, but first prints its stack to standard error. Nothing from that line on is shown, up to the end of the flow.
"""

import errno
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from threading import Thread
from typing import Final

from runtime.written_files import write_error

__all__ = ["cause_of", "disk_error", "without_panics"]

_PANIC: Final = re.compile(rb"thread '.*' panicked at ")

_SQLITE_FAILURE: Final = re.compile(r'SqliteFailure\(Error \{ code: \w+, extended_code: (\d+) \}, Some\("(.*)"\)\)')
"""How an error of SQLite looks in what Bytewax raises."""

_PRIMARY: Final = 0xFF
"""The bits of a result code that say what kind it is (https://www.sqlite.org/rescode.html)."""


@contextmanager
def without_panics() -> Iterator[Callable[[], None]]:
    """Inside, standard error is a pipe to a thread that passes on what comes before a panic.

    Python's own ``sys.stderr`` goes straight to where it went.

    Yields:
        What silences both, until the end of the context.
    """
    before, terminal = sys.stderr, os.dup(2)
    before.flush()
    read, write = os.pipe()
    os.dup2(write, 2)
    os.close(write)
    with (
        os.fdopen(terminal, "w", buffering=1, encoding="utf-8", errors="backslashreplace") as direct,
        Path(os.devnull).open("w") as nowhere,
    ):

        def silence() -> None:
            sys.stderr = nowhere

        thread = Thread(target=_pass_on, args=(read, terminal, silence), daemon=True)
        if _is_standard_error(before):
            sys.stderr = direct
        thread.start()
        try:
            yield silence
        finally:
            os.dup2(terminal, 2)  # closes the pipe, which ends the thread
            thread.join()
            sys.stderr = before


def cause_of(error: BaseException, folder: str | None) -> BaseException:
    """What went wrong: Bytewax wraps it in errors of its own that say where it was called.

    Args:
        error: what Bytewax raised.
        folder: that of the state.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    return error if folder is None else disk_error(error, Path(folder)) or error


def disk_error(error: BaseException, folder: Path) -> OSError | None:
    """What the disk says where a database could not be written; nothing if that is not what an error is about."""
    if isinstance(error, sqlite3.Error):
        code, message = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY, str(error)
        if code not in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
            return None
    elif (found := _SQLITE_FAILURE.search(str(error))) is not None:
        code, message = int(found[1]) & _PRIMARY, found[2]
    else:
        return None
    if code == sqlite3.SQLITE_FULL:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    # SQLite has one word for a full disk, a quota and a broken one
    return write_error(folder) or OSError(errno.EIO, message, str(folder))


def _is_standard_error(file: object) -> bool:
    try:
        return file.fileno() == 2  # type: ignore[attr-defined, no-any-return]
    except (AttributeError, OSError):  # a file of somebody's who reads it
        return False


def _pass_on(read: int, terminal: int, silence: Callable[[], None]) -> None:
    is_heard = True
    with os.fdopen(read, "rb") as lines, FileIO(terminal, "w", closefd=False) as shown:
        for line in lines:
            if _PANIC.match(line):
                is_heard = False
                silence()
            if is_heard:
                with suppress(OSError):  # nobody reads it
                    shown.write(line)
