"""A file as the log of a run: one partition, whose records are its lines or rows."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from dataflows.connectors.file_content import FileFormat, is_plain, opened_content
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.first_records import FirstRecords
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader, RecordFormat
from dataflows.pipeline.record import Record
from dataflows.settings import RunSettings

__all__ = ["FileLog", "records_of"]

_RECORDS: Final[dict[FileFormat, RecordFormat]] = {"json": "line", "csv": "csv", "tsv": "tsv", "parquet": "line"}

_LINES_BYTES: Final = 256 * 1024
"""Of lines held at once: about 2,000 events."""


@dataclass(frozen=True)
class FileLog:
    """Tells how the lines of a file are read.

    Attributes:
        path: where it stands; ``-`` is standard input.
        metrics: what it counts.
        until_ms: the first record with a later arrival ends it; ``None``: it is read to its end.
        layout: what the events look like.
        format: what the file holds.
        partitions: there is one.
    """

    path: str
    metrics: Metrics
    until_ms: int | None = None
    layout: EventLayout = field(default_factory=EventLayout)
    format: FileFormat = "json"
    partitions: int = 1

    def reader(self, number: int = 0) -> PartitionReader:
        """A reader from its first line on."""
        return PartitionReader(
            number,
            _RECORDS[self.format],
            self.metrics,
            self.until_ms,
            layout=self.layout,
            first_records=FirstRecords(f"--input {self.path}", self.layout.paths),
        )

    def records(self, number: int = 0) -> Iterator[Record]:
        """Its lines, from the first to the last. Raises as ``opened_content`` does."""
        first = 0
        with self.content() as content:
            while lines := content.readlines(_LINES_BYTES):
                yield from records_of([line.removesuffix(b"\n") for line in lines], first)
                first += len(lines)

    @property
    def schema(self) -> None:
        """A line names its fields itself."""

    @property
    def is_plain(self) -> bool:
        """Whether the bytes of the file are its lines, so that one can seek to any of them."""
        return is_plain(self.path, self.format)

    def content(self) -> BinaryIO:
        """Its lines, from the first on. Raises as ``opened_content`` does."""
        return opened_content(self.path, self.format, self.layout)

    def end_ms(self, clock_ms: int | None) -> int | None:
        return clock_ms if self.until_ms is None else self.until_ms

    def identity(self) -> dict[str, str]:
        sensors = ",".join(self.layout.sensors.declared)
        return {"input": str(Path(self.path).resolve()), "sensors": sensors}

    def with_end(self, settings: RunSettings) -> RunSettings:
        """A file ends with its last line, in every process."""
        return settings


def records_of(lines: Iterable[bytes], first: int = 0) -> list[Record]:
    """Lines without their ends as records, from the number of the first on; a byte order mark is no part of a line."""
    records = [Record(0, number, None, None, line) for number, line in enumerate(lines, first)]
    if first == 0 and records and records[0].value:
        records[0] = Record(0, 0, None, None, records[0].value.removeprefix(BOM_UTF8))
    return records
