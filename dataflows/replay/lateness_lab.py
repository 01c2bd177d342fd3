"""The lateness lab: what windows of other numbers would have accepted of one log, and what they would cost.

The log is read once for all of them, and no service is asked.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from dataflows.pipeline.device import Device, DeviceInput
from dataflows.pipeline.record import OutputRecord
from dataflows.replay.replayed_log import ReplayedLog
from window_core import Evaluation, WindowSpec

__all__ = ["LabRow", "lateness_lab"]


class LabRow(NamedTuple):
    """What a log gives with one spec.

    Attributes:
        spec: the numbers of the windows.
        evaluations: by cause.
        rejections: by reason, without REFUSED, which needs services.
        state_bytes: the snapshots of all devices at the end of the log.
        devices: how many have a state then.
        calls: requests to both services, as full as they may be.
    """

    spec: WindowSpec
    evaluations: Counter[str]
    rejections: Counter[str]
    state_bytes: int
    devices: int
    calls: int

    @property
    def accepted(self) -> int:
        """Events that a window took."""
        return self.evaluations["event"] + self.evaluations["late_event"]


class _Windows:
    """The devices of one spec."""

    def __init__(self, spec: WindowSpec, replay: ReplayedLog) -> None:
        self.spec = spec
        self.devices: dict[str, Device] = {}
        self._metrics = replay.metrics
        self._evaluations: Counter[str] = Counter()
        self._rejections: Counter[str] = Counter()
        self._state_bytes = self._states = 0

    def device(self, device_id: str) -> Device:
        device = self.devices.get(device_id)
        if device is None:
            device = self.devices[device_id] = Device(self.spec, self._metrics)
        return device

    def count(self, device: Device, told: DeviceInput) -> None:
        """Give something to a device, and count what it gives."""
        for output, _ in device.take(told):
            if isinstance(output, Evaluation):
                self._evaluations[output.cause] += 1
            else:
                self._rejections[output.reason] += 1

    def end(self, end_ms: int | None) -> None:
        """A partition has ended."""
        for device in self.devices.values():
            if end_ms is not None:
                self.count(device, end_ms)
            if device.next_wakeup_ms() is not None:
                self._state_bytes += len(device.snapshot())
                self._states += 1
        self.devices = {}

    def row(self, invalid: int, windows_of_call: int) -> LabRow:
        evaluations = sum(self._evaluations.values())
        calls = 2 * -(-evaluations // windows_of_call)
        rejections = self._rejections + Counter({"INVALID": invalid})
        return LabRow(self.spec, self._evaluations, rejections, self._state_bytes, self._states, calls)


def lateness_lab(replay: ReplayedLog, specs: Sequence[WindowSpec]) -> list[LabRow]:
    """What the log of a replay gives with each of some specs.

    Raises:
        BrokerError: the records are gone meanwhile, or the broker is away.
    """
    all_windows = [_Windows(spec, replay) for spec in specs]
    invalid = 0
    for partition in range(replay.log.partitions):
        for found in replay.events(partition):
            if isinstance(found, OutputRecord):
                invalid += 1
                continue
            for windows in all_windows:
                windows.count(windows.device(found.event.device_id), found)
        for windows in all_windows:
            windows.end(replay.end_ms[partition])
    calls = replay.settings.calls
    windows_of_call = 1 if calls.rpc == "unary" else calls.batch_windows
    return [windows.row(invalid, windows_of_call) for windows in all_windows]
