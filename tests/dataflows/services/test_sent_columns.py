"""A server that keeps columns sees the windows that were asked about, whatever was sent before, and nothing twice."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.services.sent_columns import SentColumns
from tests.dataflows.services.column_store import ColumnStore, Window
from tests.dataflows.services.fleet import STEPS, fleet
from window_core import DeviceWindow, Evaluation, Event, Sensors, WindowSpec

SENSORS = Sensors.of(("temperature", "door?"))
ROOM_ROW_BYTES = 8 + 12 * SENSORS.width
UNLIMITED = 1 << 40


def expected(evaluation: Evaluation) -> Window:
    times, rows = evaluation.window()
    size = SENSORS.row_bytes
    readings = tuple(bytes(rows[at : at + size]) for at in range(0, len(rows), size))
    return Window(evaluation.device_id, tuple(times), readings)


def exchange(
    sent: SentColumns, store: ColumnStore, evaluations: list[Evaluation]
) -> Iterator[tuple[Evaluation, Window | None]]:
    """What the server sees of each evaluation; ``None``: nothing for the stream."""
    start = 0
    while start < len(evaluations):
        request = sent.request(evaluations, start)
        sent.check()
        seen = dict(zip(request.rows, store.take(request.message), strict=True))
        for row in range(start, request.end):
            yield evaluations[row], seen.get(row)
        for row, window in seen.items():
            if window.times is None:
                sent.lose(evaluations[row].columns)
        start = request.end


def batches(evaluations: list[Evaluation], size: int) -> Iterator[list[Evaluation]]:
    for at in range(0, len(evaluations), size):
        yield evaluations[at : at + size]


@given(
    STEPS,
    st.integers(1, 40),
    st.integers(0, 2),
    st.integers(1, 9),
    st.integers(200, 3_000),
    st.sampled_from([20, 100, UNLIMITED]),
)
def test_every_window_is_seen_as_it_was(
    steps: list[tuple[int, int, int]], batch: int, skipped: int, windows_max: int, bytes_max: int, room_rows: int
) -> None:
    """Also where the first evaluations of each batch are asked about elsewhere."""
    store = ColumnStore(SENSORS.declared, room_rows * ROOM_ROW_BYTES)
    sent = SentColumns(SENSORS, store.offered_bytes, windows_max, bytes_max)
    for part in batches(fleet(steps, SENSORS), batch):
        for evaluation, window in exchange(sent, store, part[skipped:]):
            assert window == expected(evaluation) or window is None
            if room_rows == UNLIMITED and bytes_max > 2_500:
                assert window is not None
    assert store.refused == 0


@given(STEPS, st.integers(1, 40), st.integers(0, 60))
def test_a_server_with_less_room_than_it_said_sees_no_wrong_window(
    steps: list[tuple[int, int, int]], batch: int, room_rows: int
) -> None:
    store = ColumnStore(SENSORS.declared, room_rows * ROOM_ROW_BYTES, UNLIMITED)
    sent = SentColumns(SENSORS, store.offered_bytes, 1_024, UNLIMITED)
    for part in batches(fleet(steps, SENSORS), batch):
        for evaluation, window in exchange(sent, store, part):
            assert window is None or window.times is None or window == expected(evaluation)


@given(STEPS, st.randoms(use_true_random=False))
def test_evaluations_in_any_order_are_seen_as_they_were(steps: list[tuple[int, int, int]], random: Random) -> None:
    evaluations = fleet(steps, SENSORS)
    random.shuffle(evaluations)
    store = ColumnStore(SENSORS.declared, UNLIMITED)
    for evaluation, window in exchange(SentColumns(SENSORS, UNLIMITED, 7, UNLIMITED), store, evaluations):
        assert window == expected(evaluation)


def in_order(events: int, late_every: int = 0) -> list[Evaluation]:
    window = DeviceWindow(WindowSpec(interval_ms=3_000, tick_ms=0), "d")
    outputs = []
    for number in range(events):
        late_ms = 15 if late_every and number % late_every == 2 else 0
        event = Event("d", 10 * number - late_ms, SENSORS.row((number, 1.0)))
        outputs += [one for one in window.on_event(event, 10 * number) if isinstance(one, Evaluation)]
    return outputs


@pytest.mark.parametrize("late_every", [0, 5])
def test_an_event_crosses_once(late_every: int) -> None:
    evaluations = in_order(2_000, late_every)
    store = ColumnStore(SENSORS.declared, UNLIMITED)
    sent = SentColumns(SENSORS, UNLIMITED, 1_024, UNLIMITED)
    for part in batches(evaluations, 1):
        assert [window for _, window in exchange(sent, store, part)] == [expected(part[0])]
    assert store.rows_received == len(evaluations) == 2_000
    assert len(store.columns) == 1  # those that others were made of are gone


def test_what_a_batch_brings_is_sent_again_at_most_once_for_columns_made_of_it() -> None:
    evaluations = in_order(2_000, 5)
    store = ColumnStore(SENSORS.declared, UNLIMITED)
    sent = SentColumns(SENSORS, UNLIMITED, 1_024, UNLIMITED)
    for part in batches(evaluations, 20):
        assert [window for _, window in exchange(sent, store, part)] == [expected(one) for one in part]
    assert store.rows_received < 3 * len(evaluations)


def fleet_of(devices: int) -> list[Evaluation]:
    """An evaluation of each, and then another one of each."""
    return fleet([(device, 0, 1) for device in range(devices)] * 2, SENSORS)


def asked(sent: SentColumns, store: ColumnStore, evaluation: Evaluation) -> bool:
    """Whether the stream was asked about the window; then it was the right one."""
    [window] = [window for _, window in exchange(sent, store, [evaluation])]
    assert window is None or window == expected(evaluation)
    return window is not None


def test_of_a_fleet_that_is_too_large_the_first_devices_stay_on_the_stream() -> None:
    evaluations = fleet_of(6)
    rows = evaluations[0].columns.capacity
    store = ColumnStore(SENSORS.declared, 4 * rows * ROOM_ROW_BYTES)
    sent = SentColumns(SENSORS, store.offered_bytes, 1_024, UNLIMITED)
    for _ in range(20):  # the last quarter is for columns that are made anew
        assert [asked(sent, store, one) for one in evaluations[:6]] == [True] * 3 + [False] * 3


def test_columns_that_were_idle_for_long_make_room_for_others() -> None:
    evaluations = fleet_of(6)
    rows = evaluations[0].columns.capacity
    store = ColumnStore(SENSORS.declared, 4 * rows * ROOM_ROW_BYTES)
    sent = SentColumns(SENSORS, store.offered_bytes, 1_024, UNLIMITED)
    assert all(asked(sent, store, one) for one in evaluations[:3])
    turns = 0
    while not asked(sent, store, evaluations[4]):
        assert asked(sent, store, evaluations[1])
        turns += 1
    assert 150 < turns < 250
    assert sorted(column.device_id for column in store.columns.values()) == ["d1", "d2", "d4"]


def test_columns_that_are_not_held_are_asked_about_elsewhere_until_they_are_made_anew() -> None:
    evaluations = in_order(60)
    store = ColumnStore(SENSORS.declared, 0, UNLIMITED)
    sent = SentColumns(SENSORS, UNLIMITED, 1_024, UNLIMITED)
    windows = [window for one in evaluations for _, window in exchange(sent, store, [one])]
    numbers = [one.columns.number for one in evaluations]
    first = [row for row, number in enumerate(numbers) if number not in numbers[:row]]
    assert [row for row, window in enumerate(windows) if window is not None] == first
    store.column_bytes = UNLIMITED
    late = in_order(600)[500:]
    assert all(window == expected(one) for one in late for _, window in exchange(sent, store, [one]))


@pytest.mark.parametrize("limits", [{"column_bytes": 0}, {"bytes_max": 10}])
def test_what_is_too_large_for_a_stream_is_asked_about_elsewhere(limits: dict[str, int]) -> None:
    sent = SentColumns(SENSORS, **{"column_bytes": UNLIMITED, "windows_max": 8, "bytes_max": UNLIMITED} | limits)
    request = sent.request(in_order(20), 0)
    assert (request.rows, request.end) == ([], 20)


def test_a_message_holds_no_more_windows_and_bytes_than_set() -> None:
    evaluations = in_order(300)
    sent = SentColumns(SENSORS, UNLIMITED, 7, UNLIMITED)
    assert sent.request(evaluations, 0).rows == list(range(7))
    sent, store, start = SentColumns(SENSORS, UNLIMITED, 1_024, 400), ColumnStore(SENSORS.declared, UNLIMITED), 0
    while start < len(evaluations):
        request = sent.request(evaluations, start)
        store.take(request.message)
        assert len(request.message) <= 400
        start = request.end
    assert store.rows_received < 2 * len(evaluations)
