"""The records of a log, and the records to write."""

from typing import Literal

import msgspec

from window_core import Event

__all__ = ["LoggedEvent", "OutputKind", "OutputRecord", "Record"]

OutputKind = Literal["predictions", "rejections"]


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of the log: a record of a topic, or a line of a file.

    Attributes:
        partition: its partition; a file is one partition, 0.
        offset: its offset there; in a file the number of the line, from 0.
        arrival_ms: the timestamp of a topic's record, unchecked; ``None`` for a line, which may contain its arrival.
        key: the key of a topic's record.
        value: what should be an event.
    """

    partition: int
    offset: int
    arrival_ms: int | None
    key: bytes | None
    value: bytes | None

    @property
    def position(self) -> str:
        """Its place as outputs tell it: ``partition/offset``."""
        return f"{self.partition}/{self.offset}"

    @property
    def is_heartbeat(self) -> bool:
        """Whether it has neither key nor value: it moves the clock of its partition, and nothing else."""
        return self.key is None and self.value is None

    def as_heartbeat(self) -> "Record":
        """In place of a record of which nothing but its arrival is asked: only the clock moves."""
        return Record(self.partition, self.offset, self.arrival_ms, None, None)


class LoggedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event with its place in the log.

    Attributes:
        event: what the device sent.
        arrival_ms: when the log accepted it.
        position: ``partition/offset``; in a file ``0/line``.
    """

    event: Event
    arrival_ms: int
    position: str


class OutputRecord(msgspec.Struct, frozen=True, gc=False):
    """One record to write.

    Attributes:
        kind: which of the outputs it belongs to.
        key: the device id; empty if the record is of none.
        value: canonical JSON.
    """

    kind: OutputKind
    key: str
    value: bytes
