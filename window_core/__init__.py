"""The rules of latecomer: events and time in, evaluations and rejections out.

Standard library only, and no engine, clock, thread, socket or logger; ``device_window`` owns every rule.

>>> row = Sensors.of(["temperature", "pressure"]).row([21.5, 1.013])
>>> window = DeviceWindow(WindowSpec(interval_ms=10_000, tick_ms=0), "pump-7")
>>> [evaluation] = window.on_event(Event("pump-7", 20_000, row), arrival_ms=20_500)
>>> evaluation.cause, evaluation.evaluation_id, evaluation.events
('event', 'pump-7/20500/0', 1)
>>> [rejection] = window.on_event(Event("pump-7", 9_999, row), arrival_ms=21_000)
>>> rejection.reason, rejection.late_by_ms
('TOO_LATE', 1)
"""

from window_core.columns import Columns, Origin
from window_core.device_window import DeviceWindow, next_wakeup_ms
from window_core.event import EVENT_ERRORS, MAX_DEVICE_ID_BYTES, MAX_TIME_MS, Event, EventError, checked_event
from window_core.outputs import CAUSES, REASONS, Cause, Evaluation, Output, Reason, Rejection
from window_core.sensors import DEMO_SENSORS, Sensors, SensorsError
from window_core.snapshot import SNAPSHOT_MAGIC, Snapshot, SnapshotError, decoded_snapshot
from window_core.spec import WindowSpec

__all__ = [
    "CAUSES",
    "DEMO_SENSORS",
    "EVENT_ERRORS",
    "MAX_DEVICE_ID_BYTES",
    "MAX_TIME_MS",
    "REASONS",
    "SNAPSHOT_MAGIC",
    "Cause",
    "Columns",
    "DeviceWindow",
    "Evaluation",
    "Event",
    "EventError",
    "Origin",
    "Output",
    "Reason",
    "Rejection",
    "Sensors",
    "SensorsError",
    "Snapshot",
    "SnapshotError",
    "WindowSpec",
    "checked_event",
    "decoded_snapshot",
    "next_wakeup_ms",
]
