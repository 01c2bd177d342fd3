"""Columns that stay: windows on them are those of plain Python, whatever was defined, derived, appended and dropped."""

import math
import struct
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_services.python.column_memory import ColumnMemory, StreamMemory
from grpc_services.python.exact_mean import exact_sums, present_counts
from grpc_services.python.held_columns import HeldColumns
from grpc_services.python.service_metrics import ServiceMetrics
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import DerivedColumn, WindowBatch
from grpc_services.python.window_message import WindowMessage
from tests.grpc_services.python.messages import uint32
from window_core import Sensors

SENSORS = Sensors.of(("a", "b?", "c"))
WIDE = st.floats(width=32, allow_nan=False, allow_infinity=False)
NARROW = st.integers(-1000, 1000).map(float)
DECADES = st.builds(
    lambda significand, exponent: math.ldexp(significand, exponent), st.integers(-(2**24), 2**24), st.integers(-60, 10)
)
EXTREMES = st.sampled_from([0.0, -0.0, 2.0**-149, -(2.0**-149), 2.0**-126, 3.4028234663852886e38, -1.0, 2.0**-33])
KINDS: dict[str, st.SearchStrategy[float]] = {
    "narrow": NARROW,
    "decades": DECADES,
    "anything": WIDE | EXTREMES | DECADES,
    "now and then": st.one_of(*[NARROW] * 8, EXTREMES),
}


class Stream:
    """Columns of a stream and, beside them, the same in plain Python."""

    def __init__(self, max_bytes: int = 1 << 30, stream_bytes: int = 1 << 30, sensors: Sensors = SENSORS) -> None:
        self.sensors = sensors
        self.room = StreamMemory(ColumnMemory(max_bytes, stream_bytes, ServiceMetrics()))
        self.columns = HeldColumns(sensors, self.room)
        self.model: dict[int, list[tuple[int, tuple[float, ...]]]] = {}
        self.rooms: dict[int, int] = {}

    def send(self, **fields):
        message = WindowMessage.of(WindowBatch(**fields), self.sensors)
        windows, rows, errors = self.columns.take(message)
        totals = windows.totals if len(windows) else None
        self.columns.drop(message.dropped_numbers)
        return windows, totals, rows, errors

    def define(self, numbers: list[int], rooms: list[int]) -> None:
        self.send(device_id=["d"] * len(numbers), number=uint32(numbers), room=uint32(rooms))
        self.model |= {number: [] for number in numbers}
        self.rooms |= dict(zip(numbers, rooms, strict=True))

    def append(self, rows: dict[int, list[tuple[int, tuple[float, ...]]]]) -> None:
        events = [event for column in rows.values() for event in column]
        self.send(
            appended_number=uint32(rows),
            appended_count=uint32(map(len, rows.values())),
            times=np.array([time for time, _ in events], "<i8").tobytes(),
            readings=np.array([row for _, row in events], "<f4").tobytes(),
        )
        for number, column in rows.items():
            self.model[number] += column

    def derive(self, number: int, room: int, source: int, start: int, end: int, row: int | None, event) -> None:
        late = {}
        model = self.model[source][start:end]
        if row is not None:
            model.insert(row, event)
            late = {"row": row, "time": event[0], "readings": np.array(event[1], "<f4").tobytes()}
        self.send(derived=[DerivedColumn(number=number, room=room, source=source, start=start, end=end, **late)])
        self.model[number], self.rooms[number] = model, room

    def drop(self, numbers: list[int]) -> None:
        self.send(dropped_number=uint32(numbers))
        for number in numbers:
            del self.model[number], self.rooms[number]

    def check(self, asked: list[tuple[int, int, int]]) -> None:
        """Ask about windows, and compare rows, sums and counts with those of the model, bit for bit."""
        windows, totals, rows, errors = self.send(
            window_number=uint32(number for number, _, _ in asked),
            starts=uint32(start for _, start, _ in asked),
            ends=uint32(end for _, _, end in asked),
        )
        assert (rows.tolist(), errors) == (list(range(len(asked))), {})
        if not asked:
            return
        sums, counts = totals
        for window, (number, start, end) in enumerate(asked):
            events = self.model[number][start:end]
            assert windows.times[windows.starts[window] : windows.ends[window]].tolist() == [time for time, _ in events]
            for sensor in range(self.sensors.width):
                readings = [row[sensor] for _, row in events]
                there = [reading for reading in readings if not math.isnan(reading)]
                assert np.array_equal(windows[window][self.sensors.names[sensor]], readings, equal_nan=True)
                assert counts[window, sensor] == len(there)
                assert sums[window, sensor] == math.fsum(there), (window, sensor)


