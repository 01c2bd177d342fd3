"""Requests of both contracts, and the input of the original demo's client."""

import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from grpc_services.python.stubs import mlpipeline_pb2
from grpc_services.python.stubs.latecomer.v1 import batch_pb2

Event = tuple[int, float, float, float, float]

NAMES = ["sensor_1/v1", "sensor_2/v1", "sensor_3/v1", "sensor_4/v1"]
SENSORS = ("sensor1", "sensor2", "sensor3", "sensor4")


def java_floats(seed_value: int) -> Iterator[float]:
    """``java.util.Random(seed_value).nextFloat()``, again and again."""
    state = (seed_value ^ 0x5DEECE66D) & (1 << 48) - 1
    while True:
        state = (state * 0x5DEECE66D + 0xB) & (1 << 48) - 1
        yield (state >> 24) / (1 << 24)


def demo_window() -> list[Event]:
    floats = java_floats(1)
    return [
        (1_587_920_555_000 + 120_000 * index, next(floats), next(floats), next(floats), next(floats))
        for index in range(300)
    ]


def event_list(window: Sequence[Event], device_id: str = "device_123") -> mlpipeline_pb2.RawEventList:
    events = [
        mlpipeline_pb2.RawEvent(device_id=device_id, time=time, sensor1=one, sensor2=two, sensor3=three, sensor4=four)
        for time, one, two, three, four in window
    ]
    return mlpipeline_pb2.RawEventList(device_id=device_id, event=events)


def window_batch(windows: Sequence[Sequence[Event]], sensors: Sequence[str] = SENSORS) -> batch_pb2.WindowBatch:
    """Windows, each on a column of its own, which is dropped with them."""
    events = [event for window in windows for event in window]
    numbers = uint32(range(len(windows)))
    return batch_pb2.WindowBatch(
        sensor=sensors,
        device_id=[f"d{row}" for row in range(len(windows))],
        number=numbers,
        room=uint32(max(len(window), 1) for window in windows),
        appended_number=numbers,
        appended_count=uint32(map(len, windows)),
        times=np.array([event[0] for event in events], "<i8").tobytes(),
        readings=np.array([event[1:] for event in events], "<f4").tobytes(),
        window_number=numbers,
        starts=uint32([0] * len(windows)),
        ends=uint32(map(len, windows)),
        dropped_number=numbers,
    )


def three_windows() -> batch_pb2.WindowBatch:
    """On one column, of 2, 3 and 1 events; the mean of sensor 1 is the number of the window."""
    batch = window_batch([[(time, float(row), 0.5, -1.0, 4.0) for row, time in _rows_and_times(2, 3, 1)]])
    batch.window_number, batch.starts, batch.ends = uint32([0, 0, 0]), uint32([0, 2, 5]), uint32([2, 5, 6])
    return batch


def _rows_and_times(*sizes: int) -> list[tuple[int, int]]:
    return [(row, time) for row, size in enumerate(sizes) for time in range(10 * row, 10 * row + size)]


def on_stream(batches: Iterable[batch_pb2.WindowBatch]) -> Iterator[batch_pb2.WindowBatch]:
    """Requests as they go on one stream: only the first one has sensors."""
    for number, batch in enumerate(batches):
        sent = batch_pb2.WindowBatch()
        sent.CopyFrom(batch)
        if number:
            sent.ClearField("sensor")
        yield sent


def uint32(numbers: Iterable[int]) -> bytes:
    return np.array([*numbers], "<u4").tobytes()


def feature_list(values: Sequence[float], names: Sequence[str] = NAMES) -> mlpipeline_pb2.FeatureList:
    features = [mlpipeline_pb2.Feature(name=name, value=value) for name, value in zip(names, values, strict=True)]
    return mlpipeline_pb2.FeatureList(device_id="d", feature=features)


def feature_batch(rows: Sequence[Sequence[float]], names: Sequence[str] = NAMES) -> batch_pb2.FeatureBatch:
    return batch_pb2.FeatureBatch(rows=len(rows), name=names, values=np.array(rows, "<f4").tobytes())


def matrix_of(batch: batch_pb2.FeatureBatch) -> list[list[float]]:
    return np.frombuffer(batch.values, "<f4").reshape(batch.rows, len(batch.name)).tolist()


def error_texts(batch: batch_pb2.FeatureBatch | batch_pb2.PredictionBatch) -> dict[int, str]:
    assert all(error.code for error in batch.error)
    return {error.row: error.message for error in batch.error}


def gzip_bomb(megabytes: int) -> bytes:
    """So many megabytes of zeros and no end, in a thousandth of the bytes."""
    packing = zlib.compressobj(9, wbits=31)
    first, more = (packing.compress(bytes(1 << 20)) + packing.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + (megabytes - 1) * more
