"""Marks how far a file was read or written when the state was saved, so that a replaced or changed file is noticed."""

from io import FileIO
from pathlib import Path
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
        if not self.is_in(path, content):
            raise SnapshotError(
                f"{name} was cut, replaced or changed since --state {folder} was saved: the line that ended at byte "
                f"{self.size:,} is not there; bring the file back, or start anew with another --state"
            )

    def is_in(self, path: str, content: BinaryIO | None = None) -> bool:
        """Whether the line still stands there, in a file that can be read again, or in its content if that is given."""
        if content is not None:
            return self.passed_in(content) is not None
        place = Path(path)
        if not place.is_file():  # a pipe is not even opened: whoever writes into it would take the look for the run
            return place.exists() or self.size == 0
        with FileIO(path) as lines:
            return self.sought_in(lines) is not None

    def passed_in(self, content: BinaryIO) -> Self | None:
        """Read a file from its beginning to this place, where it is left.

        Returns:
            The place, which is behind the newline if the line has got one since; ``None``: the line is not there.
        """
        before = self.size - self.line_bytes
        while before and (part := content.read(min(before, _PART_BYTES))):
            before -= len(part)
        return self._behind_line(content) if before == 0 else None

    def sought_in(self, file: FileIO) -> Self | None:
        """The same in a file whose bytes are its lines, in which one can seek."""
        file.seek(self.size - self.line_bytes)
        return self._behind_line(file)

    def _behind_line(self, content: BinaryIO | FileIO) -> Self | None:
        line = content.read(self.line_bytes)
        if len(line) != self.line_bytes or crc32(line) != self.checksum:
            return None
        if self.size == 0 or line.endswith(b"\n"):
            return self
        behind = content.read(1)
        if behind == b"\n":
            return self.behind(line + behind, self.size + 1)
        return self if behind == b"" else None  # else it has become a longer line
