"""The rules of latecomer: events and time in, evaluations and rejections out.

Standard library only, and no engine, clock, thread, socket or logger; ``device_window`` owns every rule.

>>> window = DeviceWindow(WindowSpec(interval_ms=10_000, tick_ms=0), "pump-7")
>>> [evaluation] = window.on_event(Event("pump-7", 20_000, 1.0, 2.0, 3.0, 4.0), arrival_ms=20_500)
>>> evaluation.cause, evaluation.evaluation_id, evaluation.events
('event', 'pump-7/20500/0', 1)
>>> [rejection] = window.on_event(Event("pump-7", 9_999, 1.0, 2.0, 3.0, 4.0), arrival_ms=21_000)
>>> rejection.reason, rejection.late_by_ms
('TOO_LATE', 1)
"""

from window_core.columns import BYTES_PER_EVENT, Columns
from window_core.device_window import DeviceWindow, next_wakeup_ms
from window_core.event import EVENT_ERRORS, MAX_TIME_MS, SENSORS, Event, EventError, checked_event
from window_core.outputs import CAUSES, REASONS, Cause, Evaluation, Output, Reason, Rejection
from window_core.snapshot import SnapshotError
from window_core.spec import WindowSpec

__all__ = [
    "BYTES_PER_EVENT",
    "CAUSES",
    "EVENT_ERRORS",
    "MAX_TIME_MS",
    "REASONS",
    "SENSORS",
    "Cause",
    "Columns",
    "DeviceWindow",
    "Evaluation",
    "Event",
    "EventError",
    "Output",
    "Reason",
    "Rejection",
    "SnapshotError",
    "WindowSpec",
    "checked_event",
    "next_wakeup_ms",
]
