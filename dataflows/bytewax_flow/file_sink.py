"""Writes lines to files. After a crash a file is cut back to where the state says it was: complete, without repeats."""

import os
import stat

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from dataflows.bytewax_flow.failure import fails_quietly
from dataflows.pipeline.record import OutputKind, OutputRecord

__all__ = ["FileSink"]


class FileSink(FixedPartitionedSink[OutputRecord, int]):
    """A partition for each topic: its file. Takes ``(topic, record)``."""

    def __init__(self, paths: dict[OutputKind, str]) -> None:
        """Write the lines of each topic to its path, or to standard output if that is ``-``."""
        self._topics: list[str] = list(paths)
        self._paths: list[str] = list(paths.values())

    def begin(self, saved: set[str]) -> None:
        """Make each file that is not there, and empty those of which no state was saved.

        Bytewax opens a file for its first line: one of a run that was killed before it saved may get none.
        """
        for topic, path in zip(self._topics, self._paths, strict=True):
            if path != "-":
                anew = 0 if topic in saved else os.O_TRUNC
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | anew, 0o666))

    def list_parts(self) -> list[str]:
        return self._topics

    def part_fn(self, item_key: str) -> int:
        return self._topics.index(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> "_FilePartition":
        return _FilePartition(self._paths[self._topics.index(for_part)], resume_state or 0)


class _FilePartition(StatefulSinkPartition[OutputRecord, int]):
    @fails_quietly
    def __init__(self, path: str, size: int) -> None:
        self._path = path
        self._file = os.dup(1) if path == "-" else os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
        self._is_regular = stat.S_ISREG(os.fstat(self._file).st_mode)
        self._size = size
        if path == "-" or not self._is_regular:
            return
        if os.fstat(self._file).st_size < size:
            raise OSError(
                f"{path} is shorter than the state says it was: it was changed since, so nothing is added to it"
            )
        os.truncate(self._file, size)
        os.lseek(self._file, size, os.SEEK_SET)

    @fails_quietly
    def write_batch(self, items: list[OutputRecord]) -> None:
        lines = b"\n".join([record.value for record in items]) + b"\n"
        left = memoryview(lines)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            whole = lines.rfind(b"\n", 0, len(lines) - len(left)) + 1
            if self._is_regular and self._path != "-":
                os.truncate(self._file, self._size + whole)  # only whole lines stay
            raise OSError(error.errno, error.strerror, "standard output" if self._path == "-" else self._path) from None
        self._size += len(lines)

    @fails_quietly
    def snapshot(self) -> int:
        if self._is_regular:
            os.fsync(self._file)
        return self._size

    def close(self) -> None:
        os.close(self._file)
