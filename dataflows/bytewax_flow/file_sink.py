"""Writes lines to files. After a crash a file is truncated to the size in the state: complete, without duplicates."""

import os
import stat
from collections.abc import Mapping

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from dataflows.connectors.file_mark import FileMark
from dataflows.pipeline.record import OutputKind, OutputRecord
from runtime.written_files import naming

__all__ = ["FileSink"]


class FileSink(FixedPartitionedSink[OutputRecord, bytes]):
    """A partition for each topic: its file. Takes ``(topic, record)``."""

    def __init__(self, paths: dict[OutputKind, str]) -> None:
        """Write the lines of each topic to its path, or to standard output if that is ``-``."""
        self._topics: list[str] = list(paths)
        self._paths: list[str] = list(paths.values())

    def check(self, saved: Mapping[str, bytes], folder: str) -> None:
        """Check that the files are those that a saved state has written.

        Raises:
            SnapshotError: one was cut, replaced or changed.
        """
        for topic, path in zip(self._topics, self._paths, strict=True):
            if topic in saved:
                flag = {"predictions": "--output", "rejections": "--rejections"}[topic]
                msgspec.msgpack.decode(saved[topic], type=FileMark).check(f"{flag} {path}", folder)

    def begin(self, saved: Mapping[str, bytes]) -> None:
        """Make each file that is not there, and empty those of which no state was saved.

        Bytewax opens a file for its first line: one of a run that was killed before it saved may get none.
        """
        for topic, path in zip(self._topics, self._paths, strict=True):
            is_other = os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113 - a text it stays
            if path != "-" and not is_other:  # the reader of a pipe would take a short look for all there is
                anew = 0 if topic in saved else os.O_TRUNC
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | anew, 0o666))

    def list_parts(self) -> list[str]:
        return self._topics

    def part_fn(self, item_key: str) -> int:
        return self._topics.index(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> "_FilePartition":
        mark = FileMark() if resume_state is None else msgspec.msgpack.decode(resume_state, type=FileMark)
        return _FilePartition(self._paths[self._topics.index(for_part)], mark)


class _FilePartition(StatefulSinkPartition[OutputRecord, bytes]):
    def __init__(self, path: str, mark: FileMark) -> None:
        self._path = path
        self._file = os.dup(1) if path == "-" else os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
        self._is_regular = stat.S_ISREG(os.fstat(self._file).st_mode)
        self._mark = mark
        if path == "-" or not self._is_regular:
            return
        os.truncate(self._file, mark.size)
        os.lseek(self._file, mark.size, os.SEEK_SET)

    def write_batch(self, items: list[OutputRecord]) -> None:
        lines = b"\n".join([record.value for record in items]) + b"\n"
        left = memoryview(lines)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            whole = lines.rfind(b"\n", 0, len(lines) - len(left)) + 1
            if self._is_regular and self._path != "-":
                os.truncate(self._file, self._mark.size + whole)  # only whole lines stay
            raise OSError(error.errno, error.strerror, "standard output" if self._path == "-" else self._path) from None
        self._mark = FileMark.behind(items[-1].value + b"\n", self._mark.size + len(lines))

    def snapshot(self) -> bytes:
        if self._is_regular:
            with naming(self._path):
                os.fsync(self._file)
        return msgspec.msgpack.encode(self._mark)

    def close(self) -> None:
        os.close(self._file)
