"""Turns the records of a partition into rejections, and into events and instants for its devices, in one order."""

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from dataflows.pipeline.device import DeviceInput
from dataflows.pipeline.partition_clock import PartitionClock
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import LoggedEvent, OutputRecord, Record
from window_core import WindowSpec

__all__ = ["PartitionItems", "PartitionState", "SourceItem"]

SourceItem: TypeAlias = tuple[str, DeviceInput] | OutputRecord
"""An input for a device, or the rejection of an INVALID record."""


class PartitionState(msgspec.Struct, array_like=True):
    """What a partition resumes from: the state of its reader and of the clock of its devices."""

    next_offset: int
    clock_ms: int | None
    now_ms: int
    heard_ms: dict[str, int]


class PartitionItems:
    """Reads the records of a partition, and adds the devices that are due before each.

    Attributes:
        reader: how far it has read.
    """

    def __init__(self, reader: PartitionReader, spec: WindowSpec) -> None:
        self.reader = reader
        self._clock = PartitionClock(spec)

    def of(self, records: Iterable[Record]) -> list[SourceItem]:
        """The items of these records, up to one that ends the partition."""
        items: list[SourceItem] = []
        reader, clock = self.reader, self._clock
        for found in reader.read_many(records):
            if isinstance(found, LoggedEvent):
                items += clock.before(found)
                continue
            if reader.clock_ms is not None:
                items += clock.due_before(reader.clock_ms)
            if found is not None:
                items.append(found)
        reader.count()
        return items

    def at_end(self, until_ms: int | None) -> list[SourceItem]:
        """The items at the end of a bounded log: the last instant of the clock, if it is known."""
        return [] if until_ms is None else [*self._clock.due_at(until_ms)]

    def snapshot(self) -> PartitionState:
        return PartitionState(self.reader.next_offset, self.reader.clock_ms, *self._clock.snapshot())

    def restore(self, state: PartitionState) -> None:
        self.reader.resume(state.next_offset, state.clock_ms)
        self._clock.restore(state.now_ms, state.heard_ms)
