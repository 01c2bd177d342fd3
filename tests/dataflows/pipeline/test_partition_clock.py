"""The clock of a partition calls each device in time for each tick, and in one order with its records."""

from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.pipeline.partition_clock import PartitionClock
from dataflows.pipeline.record import LoggedEvent
from tests.dataflows.logs import specs
from tests.events import demo_event
from window_core import DeviceWindow, WindowSpec

DEVICES = ("a", "b", "c")


def tick_after(spec: WindowSpec, device_id: str, instant_ms: int) -> int:
    return instant_ms + (crc32(device_id.encode()) - instant_ms) % spec.tick_ms


def test_a_device_that_speaks_after_a_silence_is_called_for_the_tick_before_its_forgetting() -> None:
    spec = WindowSpec(interval_ms=1_000, tick_ms=1_000, idle_after_ms=10, forget_after_ms=100)
    tick_ms = tick_after(spec, "a", 5_000)
    clock = PartitionClock(spec)
    clock.heard("a", tick_ms - 60)
    clock.heard("a", tick_ms - 5)
    assert list(clock.due_at(tick_ms)) == [("a", tick_ms)]


def test_a_record_at_the_instant_of_a_tick_comes_before_it() -> None:
    spec = WindowSpec(tick_ms=10, idle_after_ms=100)
    tick_ms = tick_after(spec, "a", 5_000)
    clock = PartitionClock(spec)
    clock.heard("a", tick_ms - 1)
    assert list(clock.due_before(tick_ms)) == []
    assert list(clock.due_before(tick_ms + 1)) == [("a", tick_ms)]


def test_a_forgotten_device_takes_no_memory() -> None:
    spec = WindowSpec(tick_ms=10, idle_after_ms=10, forget_after_ms=50)
    clock = PartitionClock(spec)
    for device in range(100):
        clock.heard(f"d{device}", 1_000)
    assert len(dict(clock.due_at(1_051))) == 100
    assert clock.snapshot() == (1_051, {})


def test_a_tick_at_the_last_instant_of_a_device_is_not_its_last_call() -> None:
    spec = WindowSpec(interval_ms=10, tick_ms=10, idle_after_ms=50, forget_after_ms=50)
    last_ms = tick_after(spec, "a", 5_000)
    clock = PartitionClock(spec)
    clock.heard("a", last_ms - 50)
    assert list(clock.due_at(last_ms)) == [("a", last_ms)]
    assert list(clock.due_at(last_ms + 1)) == [("a", last_ms + 1)]  # to expire
    assert clock.snapshot() == (last_ms + 1, {})


def logged(device_id: str, time_ms: int, arrival_ms: int) -> LoggedEvent:
    return LoggedEvent(demo_event(device_id, time_ms, 0.0, 0.0, 0.0, 0.0), arrival_ms, "0/0")


def test_a_rejected_event_of_a_device_without_a_window_takes_no_memory() -> None:
    clock = PartitionClock(WindowSpec(max_ahead_ms=5))
    for device in range(100):
        event = logged(f"d{device}", 1_006, 1_000)
        assert clock.before(event) == [(f"d{device}", event)]
    assert clock.snapshot() == (999, {})
    clock.before(logged("d0", 1_005, 1_000))
    clock.before(logged("d0", 2_000, 1_001))
    assert clock.snapshot() == (
        1_000,
        {"d0": 1_001},
    )  # it has a window: nothing is known of what that makes of an event


def test_a_device_that_was_forgotten_is_one_without_a_window() -> None:
    clock = PartitionClock(WindowSpec(tick_ms=0, idle_after_ms=10, forget_after_ms=50, max_ahead_ms=5))
    clock.before(logged("a", 1_000, 1_000))
    event = logged("a", 2_000, 1_052)
    assert clock.before(event) == [("a", 1_051), ("a", event)]
    assert clock.snapshot() == (1_051, {})


def test_without_ticks_a_busy_device_keeps_one_call_under_way() -> None:
    clock = PartitionClock(WindowSpec(tick_ms=0))
    for arrival_ms in range(1_000):
        assert list(clock.due_before(arrival_ms)) == []
        clock.heard("a", arrival_ms)
    assert len(clock._calls) == 1


GAPS_MS = st.integers(0, 70) | st.sampled_from((0, 1, 40, 41, 240, 241))
AHEAD_MS = st.sampled_from((0, 0, 0, 10**9))
"""Now and then the event is rejected, whichever window it meets."""

STEPS = st.lists(st.tuples(st.sampled_from(DEVICES[:2]), GAPS_MS, AHEAD_MS), max_size=20)


@given(specs(), STEPS, st.integers(0, 30), st.integers(0, 40))
@settings(max_examples=600)
def test_the_windows_that_are_called_give_what_windows_called_at_each_millisecond_give(
    spec: WindowSpec, steps: list[tuple[str, int, int]], rest_ms: int, restart_after: int
) -> None:
    clock, now_ms = PartitionClock(spec), 1_000
    called = {device_id: DeviceWindow(spec, device_id) for device_id in DEVICES}
    driven = {device_id: DeviceWindow(spec, device_id) for device_id in DEVICES}
    outputs: dict[str, list[str]] = {device_id: [] for device_id in DEVICES}
    expected: dict[str, list[str]] = {device_id: [] for device_id in DEVICES}

    def note(of: dict[str, list[str]], device_id: str, given: list[object]) -> None:
        of[device_id] += [f"{getattr(out, 'cause', out)} {getattr(out, 'as_of_ms', '')}" for out in given]

    for number, (device_id, gap_ms, ahead_ms) in enumerate(steps):
        for _ in range(gap_ms):
            for other, window in driven.items():
                note(expected, other, list(window.on_clock(now_ms)))
            now_ms += 1
        if number == restart_after:
            state = clock.snapshot()
            clock = PartitionClock(spec)
            clock.restore(*state)
        reading = demo_event(device_id, now_ms + ahead_ms, float(number), 0.0, 0.0, 0.0)
        for due_id, item in clock.before(LoggedEvent(reading, now_ms, "0/0")):
            window = called[due_id]
            given = window.on_clock(item) if isinstance(item, int) else window.on_event(item.event, item.arrival_ms)
            note(outputs, due_id, list(given))
        note(expected, device_id, list(driven[device_id].on_event(reading, now_ms)))
    for due_id, due_ms in clock.due_at(now_ms + rest_ms):
        note(outputs, due_id, list(called[due_id].on_clock(due_ms)))
    for device_id, window in driven.items():
        for instant_ms in range(now_ms, now_ms + rest_ms + 1):
            note(expected, device_id, list(window.on_clock(instant_ms)))
    assert outputs == expected


def test_an_instant_that_is_no_longer_due_keeps_no_other_device_waiting() -> None:
    spec = WindowSpec(tick_ms=100, idle_after_ms=50, forget_after_ms=1_000)
    clock = PartitionClock(spec)
    silent_ms = tick_after(spec, "a", 1_000) + 1  # the next tick is 99 ms away, so only the expiry is due
    clock.heard("a", silent_ms)
    clock.heard("a", silent_ms + 60)  # brings a tick: the expiry noted before is due no longer
    clock.heard("b", tick_after(spec, "b", silent_ms + 1) + 1)  # due behind it
    now_ms = silent_ms + 5_000
    assert list(clock.due_at(now_ms)) == [("a", now_ms), ("b", now_ms)]
