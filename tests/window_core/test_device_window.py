"""What a transcript cannot say: views that stay, calls that change nothing, wake-ups, work that stays small."""

import gc
from array import array
from collections import Counter

import pytest

from tests.events import demo_event
from tests.oracle import plain
from tests.window_core.pair import Pair
from window_core import (
    DeviceWindow,
    Evaluation,
    Event,
    Origin,
    Output,
    Sensors,
    WindowSpec,
    next_wakeup_ms,
)

SPEC = WindowSpec(interval_ms=10_000, tick_ms=0)
TICKING = WindowSpec(interval_ms=10_000, tick_ms=10_000, idle_after_ms=20_000, forget_after_ms=50_000)


def reading(time_ms: int, sensor1: float = 1.0, device_id: str = "a") -> Event:
    return demo_event(device_id, time_ms, sensor1, 2.0, 3.0, 4.0)


def fed(window: DeviceWindow, *times: int) -> list[Output]:
    return [output for time_ms in times for output in window.on_event(reading(time_ms), max(times))]


def test_an_evaluation_keeps_its_window_whatever_comes_later() -> None:
    window = DeviceWindow(SPEC, "a")
    kept = [
        (evaluation, repr(plain(evaluation)))
        for step in range(200)
        for time_ms in (20_000 + 997 * step, 20_000 + 997 * step - 4_000, 20_000 + 997 * step - 9_000)
        for evaluation in window.on_event(reading(time_ms, float(step)), 300_000)
    ]
    assert {evaluation.cause for evaluation, _ in kept} == {"event", "late_event"}
    for evaluation, text in kept:
        assert repr(plain(evaluation)) == text


def test_views_taken_early_show_the_same_rows_later() -> None:
    window = DeviceWindow(SPEC, "a")
    evaluation = fed(window, 10_000, 12_000)[-1]
    views = evaluation.window()
    before = [bytes(view) for view in views]
    fed(window, 11_000, 12_000, 13_000, 9_000, 20_000, 40_000, *range(40_001, 40_050))
    assert [bytes(view) for view in views] == before
    del window, evaluation
    gc.collect()
    assert [bytes(view) for view in views] == before


def test_a_window_cannot_be_written_through_an_evaluation() -> None:
    [evaluation] = fed(DeviceWindow(SPEC, "a"), 10_000)
    for view in evaluation.window():
        assert view.readonly
        with pytest.raises(TypeError):
            view[0] = 1
    times, rows = evaluation.window()
    assert (times.format, times.itemsize) == ("q", 8)
    assert (rows.format, rows.itemsize, len(rows)) == ("B", 1, 16)


def test_outputs_are_immutable() -> None:
    evaluation, rejection = fed(DeviceWindow(SPEC, "a"), 10_000, 10_000)
    for output, name in ((evaluation, "seq"), (evaluation, "start"), (rejection, "reason")):
        with pytest.raises(AttributeError):
            setattr(output, name, 0)


@pytest.mark.parametrize("first_ms", [0, 10**12])
def test_columns_that_are_made_anew_change_no_window(first_ms: int) -> None:
    window = DeviceWindow(SPEC, "a")
    for number in range(100):  # the columns run full several times
        [evaluation] = fed(window, first_ms + number)
        assert [*evaluation.window()[0]] == [*range(first_ms, first_ms + number + 1)]
        window.check()


@pytest.mark.parametrize("first_ms", [0, 10**12])
@pytest.mark.parametrize("max_events", range(1, 30))
def test_a_full_window_is_full_also_where_its_columns_are(max_events: int, first_ms: int) -> None:
    window = DeviceWindow(WindowSpec(interval_ms=10_000, tick_ms=0, max_events=max_events), "a")
    outputs = fed(window, *range(first_ms, first_ms + max_events + 2))
    assert [getattr(output, "reason", "") for output in outputs] == [""] * max_events + ["WINDOW_FULL"] * 2
    window.check()


