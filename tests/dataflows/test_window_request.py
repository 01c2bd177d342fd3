"""The bytes of a request, as the library that reads them understands them."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from dataflows.services.window_request import window_request
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import WindowBatch
from window_core import Evaluation
from window_core.columns import Columns

SENSORS = ("sensor1", "sensor2", "sensor3", "sensor4")
TIMES = st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=40)


def evaluation(device_id: str, times: list[int], spare: int) -> Evaluation:
    """A window in columns that hold more rows than its own, before it and behind it."""
    rows = [0] * spare + times + [0] * spare
    sensors = tuple(array("f", (number + len(rows) * sensor for number in range(len(rows)))) for sensor in range(4))
    columns = Columns(device_id, 7, array("q", rows), sensors)  # type: ignore[arg-type]
    return Evaluation("event", 0, 3, columns, spare, spare + len(times))


@given(st.lists(st.tuples(st.text(max_size=20), TIMES, st.integers(0, 3)), min_size=1, max_size=20))
def test_the_library_reads_what_was_written(windows: list[tuple[str, list[int], int]]) -> None:
    evaluations = [evaluation(*window) for window in windows]
    batch = WindowBatch.FromString(window_request(evaluations))
    offsets = memoryview(batch.offsets).cast("I").tolist()
    assert list(batch.evaluation_id) == [f"{device_id}/7/3" for device_id, _, _ in windows]
    assert list(batch.device_id) == [device_id for device_id, _, _ in windows]
    for evaluation_, start, end in zip(evaluations, offsets, offsets[1:], strict=False):
        read = [memoryview(batch.times).cast("q")[start:end]]
        read += [memoryview(getattr(batch, f"sensor{number}")).cast("f")[start:end] for number in range(1, 5)]
        assert read == list(evaluation_.window())
    assert offsets[-1] * 24 == sum(len(getattr(batch, name)) for name in ("times", *SENSORS))


def test_lengths_of_every_size_are_written() -> None:
    for rows in (1, 15, 16, 31, 32, 4_095, 4_096, 300_000):
        batch = WindowBatch.FromString(window_request([evaluation("d", list(range(rows)), 1)]))
        assert memoryview(batch.times).cast("q").tolist() == list(range(rows))
        assert len(batch.sensor4) == 4 * rows
