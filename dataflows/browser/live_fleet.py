"""What the outputs say of a fleet so far, kept up with them: numbers of each device, and the latest rejections."""

from collections import deque
from threading import Lock
from typing import Any, Final

import msgspec

from dataflows.pipeline.record import OutputKind
from window_core import CAUSES, REASONS

__all__ = ["LiveFleet"]

_REJECTIONS_SHOWN: Final = 100
_PREDICTIONS_KEPT: Final = 200_000
"""About 100 MB of lines; those before them are looked at by ``explain`` or in the file."""

_DEVICES_SHOWN: Final = 2_000


class _DeviceNumbers:
    """Of one device."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.last: dict[str, Any] | None = None
        self.last_ms: int | None = None
        self.predictions: dict[str, bytes] = {}  # by evaluation id, in the order in which they came


class LiveFleet:
    """The fleet. Any thread may ask, one takes the outputs.

    Attributes:
        problem: what keeps it from reading on; ``None``: nothing.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self._lock = Lock()
        self._taken = 0
        self.forget()

    def forget(self) -> None:
        """Start from nothing: a run writes its outputs anew."""
        with self._lock:
            self._devices: dict[str, _DeviceNumbers] = {}
            self._rejections: deque[dict[str, Any]] = deque(maxlen=_REJECTIONS_SHOWN)
            self._counts: dict[str, int] = dict.fromkeys((*CAUSES, *REASONS), 0)
            self._kept: deque[tuple[str, str]] = deque()
            self._taken += 1

    def take(self, kind: OutputKind, line: bytes) -> None:
        """Take an output. What was delivered again changes nothing; a line that is no output is passed over."""
        try:
            output = msgspec.json.decode(line)
            device_id = output["device_id"]
        except (msgspec.DecodeError, KeyError, TypeError):
            return
        with self._lock:
            self._taken += 1
            if kind == "rejections":
                self._take_rejection(output, device_id)
            else:
                self._take_prediction(output, device_id, line)

    def _take_prediction(self, output: dict[str, Any], device_id: str, line: bytes) -> None:
        device = self._devices.setdefault(device_id, _DeviceNumbers())
        evaluation_id = output["evaluation_id"]
        if evaluation_id in device.predictions:
            return
        device.predictions[evaluation_id] = line
        self._kept.append((device_id, evaluation_id))
        if len(self._kept) > _PREDICTIONS_KEPT:
            oldest_device, oldest = self._kept.popleft()
            del self._devices[oldest_device].predictions[oldest]
        self._count(device, output["cause"])
        device.last = output["result"]
        if output["position"] is not None:
            device.last_ms = output["as_of_ms"]

    def _take_rejection(self, output: dict[str, Any], device_id: str | None) -> None:
        self._rejections.append(output)
        if device_id is None:
            self._counts["INVALID"] += 1
        else:
            self._count(self._devices.setdefault(device_id, _DeviceNumbers()), output["reason"])

    def _count(self, device: _DeviceNumbers, name: str) -> None:
        device.counts[name] = device.counts.get(name, 0) + 1
        self._counts[name] += 1

    def seen(self) -> dict[str, Any]:
        """The fleet as it is: its numbers, its devices, the worst first, and its rejections, the latest first."""
        with self._lock:
            devices = [_shown(device_id, device) for device_id, device in self._devices.items()]
            devices.sort(key=lambda device: (-device["share"], device["device"]))
            return {
                "version": self._taken,
                "problem": self.problem,
                "counts": {name: number for name, number in self._counts.items() if number},
                "number": len(devices),
                "devices": devices[:_DEVICES_SHOWN],
                "rejections": list(reversed(self._rejections)),
            }

    def prediction(self, device_id: str, evaluation_id: str) -> bytes | None:
        """The prediction of an evaluation, as its line, if it is known and still kept."""
        with self._lock:
            device = self._devices.get(device_id)
            return None if device is None else device.predictions.get(evaluation_id)


def _shown(device_id: str, device: _DeviceNumbers) -> dict[str, Any]:
    counts = device.counts
    late = counts.get("late_event", 0)
    rejected = sum(counts.get(reason, 0) for reason in REASONS if reason != "REFUSED")
    records = counts.get("event", 0) + late + rejected
    return {
        "device": device_id,
        "evaluations": sum(counts.get(cause, 0) for cause in CAUSES),
        "late": late,
        "rejected": rejected,
        "refused": counts.get("REFUSED", 0),
        "share": (late + rejected) / records if records else 0.0,
        "last_ms": device.last_ms,
        "result": device.last,
    }
