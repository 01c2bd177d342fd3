"""The bytes of a request, as the library that reads them understands them."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from dataflows.services.chunks import Chunk
from dataflows.services.window_request import window_request
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import WindowBatch
from window_core import DeviceWindow, Evaluation, Event, WindowSpec
from window_core.columns import Columns

SENSORS = ("sensor1", "sensor2", "sensor3", "sensor4")
TIMES = st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=40)


def evaluation(device_id: str, times: list[int], spare: int) -> Evaluation:
    """A window in columns that hold more rows than its own, before it and behind it."""
    rows = [0] * spare + times + [0] * spare
    sensors = tuple(array("f", (number + len(rows) * sensor for number in range(len(rows)))) for sensor in range(4))
    columns = Columns(device_id, 7, array("q", rows), sensors)  # type: ignore[arg-type]
    return Evaluation("event", 0, 0, 3, columns, spare, spare + len(times))


def requested(evaluations: list[Evaluation]) -> WindowBatch:
    return WindowBatch.FromString(window_request(Chunk.of(evaluations)))


def check(batch: WindowBatch, evaluations: list[Evaluation]) -> None:
    """Each window of the request holds what its evaluation does."""
    starts, ends = memoryview(batch.starts).cast("I").tolist(), memoryview(batch.ends).cast("I").tolist()
    for one, start, end in zip(evaluations, starts, ends, strict=True):
        read = [memoryview(batch.times).cast("q")[start:end]]
        read += [memoryview(getattr(batch, f"sensor{number}")).cast("f")[start:end] for number in range(1, 5)]
        assert read == list(one.window())


def rows_of(batch: WindowBatch) -> int:
    sizes = {len(batch.times) // 8, *(len(getattr(batch, sensor)) // 4 for sensor in SENSORS)}
    [rows] = sizes
    return rows


@given(st.lists(st.tuples(st.text(max_size=20), TIMES, st.integers(0, 3)), min_size=1, max_size=20))
def test_the_library_reads_what_was_written(windows: list[tuple[str, list[int], int]]) -> None:
    evaluations = [evaluation(*window) for window in windows]
    batch = requested(evaluations)
    assert list(batch.evaluation_id) == [f"{device_id}/7/3" for device_id, _, _ in windows]
    assert list(batch.device_id) == [device_id for device_id, _, _ in windows]
    check(batch, evaluations)
    assert rows_of(batch) == sum(one.events for one in evaluations)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), min_size=1, max_size=60))
def test_an_event_that_several_windows_hold_is_sent_once(arrivals: list[tuple[str, int]]) -> None:
    spec = WindowSpec(interval_ms=15, tick_ms=0, max_ahead_ms=1_000)
    windows = {device_id: DeviceWindow(spec, device_id) for device_id in "abc"}
    evaluations = []
    for number, (device_id, time_ms) in enumerate(arrivals):
        event = Event(device_id, time_ms + number, float(number), 1.0, 2.0, 3.0)
        evaluations += [one for one in windows[device_id].on_event(event, number) if isinstance(one, Evaluation)]
    batch = requested(evaluations)
    check(batch, evaluations)
    held = {(id(one.columns), row) for one in evaluations for row in range(one.start, one.end)}
    assert rows_of(batch) == len(held)


def test_lengths_of_every_size_are_written() -> None:
    for rows in (1, 15, 16, 31, 32, 4_095, 4_096, 300_000):
        batch = requested([evaluation("d", list(range(rows)), 1)])
        assert memoryview(batch.times).cast("q").tolist() == list(range(rows))
        assert len(batch.sensor4) == 4 * rows
