"""What a server of one stream does with columns, by the words of ``batch.proto``, strict and slow."""

from dataclasses import dataclass, field

from grpc_services.python.stubs.latecomer.v1.batch_pb2 import DerivedColumn, WindowBatch

__all__ = ["ColumnStore", "ProtocolError", "Window"]

NUMBERS = 1 << 20


class ProtocolError(Exception):
    """The client broke the contract."""


@dataclass
class Column:
    device_id: str
    room: int
    is_held: bool
    times: list[int] = field(default_factory=list)
    readings: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Window:
    """What a window holds; ``times`` is ``None`` if its column is not held."""

    device_id: str
    times: tuple[int, ...] | None
    readings: tuple[bytes, ...]


class ColumnStore:
    """The columns of one stream.

    Attributes:
        rows_received: how many rows were appended, or put in.
        refused: columns there was no room for.
    """

    def __init__(self, sensors: tuple[str, ...], column_bytes: int, offered_bytes: int | None = None) -> None:
        """
        Args:
            sensors: as declared.
            column_bytes: what the columns may hold in truth.
            offered_bytes: what the client was told, if that is something else.
        """
        self.column_bytes = column_bytes
        self.offered_bytes = column_bytes if offered_bytes is None else offered_bytes
        self.columns: dict[int, Column] = {}
        self.rows_received = self.refused = self.messages = 0
        self._sensors = sensors
        self._row_bytes = 4 * len(sensors)

    def held_bytes(self) -> int:
        row_bytes = 8 + 3 * self._row_bytes
        return sum(max(column.room * row_bytes, 256) for column in self.columns.values() if column.is_held)

    def take(self, message: bytes) -> list[Window]:
        """The windows that a message asks about."""
        batch = WindowBatch.FromString(message)
        self._require(tuple(batch.sensor) == (() if self.messages else self._sensors), "sensor")
        self.messages += 1
        self._define(batch)
        for derived in batch.derived:
            self._derive(derived)
        self._append(batch)
        windows = [
            self._window(*bounds)
            for bounds in zip(*map(uint32s, (batch.window_number, batch.starts, batch.ends)), strict=True)
        ]
        for number in uint32s(batch.dropped_number):
            self._require(number in self.columns, f"dropped_number: {number}")
            del self.columns[number]
        return windows

    def _define(self, batch: WindowBatch) -> None:
        for device_id, number, room in zip(batch.device_id, uint32s(batch.number), uint32s(batch.room), strict=True):
            self._begin(number, Column(device_id, room, is_held=True))

    def _derive(self, derived: DerivedColumn) -> None:
        source = self._column(derived.source)
        column = Column(source.device_id, derived.room, source.is_held)
        if source.is_held:
            self._require(derived.start <= derived.end <= len(source.times), "derived: bounds")
            column.times = source.times[derived.start : derived.end]
            column.readings = source.readings[derived.start : derived.end]
            if derived.readings:
                self._require(len(derived.readings) == self._row_bytes, "derived: readings")
                self._require(derived.row <= len(column.times), "derived: row")
                column.times.insert(derived.row, derived.time)
                column.readings.insert(derived.row, derived.readings)
                self.rows_received += 1
            self._require(len(column.times) <= derived.room, "derived: room")
        self._begin(derived.number, column)

    def _append(self, batch: WindowBatch) -> None:
        numbers, counts = uint32s(batch.appended_number), uint32s(batch.appended_count)
        self._require(len(set(numbers)) == len(numbers), "appended_number: twice")
        times = memoryview(batch.times).cast("q").tolist()
        readings = [batch.readings[at : at + self._row_bytes] for at in range(0, len(batch.readings), self._row_bytes)]
        self._require(len(times) == len(readings) == sum(counts), "times, readings")
        at = 0
        for number, count in zip(numbers, counts, strict=True):
            column = self._column(number)
            if column.is_held:
                column.times += times[at : at + count]
                column.readings += readings[at : at + count]
                self._require(len(column.times) <= column.room, "appended_count: room")
            at += count
        self.rows_received += at

    def _window(self, number: int, start: int, end: int) -> Window:
        column = self._column(number)
        if not column.is_held:
            return Window(column.device_id, None, ())
        self._require(start < end <= len(column.times), f"ends: {start} to {end} of {len(column.times)}")
        return Window(column.device_id, tuple(column.times[start:end]), tuple(column.readings[start:end]))

    def _begin(self, number: int, column: Column) -> None:
        self._require(number < NUMBERS and number not in self.columns, f"number: {number}")
        self.columns[number] = column
        if self.held_bytes() > self.column_bytes:
            column.is_held = False
            self.refused += 1

    def _column(self, number: int) -> Column:
        self._require(number in self.columns, f"{number} was never defined")
        return self.columns[number]

    def _require(self, is_so: bool, what: str) -> None:
        if not is_so:
            raise ProtocolError(what)


def uint32s(data: bytes) -> list[int]:
    return memoryview(data).cast("I").tolist()
