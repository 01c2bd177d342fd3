"""The bytes of a request, as the library that reads them understands them."""

from array import array
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from dataflows.services.chunks import Chunk
from dataflows.services.window_request import window_request
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import WindowBatch
from tests.dataflows.services.column_store import ColumnStore, Window
from window_core import Columns, DeviceWindow, Evaluation, Event, Sensors, WindowSpec

SENSORS = Sensors.of(("temperature", "pressure", "door?"))
TIMES = st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=40)


def evaluation(device_id: str, times: list[int], spare: int) -> Evaluation:
    """A window in columns that hold more rows than its own, before it and behind it."""
    rows = [0] * spare + times + [0] * spare
    readings = bytearray(array("f", range(3 * len(rows))).tobytes())
    columns = Columns(device_id, 7, array("q", rows), readings, SENSORS.row_bytes)
    return Evaluation("event", 0, 0, 3, columns, spare, spare + len(times))


def read(evaluations: list[Evaluation]) -> tuple[ColumnStore, list[Window]]:
    """What a server sees, and what it has afterwards."""
    store = ColumnStore(SENSORS.declared, 1 << 40)
    return store, store.take(window_request(Chunk(evaluations), SENSORS))


def expected(evaluations: list[Evaluation]) -> list[Window]:
    windows = []
    for one in evaluations:
        times, rows = one.window()
        readings = tuple(bytes(rows[12 * row : 12 * row + 12]) for row in range(len(times)))
        windows.append(Window(one.device_id, tuple(times), readings))
    return windows


@given(st.lists(st.tuples(st.text(max_size=20), TIMES, st.integers(0, 3)), min_size=1, max_size=20))
def test_the_library_reads_what_was_written(windows: list[tuple[str, list[int], int]]) -> None:
    evaluations = [evaluation(*window) for window in windows]
    store, seen = read(evaluations)
    assert seen == expected(evaluations)
    assert [column.room for column in store.columns.values()] == [one.events for one in evaluations]
    assert list(store.columns) == list(range(len(evaluations)))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
)
def test_an_event_that_several_windows_hold_is_sent_once(arrivals: list[tuple[str, int]], random: Random) -> None:
    spec = WindowSpec(interval_ms=15, tick_ms=0, max_ahead_ms=1_000)
    windows = {device_id: DeviceWindow(spec, device_id) for device_id in "abc"}
    evaluations = []
    for number, (device_id, time_ms) in enumerate(arrivals):
        event = Event(device_id, time_ms + number, SENSORS.row((number, 1.0, None)))
        evaluations += [one for one in windows[device_id].on_event(event, number) if isinstance(one, Evaluation)]
    random.shuffle(evaluations)
    store, seen = read(evaluations)
    assert seen == expected(evaluations)
    held = {(one.columns.number, row) for one in evaluations for row in range(one.start, one.end)}
    spans = {one.columns.number: [row for number, row in held if number == one.columns.number] for one in evaluations}
    assert store.rows_received == sum(max(rows) - min(rows) + 1 for rows in spans.values())


def test_lengths_of_every_size_are_written() -> None:
    for rows in (1, 15, 16, 31, 32, 4_095, 4_096, 100_000):
        batch = WindowBatch.FromString(window_request(Chunk([evaluation("d", list(range(rows)), 1)]), SENSORS))
        assert memoryview(batch.times).cast("q").tolist() == list(range(rows))
        assert len(batch.readings) == 12 * rows
