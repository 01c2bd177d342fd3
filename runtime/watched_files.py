"""Files that are read again when they change: certificates, keys, tokens.

New content is used only if it is complete and valid. Until then the last valid content stays in use, so that an
incomplete rotation fails no call. Each change between readable and unreadable is logged once.
"""

import errno
import logging
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

from runtime.errors import SettingsError

__all__ = ["StaleFilesError", "WatchedFiles"]

_logger = logging.getLogger(__name__)

Value = TypeVar("Value")


class StaleFilesError(Exception):
    """Files have been unreadable for so long that what they held before must not be used any more."""


class WatchedFiles(Generic[Value]):
    """What some files hold, as one value; safe for use by many threads.

    Whether a file has changed is asked of the file system at each use: a few microseconds.
    """

    def __init__(
        self,
        paths: Sequence[str],
        parsed: Callable[[list[bytes]], Value],
        kept_s: float | None = None,
        clock_s: Callable[[], float] = monotonic,
    ) -> None:
        """Read them for the first time.

        Args:
            paths: the files.
            parsed: makes the value of their contents; a ``SettingsError`` of it says what is wrong, without contents.
            kept_s: how long the last value stays in use while the files are unreadable; ``None``: for ever.
            clock_s: a clock that never goes back, s.
        Raises:
            SettingsError: one cannot be read, or they do not hold what they should.
        """
        self._paths = paths
        self._parsed = parsed
        self._kept_s = kept_s
        self._clock_s = clock_s
        self._lock = Lock()
        self._fault: str | None = None
        self._faulty_since_s = 0.0
        self._is_stale = False
        self._seen: list[tuple[int, int, int]] | None
        try:
            self._seen = self._look()
            self._value = self._parsed([Path(path).read_bytes() for path in self._paths])
        except OSError as error:
            raise SettingsError(f"{error.filename}: {error.strerror}") from None

    def current(self) -> Value:
        """The value, after a change the new one if it is valid.

        Raises:
            StaleFilesError: the files have been unreadable for longer than the last value may stay in use.
        """
        with self._lock:
            try:
                seen = self._look()
                if seen != self._seen:
                    self._seen = seen  # what is not valid is looked at again when it changes again
                    self._value = self._parsed([_content(path) for path in self._paths])
                    self._note_readable()
            except OSError as error:
                self._seen = None
                self._note_fault(f"{error.filename}: {error.strerror}")
            except SettingsError as error:
                self._note_fault(str(error))
            if self._fault is not None:
                self._check_age()
            return self._value

    def _note_fault(self, fault: str) -> None:
        if fault == self._fault:
            return
        if self._fault is None:
            self._faulty_since_s = self._clock_s()
        self._fault = fault
        if not self._is_stale:
            kept = "stays in use" if self._kept_s is None else f"stays in use for {self._kept_s / 60:g} minutes"
            _logger.warning("%s; what was there before %s", fault, kept)

    def _note_readable(self) -> None:
        if self._fault is not None:
            _logger.warning("%s: readable again", ", ".join(self._paths))
        self._fault, self._is_stale = None, False

    def _check_age(self) -> None:
        if self._kept_s is None or self._clock_s() - self._faulty_since_s < self._kept_s:
            return
        if not self._is_stale:
            self._is_stale = True
            _logger.error("%s; what was there before is not used any more", self._fault)
        raise StaleFilesError

    def _look(self) -> list[tuple[int, int, int]]:
        """What changes whenever a file is written or replaced, links included."""
        found = [os.stat(path) for path in self._paths]  # noqa: PTH116 - a fifth of the time of Path.stat, for each call
        return [(one.st_mtime_ns, one.st_size, one.st_ino) for one in found]


def _content(path: str) -> bytes:
    """What a file holds. A pipe that has taken its place would keep every call waiting, and a device has no end."""
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", path)
        return file.read()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
