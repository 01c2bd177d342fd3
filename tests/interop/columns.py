"""Requests about columns as a client might make them, right and wrong ones, for servers to be compared on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf, nan
from random import Random

import numpy as np

from grpc_services.python.stubs.latecomer.v1 import batch_pb2
from tests.grpc_services.python.messages import uint32

FIELDS = ("number", "room", "appended_number", "appended_count", "times", "readings", "window_number", "starts", "ends")


@dataclass
class Requests:
    """One message after the other, as on a stream: ``rows`` and ``rooms`` follow what the columns of it hold.

    Attributes:
        fault: how likely each part of a message is at fault.
        decades: readings are of so many, in both signs.
    """

    sensors: Sequence[str]
    random: Random
    fault: float
    decades: int
    rows: dict[int, int] = field(default_factory=dict)
    rooms: dict[int, int] = field(default_factory=dict)

    def next(self, *, is_first: bool) -> batch_pb2.WindowBatch:
        batch = batch_pb2.WindowBatch(sensor=self.sensors if is_first is not self._fails() else [])
        self._define(batch)
        for _ in range(self.random.randint(0, 2)):
            self._derive(batch)
        self._append(batch)
        self._ask(batch)
        self._drop(batch)
        if self._fails():
            name = self.random.choice(FIELDS)
            data: bytes = getattr(batch, name)
            setattr(batch, name, data[: self.random.randint(0, len(data))])
        return batch

    def _fails(self) -> bool:
        return self.random.random() < self.fault

    def _unused(self) -> int:
        return self.random.randrange(1 << 20) if not self._fails() else self.random.choice([*self.rows, 1 << 20])

    def _known(self) -> int:
        return self.random.choice([*self.rows]) if not self._fails() else self.random.randrange(1 << 21)

    def _readings(self, rows: int) -> bytes:
        values = np.array([self._reading(name) for _ in range(rows) for name in self.sensors], "<f4")
        return values.tobytes()

    def _reading(self, name: str) -> float:
        if name.endswith("?") and self.random.random() < 0.3:
            return nan
        if self._fails():
            return self.random.choice([inf, -inf, nan])
        return self.random.gauss(1, 2) * 10.0 ** self.random.uniform(-self.decades / 2, self.decades / 2)

    def _define(self, batch: batch_pb2.WindowBatch) -> None:
        numbers = [self._unused() for _ in range(self.random.randint(0, 2) + (not self.rows))]
        rooms = [self.random.randint(1, 120) if not self._fails() else 0 for _ in numbers]
        batch.device_id.extend("d" * len(numbers))
        batch.number, batch.room = uint32(numbers), uint32(rooms)
        for number, room in zip(numbers, rooms, strict=True):
            self.rows[number], self.rooms[number] = 0, room

    def _derive(self, batch: batch_pb2.WindowBatch) -> None:
        number, source = self._unused(), self._known()
        start, end = sorted(self.random.randint(0, self.rows.get(source, 0)) for _ in range(2))
        end += 9 * self._fails()
        inserts = self.random.random() < 0.5
        held = end - start + inserts
        room = max(held - self._fails(), 0) + self.random.randint(0, 30) + (held == 0)
        batch.derived.add(
            number=number,
            source=source,
            room=room,
            start=start,
            end=end,
            row=self.random.randint(0, end - start) + 2 * self._fails(),
            time=self.random.randrange(1 << 40),
            readings=self._readings(1)[: 3 if self._fails() else None] if inserts else b"",
        )
        self.rows[number], self.rooms[number] = held, room

    def _append(self, batch: batch_pb2.WindowBatch) -> None:
        counts: list[tuple[int, int]] = []
        for number in [number for number in self.rows if self.random.random() < 0.6]:
            free = max(self.rooms[number] - self.rows[number], 0)
            counts.append((number, min(free, self.random.randint(0, 40)) + 200 * self._fails()))
            self.rows[number] += counts[-1][1]
        if self._fails():
            counts.append((self._known(), 1))
        rows = sum(count for _, count in counts)
        batch.appended_number = uint32(number for number, _ in counts)
        batch.appended_count = uint32(count for _, count in counts)
        batch.times = np.array([self.random.randrange(1 << 40) for _ in range(rows)], "<i8").tobytes()
        batch.readings = self._readings(rows)

    def _ask(self, batch: batch_pb2.WindowBatch) -> None:
        numbers, starts, ends = [], [], []
        for _ in range(self.random.randint(0, 30)):
            numbers.append(self._known() if self.random.random() < 0.1 else self.random.choice([*self.rows]))
            start, end = sorted(self.random.randint(0, self.rows.get(numbers[-1], 0)) for _ in range(2))
            starts.append(start)
            ends.append(end + self.random.randint(0, 3) * (self.random.random() < 0.05))
        batch.window_number, batch.starts, batch.ends = uint32(numbers), uint32(starts), uint32(ends)

    def _drop(self, batch: batch_pb2.WindowBatch) -> None:
        dropped = [number for number in self.rows if self.random.random() < 0.15]
        for number in dropped:
            del self.rows[number]
        batch.dropped_number = uint32([*dropped, *dropped[: self._fails()]])
