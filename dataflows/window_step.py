"""What both engines do around the core for one record: find the place of each output, and count."""

from typing import TypeAlias

from dataflows.metrics import Metrics
from dataflows.records import LoggedEvent
from window_core import DeviceWindow, Evaluation, Output

__all__ = ["LocatedOutput", "outputs_at", "outputs_of"]


LocatedOutput: TypeAlias = tuple[Output, str | None]
"""An output of the core and the position of the record that it came from; a tick comes from none."""


def outputs_of(window: DeviceWindow, logged: LoggedEvent, metrics: Metrics) -> list[LocatedOutput]:
    """What a window makes of an event of the log: the ticks due before it, then one output of its own."""
    outputs = window.on_event(logged.event, logged.arrival_ms)
    output = outputs.pop()
    if isinstance(output, Evaluation):
        heard_ms = output.as_of_ms
        if output.cause == "late_event":
            metrics.lateness.observe((output.newest_ms - logged.event.time_ms) / 1000)
    else:
        heard_ms = output.arrival_ms
    if heard_ms > logged.arrival_ms:
        metrics.lifted.inc()
    located: list[LocatedOutput] = [(tick, None) for tick in outputs] if outputs else []
    located.append((output, logged.position))
    return located


def outputs_at(window: DeviceWindow, now_ms: int) -> list[LocatedOutput]:
    """The ticks of a window that are due at an arrival watermark."""
    return [(tick, None) for tick in window.on_clock(now_ms)]
