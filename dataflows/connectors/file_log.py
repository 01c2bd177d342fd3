"""A file of JSON lines as the log of a run: one partition."""

from dataclasses import dataclass

from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader

__all__ = ["FileLog"]


@dataclass(frozen=True)
class FileLog:
    """Tells how the lines of a file are read.

    Attributes:
        metrics: what it counts.
        until_ms: the first record with a later arrival ends it; ``None``: it is read to its end.
    """

    metrics: Metrics
    until_ms: int | None = None

    def reader(self) -> PartitionReader:
        """A reader from its first line on."""
        return PartitionReader(0, "line", self.metrics, self.until_ms)
