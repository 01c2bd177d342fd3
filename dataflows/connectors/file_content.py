"""What an input file holds, read as lines: JSON or rows of a table, packed or not, and Parquet as JSON."""

import gzip
import io
import sys
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal, get_args

from dataflows.connectors.locations import STANDARD
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.first_records import InputError

__all__ = ["FILE_FORMATS", "FileFormat", "check_content", "format_of", "is_plain", "opened_content"]

FileFormat = Literal["json", "csv", "tsv", "parquet"]
FILE_FORMATS: Final[tuple[FileFormat, ...]] = get_args(FileFormat)

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_PARQUET: Final = b"PAR1"
_PART_BYTES: Final = 256 * 1024
_ZSTD_BYTES: Final = 16 * 1024
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
    """Whether the bytes of a file are its lines, so that one can seek to any of them."""
    return file_format != "parquet" and _beginning(path)[:2] != _GZIP and _beginning(path) != _ZSTD


def check_content(path: str, file_format: FileFormat) -> None:
    """See that a file may hold what it should; a pipe is not looked into, for it is read once.

    Raises:
        InputError: it cannot.
    """
    beginning = _beginning(path)
    if beginning[:2] in (BOM_UTF16_LE, BOM_UTF16_BE):
        raise InputError(f"--input {path} is UTF-16: write it as UTF-8")
    if beginning == _PARQUET and file_format != "parquet":
        raise InputError(f"--input {path} is Parquet: give --format parquet")
    if file_format == "parquet" and Path(path).is_file() and beginning != _PARQUET:
        if beginning[:2] == _GZIP or beginning == _ZSTD:
            raise InputError(
                f"--input {path} is packed Parquet: unpack it first, since Parquet is compressed by itself"
            )
        raise InputError(f"--input {path} is no Parquet file")


def opened_content(path: str, file_format: FileFormat, layout: EventLayout) -> BinaryIO:
    """The lines of a file, or of standard input, from its beginning.

    Raises:
        InputError: it cannot be read as what it should be; also while it is read.
        OSError: it cannot be read at all.
    """
    if path == STANDARD:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    if file_format == "parquet":
        from dataflows.connectors.parquet import lines_of_parquet  # polars is loaded when it is needed

        return _Unpacked(path, lines_of_parquet(path, layout))
    beginning = _beginning(path)
    if beginning[:2] == _GZIP:
        return _Unpacked(path, _gzip_parts(path))
    if beginning == _ZSTD:
        return _Unpacked(path, _zstd_parts(path))
    return Path(path).open("rb")


def _beginning(path: str) -> bytes:
    if not Path(path).is_file():
        return b""
    with Path(path).open("rb") as file:
        return file.read(len(_ZSTD))


def _gzip_parts(path: str) -> Iterator[bytes]:
    with gzip.open(path) as file:
        while part := file.read(_PART_BYTES):
            yield part


def _zstd_parts(path: str) -> Iterator[bytes]:
    """One frame after the other. The library's own reader takes a file that was cut for one that has ended."""
    import zstandard  # loaded when it is needed

    unpacker = None
    with Path(path).open("rb") as file:
        while packed := file.read(_ZSTD_BYTES):
            while packed:
                unpacker = unpacker or zstandard.ZstdDecompressor().decompressobj()
                try:
                    yield unpacker.decompress(packed)
                except zstandard.ZstdError as error:
                    raise EOFError(str(error)) from None
                packed = b""
                if unpacker.eof:
                    packed, unpacker = unpacker.unused_data, None
    if unpacker is not None:
        raise EOFError("its last frame has no end")


class _Unpacked(io.BufferedReader):
    """What a file holds once it is unpacked; damage is said in one line."""

    def __init__(self, path: str, parts: Iterator[bytes]) -> None:
        super().__init__(_Parts(path, parts), _PART_BYTES)


class _Parts(io.RawIOBase):
    def __init__(self, path: str, parts: Iterator[bytes]) -> None:
        self._path = path
        self._parts = parts
        self._part = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: "memoryview[int]") -> int:  # type: ignore[override]  # of any buffer, in its types
        while not self._part:
            try:
                part = next(self._parts, None)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise InputError(f"--input {self._path} is damaged or cut: {error}") from None
            if part is None:
                return 0
            self._part = memoryview(part)
        size = min(len(target), len(self._part))
        target[:size] = self._part[:size]
        self._part = self._part[size:]
        return size
