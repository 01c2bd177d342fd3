"""What both engines do around the core for one record: find the place of each output, and count."""

from typing import TypeAlias

from dataflows.metrics import Metrics
from dataflows.records import LoggedEvent
from window_core import DeviceWindow, Evaluation, Output

__all__ = ["LocatedOutput", "outputs_at", "outputs_of", "partition_of"]


LocatedOutput: TypeAlias = tuple[Output, str | None]
"""An output of the core and the position of the record that it came from; a tick comes from none."""


def outputs_of(window: DeviceWindow, logged: LoggedEvent, metrics: Metrics) -> list[LocatedOutput]:
    """What a window makes of an event of the log: the ticks due before it, then one output of its own."""
    outputs = window.on_event(logged.event, logged.arrival_ms)
    output = outputs.pop()
    if isinstance(output, Evaluation) and output.cause == "late_event":
        metrics.lateness.observe((output.newest_ms - logged.event.time_ms) / 1000)
    located: list[LocatedOutput] = [(tick, None) for tick in outputs] if outputs else []
    located.append((output, logged.position))
    return located


def partition_of(logged: LoggedEvent, first: str | None, metrics: Metrics) -> str:
    """The partition of a device's first event, to be given back with each later one: all have to stand in that one.

    Args:
        logged: an event of the device.
        first: what this gave for the event before; ``None``: there was none.
        metrics: warns of a device in two partitions, once a run.
    """
    if first is not None and logged.position.startswith(first):
        return first
    partition = logged.position.partition("/")[0] + "/"
    if first is None:
        return partition
    metrics.warn(
        "two partitions",
        f"device {logged.event.device_id} stands in partitions {first[:-1]} and {partition[:-1]}: each has a clock of "
        "its own, so the outputs of such a device depend on which is read first; let its records have one key, the "
        "device id, and their producers one partitioner",
    )
    return first


def outputs_at(window: DeviceWindow, now_ms: int) -> list[LocatedOutput]:
    """The ticks of a window that are due at an arrival watermark."""
    return [(tick, None) for tick in window.on_clock(now_ms)]
