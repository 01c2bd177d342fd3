"""Events of the demo's sensors, for tests in which the readings hardly matter."""

from window_core import DEMO_SENSORS, Event

__all__ = ["demo_event"]


def demo_event(device_id: str, time_ms: int, *readings: float) -> Event:
    """An event with up to four readings; the others are 0."""
    return Event(device_id, time_ms, DEMO_SENSORS.row([*readings, *[0.0] * (4 - len(readings))]))
