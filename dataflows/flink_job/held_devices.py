"""The devices of one subtask that Python holds for Flink, and the messages that tell Flink what to keep of them.

A device is held from the moment at which Flink hands its snapshot over, or its first event is accepted, until it is
released or has expired. Meanwhile its window stands here as an object, and Flink's snapshot of it may be an old one.
``docs/flink-bridge.md`` is the contract with the Java part; no engine is needed to drive this.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from dataflows.flink_job.frames import StateMessage, StateMessageKind, encoded_instant
from dataflows.pipeline.device import Device, DeviceInput, LocatedOutput
from dataflows.pipeline.metrics import Metrics
from dataflows.saved_state.portable_file import PARTITION
from window_core import SNAPSHOT_MAGIC, WindowSpec

__all__ = ["HeldDevices"]

_MOST_HELD: Final = 20_000
"""Windows held as objects, so that an event need not restore one from its snapshot: 220 MB at 300 events each. The
least recently used one is released first."""


@dataclass(slots=True)
class _Held:
    """A device, the timer that is set for it, and whether Flink's snapshot of it is an old one."""

    device: Device
    timer_ms: int | None = None
    is_unsaved: bool = False


class HeldDevices:
    """Drives devices, and notes the messages about them until the answer to a batch takes them along."""

    def __init__(self, spec: WindowSpec, metrics: Metrics, until_ms: int | None, most: int = _MOST_HELD) -> None:
        self._spec = spec
        self._metrics = metrics
        self._until_ms = until_ms
        self._most = most
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._messages: list[StateMessage] = []

    def receive(self, value: bytes) -> None:
        """Hold the device of a value that Flink hands over: its partition and its snapshot.

        Raises:
            SnapshotError: the snapshot was damaged, or written by another version.
        """
        device = Device(self._spec, self._metrics, *_snapshot_of(value))
        assert device.device_id not in self._held  # Flink hands over what is not held
        self._held[device.device_id] = _Held(device)

    def take(self, device_id: str, told: DeviceInput) -> list[LocatedOutput]:
        """The outputs of a device for an event, or for an arrival watermark when one of its timers fired."""
        known = self._held.get(device_id)
        held = known or _Held(Device(self._spec, self._metrics))
        outputs = held.device.take(told)
        wakeup_ms = held.device.next_wakeup_ms()
        if wakeup_ms is None:
            if known is not None:
                del self._held[device_id]
                self._tell("forget", device_id)
            return outputs
        if known is None:
            self._held[device_id] = held
            self._tell("hold", device_id)
        else:
            self._held.move_to_end(device_id)
        if outputs:
            held.is_unsaved = True
        if isinstance(told, int):
            held.timer_ms = None  # it has fired
        if wakeup_ms != held.timer_ms and (self._until_ms is None or wakeup_ms <= self._until_ms):
            self._tell("timer", device_id, encoded_instant(wakeup_ms))
            held.timer_ms = wakeup_ms
        return outputs

    def messages(self, is_save: bool) -> list[StateMessage]:
        """The messages about devices for the answer to a batch, in order.

        Args:
            is_save: the snapshots of all windows that changed since they were last saved go along.
        """
        if is_save:
            for device_id, held in self._held.items():
                if held.is_unsaved:
                    self._tell("save", device_id, _value_of(held.device))
                    held.is_unsaved = False
        while len(self._held) > self._most:
            device_id, held = self._held.popitem(last=False)
            self._tell("release", device_id, _value_of(held.device))
        messages, self._messages = self._messages, []
        return messages

    def _tell(self, kind: StateMessageKind, device_id: str, value: bytes = b"") -> None:
        self._messages.append(StateMessage(kind, device_id, value))


def _value_of(device: Device) -> bytes:
    """What Flink keeps of a device. One that was saved without its partition has none until its next event."""
    partition = device.partition
    return device.snapshot() if partition is None else PARTITION.pack(partition) + device.snapshot()


def _snapshot_of(value: bytes) -> tuple[bytes, int | None]:
    """The snapshot, and the partition, which earlier versions did not save."""
    if value.startswith(SNAPSHOT_MAGIC):
        return value, None
    return value[PARTITION.size :], PARTITION.unpack_from(value)[0]
