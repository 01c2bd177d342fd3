"""A file of JSON lines as the log of a run: one partition."""

from dataclasses import dataclass
from pathlib import Path

from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader
from dataflows.settings import RunSettings

__all__ = ["FileLog"]


@dataclass(frozen=True)
class FileLog:
    """Tells how the lines of a file are read.

    Attributes:
        path: where it stands; ``-`` is standard input.
        metrics: what it counts.
        until_ms: the first record with a later arrival ends it; ``None``: it is read to its end.
        partitions: there is one.
    """

    path: str
    metrics: Metrics
    until_ms: int | None = None
    partitions: int = 1

    def reader(self, number: int = 0) -> PartitionReader:
        """A reader from its first line on."""
        return PartitionReader(number, "line", self.metrics, self.until_ms)

    def identity(self) -> dict[str, str]:
        return {"input": str(Path(self.path).resolve())}

    def with_end(self, settings: RunSettings) -> RunSettings:
        """A file ends with its last line, in every process."""
        return settings
