"""A device begins with its first accepted event, or its snapshot, and ends when the core forgets it."""

import pytest

from dataflows.pipeline.device import Device, LocatedOutput
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import LoggedEvent
from tests.events import demo_event
from window_core import Evaluation, Rejection, SnapshotError, WindowSpec
from window_core.device_window import first_tick_ms

SPEC = WindowSpec(interval_ms=1_000, tick_ms=100, idle_after_ms=300, forget_after_ms=1_000)

DEVICE = "pump-7"


def logged(time_ms: int, arrival_ms: int | None = None, position: str = "0/0") -> LoggedEvent:
    event = demo_event(DEVICE, time_ms, 1.0, 2.0, 3.0, 4.0)
    return LoggedEvent(event, time_ms if arrival_ms is None else arrival_ms, position)


def rejected(located: list[LocatedOutput]) -> tuple[str, str | None]:
    [(output, position)] = located
    assert isinstance(output, Rejection)
    return output.reason, position


def made(snapshot: bytes | None = None, spec: WindowSpec = SPEC) -> Device:
    return Device(spec, Metrics(), snapshot)


def test_a_device_that_was_told_nothing_has_nothing_to_keep() -> None:
    assert made().next_wakeup_ms() is None


def test_time_means_nothing_to_a_device_that_has_not_begun() -> None:
    device = made()
    assert device.take(1_000_000) == []
    assert device.next_wakeup_ms() is None


def test_a_device_begins_with_its_first_accepted_event() -> None:
    device = made()
    [(output, position)] = device.take(logged(5_000, position="3/17"))
    assert isinstance(output, Evaluation)
    assert (output.cause, output.as_of_ms, position) == ("event", 5_000, "3/17")
    assert device.device_id == DEVICE
    assert device.next_wakeup_ms() == first_tick_ms(SPEC, DEVICE, 5_000)


def test_a_rejected_event_begins_no_device() -> None:
    device = made()
    assert rejected(device.take(logged(SPEC.max_ahead_ms + 5_001, 5_000))) == ("AHEAD_OF_CLOCK", "0/0")
    assert device.next_wakeup_ms() is None


def test_time_brings_the_ticks_that_are_due_and_moves_the_wake_up() -> None:
    device = made()
    device.take(logged(5_000))
    tick_ms = first_tick_ms(SPEC, DEVICE, 5_000)
    assert device.take(tick_ms - 1) == []
    [(output, position)] = device.take(tick_ms)
    assert isinstance(output, Evaluation)
    assert (output.cause, output.as_of_ms, position) == ("tick", tick_ms, None)
    assert device.next_wakeup_ms() == tick_ms + SPEC.tick_ms


def test_a_silent_device_is_woken_up_last_to_expire_and_not_a_millisecond_earlier() -> None:
    device = made()
    device.take(logged(5_000))
    wakeups_ms = []
    while (wakeup_ms := device.next_wakeup_ms()) is not None:
        wakeups_ms.append(wakeup_ms)
        device.take(wakeup_ms - 1)
        assert device.next_wakeup_ms() == wakeup_ms
        device.take(wakeup_ms)
    first_ms = first_tick_ms(SPEC, DEVICE, 5_000)
    ticks_ms = range(first_ms, 5_000 + SPEC.idle_after_ms + 1, SPEC.tick_ms)
    assert wakeups_ms == [*ticks_ms, 5_000 + SPEC.forget_after_ms + 1]


def test_an_event_after_the_expiry_opens_a_new_session() -> None:
    device = made()
    device.take(logged(5_000))
    device.take(5_000 + SPEC.forget_after_ms + 1)
    assert device.next_wakeup_ms() is None
    [(output, _)] = device.take(logged(9_000))
    assert isinstance(output, Evaluation)
    assert output.evaluation_id == f"{DEVICE}/9000/0"
    assert device.next_wakeup_ms() is not None


def test_a_restored_device_is_the_one_that_was_saved() -> None:
    device = made()
    device.take(logged(5_000))
    restored = made(device.snapshot())
    assert (restored.device_id, restored.next_wakeup_ms()) == (DEVICE, device.next_wakeup_ms())
    assert restored.snapshot() == device.snapshot()
    assert restored.take(logged(5_001)) != []
    assert restored.device_id == DEVICE


def test_a_device_that_the_new_settings_have_forgotten_is_over_as_soon_as_it_is_restored() -> None:
    device = made()
    device.take(logged(5_000))
    device.take(5_300)
    brief = WindowSpec(interval_ms=1_000, tick_ms=100, idle_after_ms=10, forget_after_ms=10)
    assert made(device.snapshot(), brief).next_wakeup_ms() is None


def test_a_damaged_snapshot_is_an_error_and_no_empty_device() -> None:
    device = made()
    device.take(logged(5_000))
    snapshot = device.snapshot()
    with pytest.raises(SnapshotError):
        made(snapshot[:-1] + bytes([snapshot[-1] ^ 1]))


def test_the_ticks_before_a_record_come_first_and_have_no_position() -> None:
    device = made()
    device.take(logged(1_000))
    *ticks, last = device.take(logged(1_250, position="0/1"))
    assert [(type(tick), position) for tick, position in ticks] == [(Evaluation, None)] * len(ticks)
    assert len(ticks) in (2, 3)
    output, position = last
    assert isinstance(output, Evaluation)
    assert (output.cause, position) == ("event", "0/1")


def test_a_rejection_has_the_position_of_its_record() -> None:
    device = made()
    device.take(logged(5_000))
    assert rejected(device.take(logged(3_999, 5_000, "0/1"))) == ("TOO_LATE", "0/1")


def test_how_late_late_events_are_is_measured() -> None:
    metrics = Metrics()
    device = Device(WindowSpec(tick_ms=0), metrics)
    for time_ms in (60_000, 30_000, 60_001):
        device.take(logged(time_ms, 60_000))
    assert metrics.registry.get_sample_value("latecomer_lateness_seconds_sum") == 30
    assert metrics.registry.get_sample_value("latecomer_lateness_seconds_count") == 1


def test_a_device_in_two_partitions_is_warned_of_once_with_both() -> None:
    said: list[str] = []
    metrics = Metrics(said.append)
    device = Device(SPEC, metrics)
    for position in ("1/0", "1/7", "12/0", "1/8", "0/3"):
        device.take(logged(1, position=position))
    [warning] = said
    assert warning.startswith(f"device {DEVICE} has records in partitions 1 and 12: ")
    assert list(metrics.warnings.values()) == said


def test_a_restored_device_knows_the_partition_that_it_came_from() -> None:
    begun = made()
    begun.take(logged(1, position="12/0"))
    said: list[str] = []
    device = Device(SPEC, Metrics(said.append), begun.snapshot(), 12)
    device.take(logged(2, position="12/9"))
    assert said == []
    device.take(logged(3, position="1/0"))
    [warning] = said
    assert warning.startswith(f"device {DEVICE} has records in partitions 12 and 1: each has a clock of its own")


def test_what_a_tick_would_show_can_be_asked_while_there_is_state() -> None:
    device = made()
    assert device.evaluated_at(5_000) is None
    device.take(logged(5_000))
    found = device.evaluated_at(5_001)
    assert found is not None
    assert (found.cause, found.as_of_ms, found.seq, found.events) == ("tick", 5_001, 1, 1)
    device.take(5_001 + SPEC.forget_after_ms)
    assert device.evaluated_at(5_001 + SPEC.forget_after_ms) is None
