"""What is drawn for a device: not any number, but those around its limits, to the millisecond.

The lists hold the instants and times at which a rule changes its mind, and their neighbours. A test picks out of them.
"""

from zlib import crc32

from hypothesis import strategies as st

from tests.oracle import Oracle
from window_core import DEMO_SENSORS, MAX_TIME_MS, Event, Sensors, WindowSpec

__all__ = ["DEVICES", "SENSORS", "arrivals_to_choose", "events_to_choose", "row_of", "spec_of", "specs"]

DEVICES = ("a", "b/1", "straße")
"""Ids of different phases; one has the separator of evaluation ids in it, one more bytes than letters."""

READINGS = (0.0, -0.0, 1.0)
"""Few, so that the same come again; the first two are equal but not the same bits."""

SENSORS = tuple(
    Sensors.of(names) for names in (DEMO_SENSORS.names, ["celsius"], ["door?"], ["celsius", "door?", "bar"])
)
"""With and without readings that may be absent. More than these would only take the oracle longer."""


def spec_of(choose) -> WindowSpec:
    """A spec of small numbers, in which every limit is reached within a few steps.

    Args:
        choose: gives one of the values of a sequence.
    """
    tick_ms = choose([10, 7, 1, 50, 0])
    idle_after_ms = choose([20, 3 * tick_ms, 0, max(tick_ms - 1, 0), tick_ms, tick_ms + 1])
    return WindowSpec(
        interval_ms=choose([40, 10, 1, 200]),
        tick_ms=tick_ms,
        idle_after_ms=idle_after_ms,
        forget_after_ms=idle_after_ms + choose([60, 500, 5_000, 0, 1, 15]),
        max_ahead_ms=choose([30, 0, 1, 5]),
        max_events=choose([6, 1, 2, 3, 12, 100]),
    )


def row_of(sensors: Sensors, choose) -> bytes:
    """A row of which the first and the last reading vary, and those that may be absent are absent together."""
    readings = [1.0] * sensors.width
    readings[0], readings[-1] = choose(READINGS), choose(READINGS)
    if any(sensors.optional) and choose((True, False)):
        readings = [None if optional else one for optional, one in zip(sensors.optional, readings, strict=True)]
    return sensors.row(readings)


@st.composite
def specs(draw) -> WindowSpec:
    return spec_of(lambda values: draw(st.sampled_from(values)))


def arrivals_to_choose(spec: WindowSpec, device_id: str, oracle: Oracle, earliest_ms: int) -> list[int]:
    """Instants from ``earliest_ms`` on at which ticks, idleness or the forgetting of a device begin or end."""
    limits = [earliest_ms, earliest_ms + 3, earliest_ms + spec.interval_ms]
    if spec.tick_ms:
        next_tick_ms = earliest_ms + (crc32(device_id.encode()) - earliest_ms) % spec.tick_ms
        limits += [next_tick_ms, next_tick_ms + spec.tick_ms]
    accepted_ms = oracle.accepted_ms
    if accepted_ms is not None:
        limits += [accepted_ms + spec.idle_after_ms, accepted_ms + spec.forget_after_ms]
    around = {limit_ms + offset_ms for limit_ms in limits for offset_ms in (-1, 0, 1)}
    soon = [earliest_ms, earliest_ms + 1, earliest_ms + 2]
    # Most of the life of a device passes between its limits: otherwise no window would ever fill.
    return soon * 6 + sorted(instant for instant in around if instant >= earliest_ms)


def events_to_choose(spec: WindowSpec, oracle: Oracle, arrival_ms: int) -> list[tuple[int, list[Event]]]:
    """Times at which the answer to an event changes, each with the held events of that time: they may come again."""
    limits = [arrival_ms, arrival_ms + spec.max_ahead_ms, arrival_ms + 10 * spec.interval_ms]
    held = oracle.held
    if held:
        oldest_ms, newest_ms = held[0].time_ms, held[-1].time_ms
        middle_ms = held[len(held) // 2].time_ms
        limits += [
            newest_ms,
            newest_ms,
            newest_ms - spec.interval_ms,
            oldest_ms + spec.interval_ms,
            middle_ms,
            oldest_ms,
        ]
    times = [limit_ms + offset_ms for limit_ms in limits for offset_ms in (0, -1, 1)]
    return [
        (time_ms, [event for event in held if event.time_ms == time_ms])
        for time_ms in times
        if 0 <= time_ms <= MAX_TIME_MS
    ]
