"""Reads a file, or standard input, as a log of one partition, together with the clock of its devices."""

import select
import sys
from contextlib import nullcontext
from datetime import datetime
from io import FileIO
from typing import BinaryIO, Final

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from dataflows.bytewax_flow.partition import PartitionItems, PartitionState, SourceItem
from dataflows.bytewax_flow.waiting import AT_ONCE
from dataflows.connectors.file_content import Unpacker, is_read_once
from dataflows.connectors.file_log import FileLog, records_of
from dataflows.connectors.file_mark import FileMark
from dataflows.connectors.locations import STANDARD
from window_core import SnapshotError, WindowSpec

__all__ = ["FileSnapshot", "FileSource"]

_CHUNK_BYTES: Final = 256 * 1024
"""About 2,000 events: enough to fill several calls to a service, little enough to be seen at once."""

_STANDARD_INPUT_PAUSE_S: Final = 0.005


class FileSnapshot(msgspec.Struct, array_like=True):
    """What a file is read on from."""

    mark: FileMark
    partition: PartitionState


class FileSource(FixedPartitionedSource[SourceItem, bytes]):
    """One partition: the file."""

    def __init__(self, log: FileLog, spec: WindowSpec) -> None:
        self._log = log
        self._spec = spec

    def check(self, saved: bytes, folder: str) -> None:
        """Check that the file is the one that a saved state has read.

        Raises:
            SnapshotError: it was cut, replaced or changed.
        """
        mark = msgspec.msgpack.decode(saved, type=FileSnapshot).mark
        with nullcontext() if self._log.is_plain else self._log.content() as content:
            mark.check(f"--input {self._log.path}", folder, content)

    def list_parts(self) -> list[str]:
        return ["file"]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> "_FilePartition":
        return _FilePartition(self._log, self._spec, resume_state)


class _FilePartition(StatefulSourcePartition[SourceItem, bytes]):
    def __init__(self, log: FileLog, spec: WindowSpec, state: bytes | None) -> None:
        self._is_standard_input = log.path == STANDARD
        self._is_plain = self._is_standard_input or log.is_plain
        self._file: BinaryIO | FileIO
        if self._is_plain:
            place = sys.stdin.fileno() if self._is_standard_input else log.path
            self._file = FileIO(place, closefd=not self._is_standard_input)
        else:
            self._file = log.content()
        self._unpacker = Unpacker(log.path) if self._is_plain and is_read_once(log.path) else None
        self._log = log
        self._items = PartitionItems(log.reader(), spec)
        self._reader = self._items.reader
        self._mark = FileMark()  # where the next line begins
        self._begun: list[bytes] = []  # the beginning of a line whose end was not read yet
        self._has_ended = False
        if state is not None:
            snapshot = msgspec.msgpack.decode(state, type=FileSnapshot)
            self._mark = snapshot.mark
            self._items.restore(snapshot.partition)
            if self._mark.size:
                with log.content() as content:
                    self._reader.read_header(content.readline().removesuffix(b"\n"))
            found = (
                self._mark.sought_in(self._file) if isinstance(self._file, FileIO) else self._mark.passed_in(self._file)
            )
            if found is None:
                raise SnapshotError(f"--input {log.path} was changed while the run began")
            self._mark = found

    def next_batch(self) -> list[SourceItem]:
        if self._has_ended:
            raise StopIteration
        if self._is_standard_input and not select.select([self._file], [], [], _STANDARD_INPUT_PAUSE_S)[0]:
            return []
        chunk = self._file.read(_CHUNK_BYTES if self._unpacker is None else self._unpacker.piece_bytes)
        has_more = bool(chunk)
        if self._unpacker is not None:
            chunk = self._unpacker.unpacked(chunk)
        items = self._items_of(self._lines_of(chunk) + ([] if has_more else self._last_line()))
        if self._has_ended:
            items += self._items.at_end(self._log.end_ms(self._reader.clock_ms))
        return items

    def next_awake(self) -> datetime:
        return AT_ONCE

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(FileSnapshot(self._mark, self._items.snapshot()))

    def close(self) -> None:
        self._file.close()

    def _lines_of(self, chunk: bytes) -> list[bytes]:
        """The lines that are whole now. A line of any length is put together once, when its end has come."""
        *ended, begun = chunk.split(b"\n")
        if ended:
            ended[0] = b"".join((*self._begun, ended[0]))
            self._begun.clear()
        self._begun.append(begun)
        return ended

    def _last_line(self) -> list[bytes]:
        """The line after the last newline, now that the file has ended."""
        self._has_ended = True
        last_line = b"".join(self._begun)
        self._begun.clear()
        return [last_line] if last_line else []

    def _items_of(self, lines: list[bytes]) -> list[SourceItem]:
        first = self._reader.next_offset
        items = self._items.of(records_of(lines, first))
        read = self._reader.next_offset - first
        if read:
            newline = b"" if self._has_ended else b"\n"
            size = self._mark.size + sum(map(len, lines[:read])) + read - 1 + len(newline)
            self._mark = FileMark.behind(lines[read - 1] + newline, size)
        self._has_ended = self._has_ended or self._reader.has_ended
        return items
