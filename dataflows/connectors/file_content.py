"""What an input file holds, read as lines: JSON or rows of a table, packed or not, and Parquet as JSON."""

import io
import sys
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, get_args

from dataflows.connectors.locations import STANDARD
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.first_records import InputError

__all__ = [
    "FILE_FORMATS",
    "FileFormat",
    "Unpacker",
    "check_content",
    "format_of",
    "is_plain",
    "is_read_once",
    "opened_content",
]

FileFormat = Literal["json", "csv", "tsv", "parquet"]
FILE_FORMATS: Final[tuple[FileFormat, ...]] = get_args(FileFormat)

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_PARQUET: Final = b"PAR1"
_PART_BYTES: Final = 256 * 1024
_PACKED_BYTES: Final = 16 * 1024
"""Unpacked at once; they may become many."""

_PACKED_SUFFIXES: Final = (".gz", ".zst", ".zstd")


def format_of(path: str, given: FileFormat | None) -> FileFormat:
    """The format that was given, else that of the suffix; JSON lines if it has none of ours.

    >>> format_of("readings.csv.gz", None)
    'csv'
    """
    if given is not None:
        return given
    name = path.lower()
    for suffix in _PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    return next((one for one in FILE_FORMATS if name.endswith(f".{one}")), "json")


def is_plain(path: str, file_format: FileFormat) -> bool:
    """Whether the bytes of a file are its lines, so that one can seek to any of them; of a pipe nobody knows yet."""
    return file_format != "parquet" and _beginning(path)[:2] != _GZIP and _beginning(path) != _ZSTD


def is_read_once(path: str) -> bool:
    """Whether what it holds is only seen while it is read: of standard input, or a pipe."""
    return path == STANDARD or not Path(path).is_file()


def check_content(path: str, file_format: FileFormat) -> None:
    """See that a file may hold what it should; a pipe is not looked into, for it is read once.

    Raises:
        InputError: it cannot.
    """
    beginning = _beginning(path)
    _check_beginning(path, beginning, file_format)
    if file_format == "parquet" and is_read_once(path):
        raise InputError(f"--input {path}: Parquet is read from its end, a pipe is not: write it to a file")
    if file_format == "parquet" and beginning != _PARQUET:
        if beginning[:2] == _GZIP or beginning == _ZSTD:
            raise InputError(
                f"--input {path} is packed Parquet: unpack it first, since Parquet is compressed by itself"
            )
        raise InputError(f"--input {path} is no Parquet file")


def _check_beginning(path: str, beginning: bytes, file_format: FileFormat) -> None:
    has_half = beginning[:2].count(b"\0") == 1 and beginning[:2].strip(b"\0").isascii()  # of a character in two bytes
    if beginning[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) or has_half:
        raise InputError(f"--input {path} is UTF-16: write it as UTF-8")
    if beginning[: len(_PARQUET)] == _PARQUET and file_format != "parquet":
        what = "a file, since it is read from its end" if is_read_once(path) else "--format parquet"
        raise InputError(f"--input {path} is Parquet: give {what}")


def opened_content(path: str, file_format: FileFormat, layout: EventLayout) -> BinaryIO:
    """The lines of a file, or of standard input, from its beginning.

    Raises:
        InputError: it cannot be read as what it should be; also while it is read.
        OSError: it cannot be read at all.
    """
    if path == STANDARD:
        return _unpacked(path, io.FileIO(sys.stdin.fileno(), closefd=False))
    if file_format == "parquet":
        from dataflows.connectors.parquet import lines_of_parquet  # polars is loaded when it is needed

        return _Unpacked(lines_of_parquet(path, layout))
    if is_plain(path, file_format) and not is_read_once(path):
        return Path(path).open("rb")
    return _unpacked(path, io.FileIO(path))


def _beginning(path: str) -> bytes:
    if not Path(path).is_file():
        return b""
    with Path(path).open("rb") as file:
        return file.read(len(_ZSTD))


class Unpacker:
    """Unpacks what is read piece by piece, if its first bytes say that gzip or zstd has packed it.

    Attributes:
        piece_bytes: how much to read at once; packed pieces are small, since they may become large.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._begun: bytes | None = b""
        self._made: Callable[[], Any] | None = None
        self._member: Any = None
        self.piece_bytes = _PART_BYTES

    def unpacked(self, piece: bytes) -> bytes:
        """What the next piece holds; without one, the end has come.

        Raises:
            InputError: it is damaged or cut, or nothing that is made of lines.
        """
        if self._begun is not None:
            begun = self._begun + piece
            if piece and len(begun) < len(_ZSTD):
                self._begun = begun
                return b""
            _check_beginning(self._path, begun, "json")
            self._begun, piece, is_end = None, begun, not piece
            self._made = _member_of(begun)
            if self._made is not None:
                self.piece_bytes = _PACKED_BYTES
            return self.unpacked(piece) + (self.unpacked(b"") if piece and is_end else b"")
        if self._made is None:
            return piece
        if not piece and self._member is not None:
            raise _damaged(self._path, "it has no end")
        try:
            return b"".join(self._parts(piece))
        except Exception as error:  # zlib and zstandard have an error each, which is imported with the library
            raise _damaged(self._path, str(error)) from None

    def _parts(self, packed: bytes) -> Iterator[bytes]:
        """One member, or frame, after the other."""
        while packed:
            if self._member is None:
                assert self._made is not None
                self._member = self._made()
            yield self._member.decompress(packed)
            packed = b""
            if self._member.eof:
                packed, self._member = self._member.unused_data.lstrip(b"\0"), None  # gzip may be padded


def _member_of(beginning: bytes) -> Callable[[], Any] | None:
    """What unpacks one member of a file that begins so; ``None``: it is not packed."""
    if beginning[:2] == _GZIP:
        return partial(zlib.decompressobj, wbits=16 + zlib.MAX_WBITS)
    if beginning[:4] == _ZSTD:
        import zstandard  # loaded when it is needed

        return lambda: zstandard.ZstdDecompressor().decompressobj()
    return None


def _damaged(path: str, why: str) -> InputError:
    return InputError(f"--input {path} is damaged or cut: {why}")


def _unpacked(path: str, file: io.FileIO) -> BinaryIO:
    return _Unpacked(_unpacked_parts(path, file), file)


def _unpacked_parts(path: str, file: io.FileIO) -> Iterator[bytes]:
    unpacker = Unpacker(path)
    while piece := file.read(unpacker.piece_bytes):
        yield unpacker.unpacked(piece)
    yield unpacker.unpacked(b"")


class _Unpacked(io.BufferedReader):
    """What a file holds, made of parts; the file is closed with it."""

    def __init__(self, parts: Iterator[bytes], file: io.FileIO | None = None) -> None:
        super().__init__(_Parts(parts, file), _PART_BYTES)


class _Parts(io.RawIOBase):
    def __init__(self, parts: Iterator[bytes], file: io.FileIO | None) -> None:
        self._left = parts
        self._file = file
        self._part = memoryview(b"")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, target: "memoryview[int]") -> int:  # type: ignore[override]  # of any buffer, in its types
        while not self._part:
            part = next(self._left, None)
            if part is None:
                return 0
            self._part = memoryview(part)
        size = min(len(target), len(self._part))
        target[:size] = self._part[:size]
        self._part = self._part[size:]
        return size
