"""What the core on a laptop gives for the records of a topic: a plain loop without the job, the services or Flink.

It can go on when the topic has more, and under other settings, as a job does that was stopped with a savepoint.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from tests.plain_model import plain_model
from tests.reference import answered, rejection_line
from window_core import DEMO_SENSORS, DeviceWindow, Evaluation, Output, Sensors, WindowSpec, checked_event

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

    def __init__(self, spec: WindowSpec, sensors: Sensors = DEMO_SENSORS) -> None:
        self._spec = spec
        self._sensors = sensors
        self._windows: dict[str, tuple[DeviceWindow, WindowSpec]] = {}
        self.lines: dict[bytes, int] = {}

    def take(self, records: Iterable[Record]) -> None:
        for record in records:
            if record.value is None:
                continue  # a heartbeat
            fields = json.loads(record.value)
            device_id = fields["device_id"]
            readings = [fields.get(name) for name in self._sensors.names]
            key = (record.key or "").encode()
            event = checked_event(self._sensors, device_id, fields["time"], readings, record.arrival_ms, key=key)
            *ticks, output = self._taken_up(device_id).on_event(event, record.arrival_ms)
            self._keep(ticks)
            self._keep([output], f"{record.partition}/{record.offset}")

    def run_to(self, now_ms: int) -> None:
        """Let the clock run, as heartbeats do."""
        for device_id, (window, _) in self._windows.items():
            wakeup_ms = window.next_wakeup_ms()
            if wakeup_ms is not None and wakeup_ms <= now_ms:
                self._keep(self._taken_up(device_id).on_clock(now_ms))

    def go_on_under(self, spec: WindowSpec) -> None:
        """Take each window up under other settings, as soon as something happens to it."""
        self._spec = spec

    def _taken_up(self, device_id: str) -> DeviceWindow:
        window, spec = self._windows.get(device_id) or (DeviceWindow(self._spec, device_id), self._spec)
        if spec != self._spec:
            is_known = window.next_wakeup_ms() is not None
            stored = window.snapshot() if is_known else None
            window = DeviceWindow.restore(self._spec, stored) if stored else DeviceWindow(self._spec, device_id)
        self._windows[device_id] = window, self._spec
        return window

    def _keep(self, outputs: Iterable[Output], position: str | None = None) -> None:
        for output in outputs:
            if isinstance(output, Evaluation):
                is_refused, line = answered(output, position, plain_model(self._sensors))
                assert not is_refused
                self.lines[line] = output.as_of_ms
            else:
                assert position is not None
                self.lines[rejection_line(output, position, self._sensors)] = output.arrival_ms