def some_windows(data: st.DataObject, stream: Stream) -> list[tuple[int, int, int]]:
    asked = []
    for number, events in stream.model.items():
        for _ in range(2 if events else 0):
            start = data.draw(st.integers(0, len(events) - 1))
            asked.append((number, start, data.draw(st.integers(start + 1, len(events)))))
    return asked


@given(data=st.data(), kind=st.sampled_from(sorted(KINDS)))
def test_whatever_is_done_to_columns_their_windows_are_those_of_plain_python(data, kind):
    stream = Stream()
    reading = KINDS[kind]
    row = st.tuples(reading, reading | st.just(math.nan), reading)
    event = st.tuples(st.integers(0, 10), row)
    for _ in range(data.draw(st.integers(1, 8))):
        action = data.draw(st.sampled_from(["define", "append", "append", "append", "derive", "derive", "drop"]))
        free = [number for number in range(9) if number not in stream.model]
        if action == "define" or not stream.model:
            numbers = data.draw(st.lists(st.sampled_from(free), min_size=1, unique=True)) if free else []
            stream.define(numbers, [data.draw(st.integers(1, 200)) for _ in numbers])
        elif action == "append":
            numbers = data.draw(st.lists(st.sampled_from(sorted(stream.model)), unique=True))
            left = {number: stream.rooms[number] - len(stream.model[number]) for number in numbers}
            stream.append({one: data.draw(st.lists(event, max_size=min(left[one], 30))) for one in numbers})
        elif action == "derive" and free:
            source = data.draw(st.sampled_from(sorted(stream.model)))
            start = data.draw(st.integers(0, len(stream.model[source])))
            end = data.draw(st.integers(start, len(stream.model[source])))
            late = data.draw(st.none() | st.integers(0, end - start))
            room = data.draw(st.integers(max(end - start + (late is not None), 1), 200))
            stream.derive(free[0], room, source, start, end, late, data.draw(event))
        elif action == "drop":
            stream.drop(data.draw(st.lists(st.sampled_from(sorted(stream.model)), unique=True)))
        stream.check(some_windows(data, stream))


