"""A file of JSON lines as the log of a run: one partition."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import Record
from dataflows.settings import RunSettings

__all__ = ["FileLog", "InputError", "check_content", "records_of"]

_BEGINNINGS: Final = {
    BOM_UTF16_LE: "UTF-16: write it as UTF-8",
    BOM_UTF16_BE: "UTF-16: write it as UTF-8",
    b"\x1f\x8b": "compressed by gzip: give it to standard input, as in: gunzip -c FILE | latecomer run --input -",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: give it to standard input, as in: zstdcat FILE | latecomer run --input -",
    b"PAR1": "Parquet: write it as JSON lines",
}
"""How a file begins that holds no line of JSON, and what to do with it."""


class InputError(RuntimeError):
    """The input holds something else than events; the message says what."""


@dataclass(frozen=True)
class FileLog:
    """Tells how the lines of a file are read.

    Attributes:
        path: where it stands; ``-`` is standard input.
        metrics: what it counts.
        until_ms: the first record with a later arrival ends it; ``None``: it is read to its end.
        layout: what the events look like.
        partitions: there is one.
    """

    path: str
    metrics: Metrics
    until_ms: int | None = None
    layout: EventLayout = field(default_factory=EventLayout)
    partitions: int = 1

    def reader(self, number: int = 0) -> PartitionReader:
        """A reader from its first line on."""
        return PartitionReader(number, "line", self.metrics, self.until_ms, layout=self.layout)

    def identity(self) -> dict[str, str]:
        sensors = ",".join(self.layout.sensors.declared)
        return {"input": str(Path(self.path).resolve()), "sensors": sensors}

    def with_end(self, settings: RunSettings) -> RunSettings:
        """A file ends with its last line, in every process."""
        return settings


def check_content(path: Path) -> None:
    """See that a file may hold lines of JSON; a pipe is not looked into, for it is read once.

    Raises:
        InputError: it cannot.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        beginning = file.read(max(map(len, _BEGINNINGS)))
    for mark, what in _BEGINNINGS.items():
        if beginning.startswith(mark):
            raise InputError(f"--input {path} is {what}")


def records_of(lines: Iterable[bytes], first: int = 0) -> list[Record]:
    """Lines without their ends as records, from the number of the first on; a byte order mark is no part of a line."""
    records = [Record(0, number, None, None, line) for number, line in enumerate(lines, first)]
    if first == 0 and records and records[0].value:
        records[0] = Record(0, 0, None, None, records[0].value.removeprefix(BOM_UTF8))
    return records
