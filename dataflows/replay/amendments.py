"""The amendments of one partition: predictions that late events have put in doubt, while the log goes on.

They are a pure function of the log, as predictions are. At each multiple of a pause, by the clock of the partition,
every prediction that has missed an event since the last one is amended, with everything that it has missed by then: an
event with an arrival of exactly that instant comes before. When the log is read, and how often a process dies, changes
nothing.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from dataflows.pipeline.device import Device
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import LoggedEvent, Record
from dataflows.replay.open_evaluations import OpenEvaluations, SavedEvaluations
from dataflows.replay.revisions import Doubt
from window_core import WindowSpec

__all__ = ["PartitionAmendments", "SavedPartition"]


class _SavedDevice(msgspec.Struct, frozen=True, array_like=True):
    device_id: str
    heard_ms: int
    snapshot: bytes
    evaluations: SavedEvaluations


class SavedPartition(msgspec.Struct, frozen=True, array_like=True):
    """What ``PartitionAmendments`` holds, for a state."""

    next_offset: int
    clock_ms: int | None
    due_ms: int | None
    in_doubt: list[str]
    devices: list[_SavedDevice]


class _FollowedDevice:
    __slots__ = ("device", "evaluations", "heard_ms")

    def __init__(self, device: Device, evaluations: OpenEvaluations, heard_ms: int) -> None:
        self.device = device
        self.evaluations = evaluations
        self.heard_ms = heard_ms


class PartitionAmendments:
    """Takes the records of a partition in their order."""

    def __init__(
        self,
        partition: int,
        reader: PartitionReader,
        spec: WindowSpec,
        every_ms: int,
        metrics: Metrics,
        saved: SavedPartition | None = None,
    ) -> None:
        """Begin where the reader stands, or where an earlier process was.

        Args:
            partition: its number.
            reader: of it.
            spec: the numbers of the windows.
            every_ms: the pause between two amendments of one prediction, by the clock of the partition; at
                most the silence after which a device expires, so that no doubt outlives its device.
            metrics: what it counts.
            saved: by an earlier process.
        Raises:
            SnapshotError: it is damaged, or was written by another version.
        """
        self._partition: Final = partition
        self._reader: Final = reader
        self._spec: Final = spec
        self._every_ms: Final = every_ms
        self._metrics: Final = metrics
        self._devices: Final[dict[str, _FollowedDevice]] = {}
        self._in_doubt: dict[str, None] = {}
        self._due_ms: int | None = None
        if saved is None:
            return
        reader.resume(saved.next_offset, saved.clock_ms)
        self._due_ms, self._in_doubt = saved.due_ms, dict.fromkeys(saved.in_doubt)
        for one in saved.devices:
            device = Device(spec, self._metrics, one.snapshot, partition)
            evaluations = OpenEvaluations(one.device_id, partition, spec.interval_ms, one.evaluations)
            self._devices[one.device_id] = _FollowedDevice(device, evaluations, one.heard_ms)

    @property
    def next_offset(self) -> int:
        """Where it reads on."""
        return self._reader.next_offset

    def saved(self) -> SavedPartition:
        """What it holds; devices that have expired are dropped."""
        self._forget()
        devices = [
            _SavedDevice(device_id, one.heard_ms, one.device.snapshot(), one.evaluations.saved())
            for device_id, one in self._devices.items()
        ]
        return SavedPartition(self.next_offset, self._reader.clock_ms, self._due_ms, list(self._in_doubt), devices)

    def take(self, record: Record) -> Iterator[Doubt]:
        """Take the next record. Gives what is due before it."""
        found = self._reader.read(record)
        clock_ms = self._reader.clock_ms
        if self._due_ms is not None and clock_ms is not None and clock_ms > self._due_ms:
            for device_id in self._in_doubt:
                yield from self._devices[device_id].evaluations.doubts()
            self._in_doubt.clear()
            self._due_ms = None
        if isinstance(found, LoggedEvent):
            self._event(found, record.offset)

    def count(self) -> None:
        """Add what was read since the last call to the metrics."""
        self._reader.count()

    def _event(self, logged: LoggedEvent, offset: int) -> None:
        device_id, arrival_ms = logged.event.device_id, logged.arrival_ms
        one = self._devices.get(device_id)
        if one is None:
            evaluations = OpenEvaluations(device_id, self._partition, self._spec.interval_ms)
            one = _FollowedDevice(Device(self._spec, self._metrics), evaluations, arrival_ms)
        one.evaluations.take(one.device.take(logged), logged.event, offset)
        one.heard_ms = arrival_ms
        self._devices[device_id] = one
        if one.evaluations.has_doubts:
            self._in_doubt[device_id] = None
            if self._due_ms is None:
                self._due_ms = -(-arrival_ms // self._every_ms) * self._every_ms

    def _forget(self) -> None:
        """Drop the devices that have expired, or never began: nothing of theirs can be put in doubt any more."""
        last_ms = (self._reader.clock_ms or 0) - 1 - self._spec.forget_after_ms  # the next may share the millisecond
        for device_id, one in list(self._devices.items()):
            if one.heard_ms < last_ms or one.device.next_wakeup_ms() is None:
                del self._devices[device_id]
