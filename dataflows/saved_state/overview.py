"""What a state holds, as values to print: all of it in a few numbers, or one device."""

from collections.abc import Iterable

import msgspec

from dataflows.saved_state.origin import Origin, Position, SavedDevice
from window_core import WindowSpec, decoded_snapshot

__all__ = ["DeviceOverview", "StateOverview", "device_overview", "state_overview"]


class DeviceOverview(msgspec.Struct, frozen=True):
    """The window of a device; instants in ms.

    Attributes:
        device_id: its id.
        partition: the one its events stand in.
        events: how many it holds.
        oldest_ms: event time of the first.
        newest_ms: event time of the last.
        accepted_ms: arrival of the last event that was accepted.
        ticked_ms: the last tick that fired; ``None`` before the first.
        next_evaluation_id: the id that its next evaluation will have.
    """

    device_id: str
    partition: int
    events: int
    oldest_ms: int
    newest_ms: int
    accepted_ms: int
    ticked_ms: int | None
    next_evaluation_id: str


class StateOverview(msgspec.Struct, frozen=True):
    """A state.

    Attributes:
        engine: that saved it; ``None`` for one in a portable file.
        input: the topic or the file.
        topic_id: which topic of this name; ``None`` for a file, or if it is not known.
        sensors: as they were declared.
        window: the numbers it was last run with; ``None`` if they are not known.
        partitions: how far each was read.
        devices: how many there are.
        events: how many they hold in all.
        newest_ms: the newest event time of all; ``None`` without devices.
        device_ids: their ids, in the order of their bytes.
    """

    engine: str | None
    input: str
    topic_id: str | None
    sensors: str
    window: WindowSpec | None
    partitions: tuple[Position, ...]
    devices: int
    events: int
    newest_ms: int | None
    device_ids: list[str]


def state_overview(engine: str | None, origin: Origin, devices: Iterable[SavedDevice]) -> StateOverview:
    """All of a state. Raises SnapshotError where a window is damaged or of another version."""
    ids: list[str] = []
    events = 0
    newest_ms: int | None = None
    for device in devices:
        found = device_overview(device)
        ids.append(found.device_id)
        events += found.events
        newest_ms = found.newest_ms if newest_ms is None else max(newest_ms, found.newest_ms)
    log = origin.log
    return StateOverview(
        engine,
        log.path if log.topic is None else log.topic,  # type: ignore[arg-type]  # one of the two is there
        log.topic_id,
        origin.sensors,
        origin.window,
        origin.partitions,
        len(ids),
        events,
        newest_ms,
        ids,
    )


def device_overview(device: SavedDevice) -> DeviceOverview:
    """One device of a state. Raises as ``state_overview`` does."""
    state = decoded_snapshot(device.snapshot)
    times = state.columns.times
    return DeviceOverview(
        device.device_id,
        device.partition,
        state.end - state.start,
        times[state.start],
        times[state.end - 1],
        state.accepted_ms,
        None if state.ticked_ms < 0 else state.ticked_ms,
        f"{state.device_id}/{state.columns.session_ms}/{state.seq}",
    )