def test_events_in_order_share_their_columns() -> None:
    window = DeviceWindow(WindowSpec(interval_ms=299, tick_ms=0), "a")
    evaluations = fed(window, *range(10_000, 13_000))
    assert evaluations[-1].events == 300
    made = len({id(evaluation.columns) for evaluation in evaluations if isinstance(evaluation, Evaluation)})
    assert made < 3_000 / 50  # one for 75 events, once the window is full


def test_an_event_of_another_device_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        DeviceWindow(SPEC, "a").on_event(reading(1, device_id="b"), 1)


def test_a_rejected_event_leaves_no_trace_in_the_state() -> None:
    window = DeviceWindow(WindowSpec(interval_ms=10_000, tick_ms=0, max_ahead_ms=0, max_events=2), "a")
    empty = window.snapshot()
    window.on_event(reading(2), 1)
    assert window.snapshot() == empty
    fed(window, 20_000, 21_000)
    before = window.snapshot()
    rejected = [
        (31_001, 31_000),
        (10_999, 31_000),
        (20_000, 31_000),
        (21_000, 31_000),
        (20_500, 31_000),
        (30_000, 31_000),
    ]
    reasons = []
    for time_ms, arrival_ms in rejected:
        [rejection] = window.on_event(reading(time_ms), arrival_ms)
        reasons.append(rejection.reason)
        assert window.snapshot() == before
        window.check()
    assert reasons == ["AHEAD_OF_CLOCK", "TOO_LATE", "DUPLICATE", "DUPLICATE", "WINDOW_FULL", "WINDOW_FULL"]


def test_a_rejection_holds_the_whole_event() -> None:
    event = reading(10_000, -0.0)
    window = DeviceWindow(SPEC, "a")
    window.on_event(event, 10_000)
    [rejection] = window.on_event(event, 10_001)
    assert rejection == ("DUPLICATE", event, 10_001, 0)


def test_no_wake_up_without_state() -> None:
    assert DeviceWindow(TICKING, "a").next_wakeup_ms() is None
    window = DeviceWindow(TICKING, "a")
    window.on_event(reading(400_001), 100_000)
    assert window.next_wakeup_ms() is None


def test_the_wake_up_is_the_next_tick_and_at_last_the_forgetting() -> None:
    window = DeviceWindow(TICKING, "a")
    window.on_event(reading(10_000), 15_907)
    wakeups = []
    while (wakeup_ms := window.next_wakeup_ms()) is not None:
        assert window.on_clock(wakeup_ms - 1) == []
        wakeups.append((wakeup_ms, [output.as_of_ms for output in window.on_clock(wakeup_ms)]))
        assert len(wakeups) < 9
    # The first tick is the arrival itself; at 35,907 the device is silent for exactly 20 s, at 65,907 for exactly 50 s.
    assert wakeups == [(15_907, [15_907]), (25_907, [25_907]), (35_907, [35_907]), (65_908, [])]


@pytest.mark.parametrize("tick_ms", [0, 10_000])
def test_asking_for_the_wake_up_changes_nothing(tick_ms: int) -> None:
    window = DeviceWindow(WindowSpec(tick_ms=tick_ms), "a")
    window.on_event(reading(10_000), 15_908)
    before = window.snapshot()
    assert window.next_wakeup_ms() == window.next_wakeup_ms() == (25_907 if tick_ms else 15_908 + 604_800_001)
    assert window.snapshot() == before


def test_the_next_instant_of_a_device_can_be_asked_without_its_window() -> None:
    for arrival_ms in range(15_900, 15_920):
        window = DeviceWindow(TICKING, "a")
        window.on_event(reading(10_000), arrival_ms)
        clock_ms = arrival_ms - 1
        while (wakeup_ms := window.next_wakeup_ms()) is not None:
            assert next_wakeup_ms(TICKING, "a", arrival_ms, clock_ms) == wakeup_ms
            assert clock_ms < wakeup_ms
            window.on_clock(wakeup_ms)
            clock_ms = wakeup_ms


