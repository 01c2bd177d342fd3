"""Marks how far a file was read or written when the state was saved, so that a replaced or changed file is noticed."""

import os
import stat
from typing import BinaryIO, Final, Self
from zlib import crc32

import msgspec

from window_core import SnapshotError

__all__ = ["FileMark"]

_PART_BYTES: Final = 1 << 20


class FileMark(msgspec.Struct, array_like=True, frozen=True):
    """A place in a file, and the line that ends there.

    Attributes:
        size: bytes up to that place.
        line_bytes: those of the last line before it, its newline included where it has one.
        checksum: of that line.
    """

    size: int = 0
    line_bytes: int = 0
    checksum: int = 0

    @classmethod
    def behind(cls, line: bytes, size: int) -> Self:
        """The place behind a line, which ends ``size`` bytes into the file."""
        return cls(size, len(line), crc32(line))

    def check(self, name: str, folder: str, content: BinaryIO | None = None) -> None:
        """Check that a file still holds what it held up to this place; it may have grown since.

        Args:
            name: the option and the path, for errors.
            folder: of the state.
            content: of a file whose lines are not its bytes; it is read up to this place.
        Raises:
            SnapshotError: it was cut, replaced or changed.
        """
        path = name.partition(" ")[2]
        if not (self.is_in(path) if content is None else self.is_read_from(content)):
            raise SnapshotError(
                f"{name} was cut, replaced or changed since --state {folder} was saved: the line that ended at byte "
                f"{self.size:,} is not there; bring the file back, or start anew with another --state"
            )

    def is_read_from(self, content: BinaryIO) -> bool:
        """Whether the line stands there in what is read from the beginning of a file, which is left behind it."""
        before = self.size - self.line_bytes
        while before and (part := content.read(min(before, _PART_BYTES))):
            before -= len(part)
        line = content.read(self.line_bytes)
        return before == 0 and len(line) == self.line_bytes and crc32(line) == self.checksum

    def is_in(self, path: str) -> bool:
        """Whether the line still stands there, in a file that can be read again."""
        try:
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that nobody writes would be waited for
        except FileNotFoundError:
            return self.size == 0
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return True
            line = os.pread(file, self.line_bytes, self.size - self.line_bytes)
            behind = os.pread(file, 1, self.size)
        finally:
            os.close(file)
        if len(line) != self.line_bytes or crc32(line) != self.checksum:
            return False
        return line.endswith(b"\n") or self.size == 0 or behind in (b"", b"\n")  # else it has become a longer line
