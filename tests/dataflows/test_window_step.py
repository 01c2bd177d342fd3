"""What an engine does around the core for one record: a place for each output, and what is counted."""

import json

from dataflows.metrics import Metrics
from dataflows.records import LoggedEvent
from dataflows.window_step import outputs_at, outputs_of, partition_of
from window_core import DeviceWindow, Evaluation, Event, Rejection, WindowSpec

SPEC = WindowSpec(interval_ms=1_000, tick_ms=100, idle_after_ms=1_000)


def logged(time_ms: int, arrival_ms: int, position: str) -> LoggedEvent:
    return LoggedEvent(Event("d", time_ms, 1.0, 2.0, 3.0, 4.0), arrival_ms, position)


def test_the_ticks_before_a_record_come_first_and_have_no_position() -> None:
    window, metrics = DeviceWindow(SPEC, "d"), Metrics()
    outputs_of(window, logged(1_000, 1_000, "0/0"), metrics)
    *ticks, last = outputs_of(window, logged(1_250, 1_250, "0/1"), metrics)
    assert [(type(tick), position) for tick, position in ticks] == [(Evaluation, None)] * len(ticks)
    assert len(ticks) in (2, 3)
    output, position = last
    assert isinstance(output, Evaluation)
    assert (output.cause, position) == ("event", "0/1")


def test_a_rejection_has_the_position_of_its_record() -> None:
    window, metrics = DeviceWindow(SPEC, "d"), Metrics()
    outputs_of(window, logged(5_000, 5_000, "0/0"), metrics)
    [(output, position)] = outputs_of(window, logged(3_999, 5_000, "0/1"), metrics)
    assert isinstance(output, Rejection)
    assert (output.reason, position) == ("TOO_LATE", "0/1")


def test_the_clock_gives_ticks_without_a_position() -> None:
    window = DeviceWindow(SPEC, "d")
    outputs_of(window, logged(1_000, 1_000, "0/0"), Metrics())
    ticks = outputs_at(window, 1_200)
    assert [position for _, position in ticks] == [None] * len(ticks)
    assert len(ticks) in (2, 3)


def test_how_late_late_events_are_is_measured() -> None:
    window, metrics = DeviceWindow(WindowSpec(tick_ms=0), "d"), Metrics()
    for number, time_ms in enumerate((60_000, 30_000, 60_001)):
        outputs_of(window, logged(time_ms, 60_000, f"0/{number}"), metrics)
    assert metrics.registry.get_sample_value("latecomer_lateness_seconds_sum") == 30
    assert metrics.registry.get_sample_value("latecomer_lateness_seconds_count") == 1


def test_a_device_in_two_partitions_is_warned_of_once_with_both() -> None:
    said: list[str] = []
    metrics = Metrics(said.append)
    first = None
    for position in ("1/0", "1/7", "12/0", "1/8", "0/3"):
        first = partition_of(logged(1, 1, position), first, metrics)
    assert first == "1/"
    [warning] = said
    assert warning.startswith("device d stands in partitions 1 and 12: ")
    assert list(metrics.warnings.values()) == said


def test_another_process_hears_of_warnings_and_counts() -> None:
    of_job, of_run = Metrics(), Metrics()
    of_job.warn("a kind", "look here")
    of_job.clamped.labels("2").inc(3)
    of_run.add(json.loads(json.dumps(of_job.report())))
    assert of_run.warnings == {"a kind": "look here"}
    assert of_run.value("latecomer_arrivals_clamped_total", partition="2") == 3