def drawn(random: Random, kind: str) -> float:
    """A reading."""
    match kind:
        case "narrow":
            return float(random.randint(-1000, 1000))
        case "decades":
            return math.ldexp(random.randint(-(2**24), 2**24), random.randint(-60, 10))
        case "now and then":
            fine, large = math.ldexp(random.randint(1, 2**24), -90), math.ldexp(random.randint(1, 2**24), 60)
            return random.choice([fine, large]) if random.random() < 0.05 else random.randint(1, 2**24) / 2**20
    return struct.unpack("<f", struct.pack("<I", random.getrandbits(32) & 0xFF7F_FFFF))[0]


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("seed", range(3))
def test_a_long_stream_of_columns_that_are_derived_with_late_events_is_that_of_plain_python(kind, seed):
    random = Random(f"{kind} {seed}")
    stream = Stream()

    def events(count: int) -> list[tuple[int, tuple[float, ...]]]:
        rows = [[drawn(random, kind) for _ in range(3)] for _ in range(count)]
        return [(random.randint(0, 99), (a, math.nan if random.random() < 0.2 else b, c)) for a, b, c in rows]

    for step in range(60):
        one, other = [number for number in range(40) if number not in stream.model][:2]
        if step % 12 == 0:
            stream.define([one], [random.randint(1, 200)])
        source = random.choice(sorted(stream.model))
        start = random.randint(0, len(stream.model[source]) // 2)
        end = random.randint(start, len(stream.model[source]))
        late = random.choice([None, 0, end - start, random.randint(0, end - start)])
        room = max(end - start + random.choice([1, 10, 500]), random.choice([1, stream.rooms[source]]))
        stream.derive(other, room, source, start, end, late, events(1)[0])
        left = {number: stream.rooms[number] - len(held) for number, held in stream.model.items()}
        asked = random.sample(sorted(left), random.randint(1, len(left)))
        stream.append({one: events(min(left[one], random.choice([0, 1, 1, 30]))) for one in asked})
        if len(stream.model) > 8:
            stream.drop(random.sample(sorted(stream.model), 4))
        rows = {number: range(len(held) + 1) for number, held in stream.model.items() if held}
        stream.check([(number, *sorted(random.sample(some, 2))) for number, some in rows.items()])


def test_what_columns_leave_behind_is_given_back_when_it_outweighs_them():
    stream = Stream(sensors=Sensors.of(("a",)))
    arena = stream.columns._table.arena
    stream.define([0, 1], [10, 20_000])
    stream.append({0: [(3, (5.0,))], 1: [(time, (1.0,)) for time in range(20_000)]})
    stream.check([(0, 0, 1), (1, 7, 19_000)])
    assert len(arena.times) >= 20_012
    stream.drop([1])
    assert len(arena.times) < 100
    stream.append({0: [(4, (6.0,))]})
    stream.check([(0, 0, 2), (0, 1, 2)])
    for number in range(1, 2_000):  # each as long as the one before, which it is made of
        stream.derive(number, 10, number - 1, 0, 2, None, None)
        stream.drop([number - 1])
    stream.check([(1_999, 0, 2), (1_999, 1, 2)])
    assert len(arena.times) < 10_000


def test_columns_that_are_made_anew_all_at_once_stay_in_the_memory_that_is_there():
    stream = Stream(sensors=Sensors.of(("a",)))
    arena = stream.columns._table.arena
    count, held = 40, 200
    rooms = [held + 50 + one for one in range(count)]
    stream.define(list(range(count)), [held] * count)
    stream.append({one: [(time, (float(one),)) for time in range(held)] for one in range(count)})
    memory, highest = [], 0
    for turn in range(1, 8):
        older, newer = ([turn % 2 * count + one for one in range(count)] for turn in (turn - 1, turn))
        late = {"row": held - 1, "time": turn * held, "readings": np.array([turn], "<f4").tobytes()}
        stream.send(
            derived=[
                DerivedColumn(number=number, room=room, source=source, start=1, end=held, **late)
                for number, room, source in zip(newer, rooms[turn:] + rooms[:turn], older, strict=True)
            ],
            dropped_number=uint32(older),
        )
        for number, source in zip(newer, older, strict=True):
            stream.model[number] = [*stream.model.pop(source)[1:], (turn * held, (float(turn),))]
        stream.check([(number, start, held) for number in newer for start in (0, held // 2)])
        memory.append(arena.times)
        highest = max(highest, stream.columns._table.slots["base"].max())
    assert all(times is memory[1] for times in memory[2:])
    assert highest < 2.5 * sum(rooms) < len(memory[1]) < 4 * sum(rooms)


def test_a_scale_that_is_passed_on_from_column_to_column_never_overflows():
    """Each holds as much as its scale allows, and the next one has room for twice as many."""
    stream = Stream(sensors=Sensors.of(("a",)))
    stream.define([0], [2])
    stream.append({0: [(0, (1.0,))]})
    stream.append({0: [(0, (2048.0,))]})
    for number in range(1, 12):
        held = 2**number
        stream.derive(number, 2 * held, number - 1, 0, held, None, None)
        stream.append({number: [(0, (2048.0 / held,))] * held})
        stream.check([(number, 0, 2 * held), (number, 1, held)])


def adversarial(draws: np.random.Generator, count: int) -> np.ndarray:
    """Readings of every scale and both signs, among them runs of one scale and long ones that cancel each other."""
    exponents = np.repeat(draws.integers(-149, 127, count // 10 + 1), 10)[:count] - draws.integers(0, 3, count)
    readings = np.ldexp(draws.integers(-(2**24), 2**24, count) / 2**24, exponents).astype(np.float32)
    readings[count // 2 :] = -readings[: count - count // 2][::-1]
    return readings


SHAPES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "adversarial": adversarial,
    "13 decades": lambda draws, count: 10 ** draws.uniform(-9, 4, count) * draws.choice([-1, 1], count),
    "around zero": lambda draws, count: draws.normal(0, 1, count),
    "one far out": lambda draws, count: np.where(draws.random(count) < 0.01, 1e30, draws.normal(20, 1, count)),
    "the first far out": lambda draws, count: np.append(1e-20, draws.normal(20, 1, count - 1)),
    "grows": lambda draws, count: np.exp2(np.linspace(-100, 100, count)),
    "subnormal": lambda draws, count: draws.integers(-5, 5, count) * 2.0**-149,
    "largest": lambda draws, count: np.full(count, np.finfo(np.float32).max),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [40, 3_000])
def test_running_sums_are_those_of_fsum(shape, size):
    draws = np.random.default_rng(size)
    sensors = Sensors.of(("a",))
    stream = Stream(sensors=sensors)
    readings = SHAPES[shape](draws, size).astype(np.float32)
    stream.define([7], [size])
    at = 0
    while at < size:
        count = min(int(draws.integers(1, size // 4)), size - at)
        stream.append({7: [(0, (value,)) for value in readings[at : at + count].tolist()]})
        at += count
        starts = draws.integers(0, at, 20)
        ends = draws.integers(starts + 1, at + 1)
        _, totals, _, _ = stream.send(window_number=uint32([7] * 20), starts=uint32(starts), ends=uint32(ends))
        expected = [math.fsum(readings[start:end].tolist()) for start, end in zip(starts, ends, strict=True)]
        assert totals[0][:, 0].tolist() == expected
        assert exact_sums(readings[:, np.newaxis], starts, ends)[:, 0].tolist() == expected
    assert (
        present_counts(readings[:, np.newaxis], starts, ends, (True,)).tolist()
        == (ends - starts)[:, np.newaxis].tolist()
    )
