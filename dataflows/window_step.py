"""What both engines do around the core for one record: find the place of each output, and count."""

from typing import NamedTuple

from dataflows.metrics import Metrics
from dataflows.records import LoggedEvent
from window_core import DeviceWindow, Evaluation, Output

__all__ = ["LocatedOutput", "outputs_at", "outputs_of"]


class LocatedOutput(NamedTuple):
    """An output of the core and the position of the record that it came from; a tick comes from none."""

    output: Output
    position: str | None


def outputs_of(window: DeviceWindow, logged: LoggedEvent, metrics: Metrics) -> list[LocatedOutput]:
    """What a window makes of an event of the log: the ticks due before it, then one output of its own."""
    event, arrival_ms, position = logged
    *ticks, output = window.on_event(event, arrival_ms)
    if isinstance(output, Evaluation):
        heard_ms = output.as_of_ms
        if output.cause == "late_event":
            metrics.lateness.observe((output.newest_ms - event.time_ms) / 1000)
    else:
        heard_ms = output.arrival_ms
    if heard_ms > arrival_ms:
        metrics.lifted.inc()
    return [*(LocatedOutput(tick, None) for tick in ticks), LocatedOutput(output, position)]


def outputs_at(window: DeviceWindow, now_ms: int) -> list[LocatedOutput]:
    """The ticks of a window that are due at an arrival watermark."""
    return [LocatedOutput(tick, None) for tick in window.on_clock(now_ms)]
