"""The windows of a log at any instant, found the plain way: by the oracle, or by going through all events."""

import math
from collections.abc import Iterable, Iterator, Sequence
from struct import pack, unpack

from dataflows.pipeline.record import LoggedEvent
from dataflows.replay import Replay
from tests.oracle import Oracle
from window_core import Event, WindowSpec

__all__ = ["known_windows", "means_of_events", "records_by_device", "true_window"]


def records_by_device(replay: Replay) -> dict[str, list[LoggedEvent]]:
    """The events of each device, in their order."""
    records: dict[str, list[LoggedEvent]] = {}
    for found in replay.events(0):
        if isinstance(found, LoggedEvent):
            records.setdefault(found.event.device_id, []).append(found)
    return records


def known_windows(
    spec: WindowSpec, records: Sequence[LoggedEvent], instants_ms: Iterable[int]
) -> Iterator[tuple[int, list[Event]]]:
    """What the oracle holds at each instant, after everything that has arrived by then; the instants ascend."""
    oracle = Oracle(spec, records[0].event.device_id)
    left = list(records)
    for at_ms in instants_ms:
        while left and left[0].arrival_ms <= at_ms:
            logged = left.pop(0)
            oracle.on_event(logged.event, logged.arrival_ms)
        oracle.on_clock(at_ms)
        yield at_ms, oracle.held


def true_window(spec: WindowSpec, records: Iterable[LoggedEvent], at_ms: int) -> list[Event]:
    """What the device has measured by an instant and ever sent, as far back as a window reaches."""
    events: list[Event] = []
    for logged in records:
        is_ahead = logged.event.time_ms > logged.arrival_ms + spec.max_ahead_ms
        if not is_ahead and logged.event.time_ms <= at_ms and logged.event not in events:
            events.append(logged.event)
    newest_ms = max((event.time_ms for event in events), default=0)
    return sorted((event for event in events if event.time_ms >= newest_ms - spec.interval_ms), key=lambda e: e.time_ms)


def means_of_events(events: Sequence[Event]) -> list[float] | None:
    """The mean of each sensor, by plain arithmetic; ``None`` if a sensor has no reading, or there is no event."""
    means = []
    for column in zip(*(unpack(f"<{len(event.row) // 4}f", event.row) for event in events), strict=True):
        there = [reading for reading in column if not math.isnan(reading)]
        if not there:
            return None
        means += unpack("<f", pack("<f", math.fsum(there) / len(there)))
    return [mean or 0.0 for mean in means] or None