def test_what_a_tick_would_show_can_be_asked_for_any_instant_until_the_device_expires() -> None:
    window = DeviceWindow(TICKING, "a")
    assert window.evaluated_at(12_000) is None
    last = fed(window, 10_000, 12_000)[-1]
    before = window.snapshot()
    for as_of_ms in (12_000, 12_001, 12_000 + TICKING.forget_after_ms):
        found = window.evaluated_at(as_of_ms)
        assert found == Evaluation("tick", None, as_of_ms, 2, last.columns, last.start, last.end)
    assert window.evaluated_at(12_001 + TICKING.forget_after_ms) is None
    assert window.snapshot() == before
    assert [output.seq for output in fed(window, 12_500)] == [2]


def test_a_long_silence_is_passed_in_one_call() -> None:
    window = DeviceWindow(WindowSpec(tick_ms=1, idle_after_ms=5, forget_after_ms=10**7), "a")
    window.on_event(reading(1_000), 1_000)
    assert [output.as_of_ms for output in window.on_clock(10**6)] == [1_000, 1_001, 1_002, 1_003, 1_004, 1_005]
    assert window.on_clock(10**6 + 1) == []


def test_the_state_of_a_device_stays_bounded() -> None:
    spec = WindowSpec(interval_ms=10**12, tick_ms=0, max_events=50, max_ahead_ms=10**12)
    window = DeviceWindow(spec, "a")
    for number in range(1_000):
        [output] = window.on_event(reading(10**12 + (number * 7_919) % 1_000), 10**12)
        assert isinstance(output, Evaluation) == (number < 50)
    assert len(window.snapshot()) == 50 + 50 * 24


def test_columns_grow_past_any_number_of_rows() -> None:
    pair = Pair(WindowSpec(interval_ms=10_000, tick_ms=0, max_events=100), "a", Counter())
    for number in range(150):
        pair.on_event(reading(20_000 + 100 * number, float(number)), 40_000)


def test_the_columns_are_the_bytes_of_the_snapshot() -> None:
    window = DeviceWindow(SPEC, "a")
    [*_, evaluation] = fed(window, 10_000, 14_000, 12_000)
    columns = b"".join(bytes(view) for view in evaluation.window())
    assert window.snapshot()[46:-4] == columns
    assert columns[:24] == array("q", [10_000, 12_000, 14_000]).tobytes()


@pytest.mark.parametrize("width", [1, 2, 16, 64])
def test_an_event_takes_8_bytes_and_4_for_each_sensor(width: int) -> None:
    sensors = Sensors.of([f"s{number}" for number in range(width)])
    window = DeviceWindow(SPEC, "a")
    for number in range(40):  # in order, and each fourth late: rows are moved, and inserted
        row = sensors.row([number + place / 64 for place in range(width)])
        [evaluation] = window.on_event(Event("a", 10_000 + 100 * number - 150 * (number % 4 == 3), row), 20_000)
    window.check()
    assert evaluation.columns.event_bytes == 8 + 4 * width
    assert len(window.snapshot()) == 50 + 40 * (8 + 4 * width)
    assert repr(plain(DeviceWindow.restore(SPEC, window.snapshot()).on_event(Event("a", 13_901, row), 20_000)[0])) == (
        repr(plain(window.on_event(Event("a", 13_901, row), 20_000)[0]))
    )


def test_columns_say_where_their_first_rows_come_from() -> None:
    window = DeviceWindow(WindowSpec(interval_ms=3, tick_ms=0), "a")
    first, *_, eighth = fed(window, *range(10, 18))
    [ninth] = fed(window, 18)
    [late] = window.on_event(reading(17, 5.0), 18)
    assert first.columns.origin is None
    assert eighth.columns is first.columns
    assert ninth.columns.origin == Origin(first.columns.number, 4, 8, None)
    assert late.columns.origin == Origin(ninth.columns.number, 1, 5, 3)
    assert late.window()[0].tolist() == [15, 16, 17, 17, 18]
    restored = DeviceWindow.restore(WindowSpec(interval_ms=3, tick_ms=0), window.snapshot())
    [next_one] = fed(restored, 19)
    assert next_one.columns.origin is None
    assert next_one.columns.number not in {output.columns.number for output in (first, ninth, late)}
