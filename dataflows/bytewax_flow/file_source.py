"""Reads a file, or standard input, as a log of one partition, together with the clock of its devices."""

import select
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import FileIO
from typing import Final, TypeAlias

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from dataflows.bytewax_flow.clock import PartitionClock
from dataflows.bytewax_flow.failure import fails_quietly
from dataflows.bytewax_flow.logic import WindowInput
from dataflows.file_log import FileLog
from dataflows.prediction_step import OutputRecord
from window_core import WindowSpec

__all__ = ["FileSource", "SourceItem"]

SourceItem: TypeAlias = tuple[str, WindowInput] | OutputRecord
"""Something for a device, or the rejection of what is no event."""

_CHUNK_BYTES: Final = 256 * 1024
"""About 2,000 events: enough to fill several calls to a service, little enough to be seen at once."""

_STANDARD_INPUT_PAUSE: Final = timedelta(milliseconds=5)


class _Snapshot(msgspec.Struct, array_like=True):
    offset: int
    lines: int
    largest_ms: int | None
    jumps: int
    now_ms: int
    heard_ms: dict[str, int]


class FileSource(FixedPartitionedSource[SourceItem, bytes]):
    """One partition: the file."""

    def __init__(self, path: str, log: FileLog, spec: WindowSpec) -> None:
        """Read ``path``, or standard input if it is ``-``, as told by ``log``."""
        self._path = path
        self._log = log
        self._spec = spec

    def list_parts(self) -> list[str]:
        return ["file"]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> "_FilePartition":
        return _FilePartition(self._path, self._log, PartitionClock(self._spec), resume_state)


class _FilePartition(StatefulSourcePartition[SourceItem, bytes]):
    def __init__(self, path: str, log: FileLog, clock: PartitionClock, state: bytes | None) -> None:
        self._is_standard_input = path == "-"
        self._file = FileIO(sys.stdin.fileno() if path == "-" else path, closefd=path != "-")
        self._log = log
        self._clock = clock
        self._offset = 0  # where the next line begins
        self._begun: list[bytes] = []  # the beginning of a line whose end was not read yet
        self._has_ended = False
        self._next_awake: datetime | None = None
        if state is not None:
            self._restore(msgspec.msgpack.decode(state, type=_Snapshot))

    def _restore(self, snapshot: _Snapshot) -> None:
        self._offset = snapshot.offset
        self._file.seek(snapshot.offset)
        self._log.lines = snapshot.lines
        self._log.largest_ms = snapshot.largest_ms
        self._log.jumps = snapshot.jumps
        self._clock.restore(snapshot.now_ms, snapshot.heard_ms)

    @fails_quietly
    def next_batch(self) -> list[SourceItem]:
        if self._has_ended:
            raise StopIteration
        self._next_awake = None
        if self._is_standard_input and not select.select([self._file], [], [], 0)[0]:
            self._next_awake = datetime.now(UTC) + _STANDARD_INPUT_PAUSE
            return []
        chunk = self._file.read(_CHUNK_BYTES)
        return list(self._items(self._lines_of(chunk))) if chunk else list(self._last_items())

    def next_awake(self) -> datetime | None:
        return self._next_awake

    def snapshot(self) -> bytes:
        log = self._log
        return msgspec.msgpack.encode(
            _Snapshot(self._offset, log.lines, log.largest_ms, log.jumps, *self._clock.snapshot())
        )

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

    def _items(self, lines: list[bytes]) -> Iterator[SourceItem]:
        for line in lines:
            self._offset += len(line) + 1
            record = self._log.record(line)
            if record is None:
                continue
            if isinstance(record, OutputRecord):
                yield record
            else:
                yield from self._clock.before(record)

    def _last_items(self) -> Iterator[SourceItem]:
        """What the end of the file brings: a last line without a newline, and the last instant of the clock."""
        self._has_ended = True
        last_line = b"".join(self._begun)
        if last_line:
            self._begun.clear()
            yield from self._items([last_line])
            self._offset -= 1  # there was no newline
        end_ms = self._log.end_ms()
        if end_ms is not None:
            yield from self._clock.due_at(end_ms)
