"""What the core on a laptop gives for the records of a topic: a plain loop without the job, the services or Flink.

It can go on when the topic has more, and under other settings, as a job does that was stopped with a savepoint.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from tests.reference import _prediction as prediction_line
from tests.reference import _rejection as rejection_line
from window_core import DeviceWindow, Evaluation, Output, WindowSpec
from window_core.event import checked_event

__all__ = ["Laptop", "Output", "Record"]


class Record(NamedTuple):
    """A record of a topic, as ``in_pod.py`` prints it."""

    partition: int
    offset: int
    arrival_ms: int
    key: str | None
    value: str | None


class Laptop:
    """Takes the events of a topic, and says what has to come out.

    Attributes:
        lines: every output so far, and the instant that it belongs to.
    """

    def __init__(self, spec: WindowSpec) -> None:
        self._spec = spec
        self._windows: dict[str, DeviceWindow] = {}
        self.lines: dict[bytes, int] = {}

    def take(self, records: Iterable[Record]) -> None:
        for record in records:
            if record.value is None:
                continue  # a heartbeat
            fields = json.loads(record.value)
            device_id = fields["device_id"]
            sensors = [fields[f"sensor{number}"] for number in range(1, 5)]
            event = checked_event(
                device_id, fields["time"], sensors, record.arrival_ms, key=(record.key or "").encode()
            )  # fmt: skip
            window = self._windows.get(device_id)
            if window is None:
                window = self._windows[device_id] = DeviceWindow(self._spec, device_id)
            *ticks, output = window.on_event(event, record.arrival_ms)
            self._keep(ticks)
            self._keep([output], f"{record.partition}/{record.offset}")

    def run_to(self, now_ms: int) -> None:
        """Let the clock run, as heartbeats do."""
        for window in self._windows.values():
            self._keep(window.on_clock(now_ms))

    def go_on_under(self, spec: WindowSpec) -> None:
        """Take every window up under other settings."""
        self._spec = spec
        for device_id, window in self._windows.items():
            if window.next_wakeup_ms() is not None:
                self._windows[device_id] = DeviceWindow.restore(spec, window.snapshot())

    def _keep(self, outputs: Iterable[Output], position: str | None = None) -> None:
        for output in outputs:
            if isinstance(output, Evaluation):
                self.lines[prediction_line(output, position)] = output.as_of_ms
            else:
                assert position is not None
                self.lines[rejection_line(output, position)] = output.arrival_ms
