"""Windows, and what is new of the columns that hold them, as the bytes of a ``WindowBatch``: one copy of each event.

The windows of one device mostly hold the same events, in the same columns: the rows that any of them holds are sent
once. Building the message and serialising it would copy them several times. A message is the sequence of its fields, so
the small ones are written by the library, and the rows are joined behind them. Source: "Encoding", the Protocol Buffers
documentation, on length-delimited fields.
"""

from array import array
from collections.abc import Iterable, Sequence
from typing import Final

from dataflows.services.chunks import Chunk
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import DerivedColumn, WindowBatch
from window_core import Columns, Sensors

__all__ = ["WindowMessage", "window_request"]

_TIMES, _READINGS = (
    bytes([WindowBatch.DESCRIPTOR.fields_by_name[name].number << 3 | 2])  # 2: length-delimited
    for name in ("times", "readings")
)

_TIME_BYTES: Final = 8


class WindowMessage:
    """What a ``WindowBatch`` says, gathered piece by piece; its fields in words stand in ``batch.proto``."""

    __slots__ = (
        "_counts",
        "_device_ids",
        "_numbers",
        "_rooms",
        "_rows",
        "_rows_numbers",
        "_sensors",
        "derived",
        "dropped",
        "ends",
        "starts",
        "window_numbers",
    )

    def __init__(self, sensors: Sequence[str]) -> None:
        """Empty.

        Args:
            sensors: as ``Sensors.declared``; none in a message of a stream that is not its first.
        """
        self._sensors = sensors
        self._device_ids: list[str] = []
        self._numbers: list[int] = []
        self._rooms: list[int] = []
        self._rows_numbers: list[int] = []
        self._counts: list[int] = []
        self._rows: list[tuple[memoryview, memoryview]] = []
        self.derived: list[DerivedColumn] = []
        self.window_numbers: list[int] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.dropped: list[int] = []

    def define(self, device_id: str, number: int, room: int) -> None:
        """Have a column of this number begin empty."""
        self._device_ids.append(device_id)
        self._numbers.append(number)
        self._rooms.append(room)

    def append(self, number: int, columns: Columns, start: int, end: int) -> None:
        """Put the rows ``start`` to ``end`` of some columns behind those of a column; once for each of these."""
        self._rows_numbers.append(number)
        self._counts.append(end - start)
        self._rows.append(columns.between(start, end))

    def serialised(self) -> bytes:
        small = WindowBatch(
            sensor=self._sensors,
            device_id=self._device_ids,
            number=_uint32s(self._numbers),
            room=_uint32s(self._rooms),
            derived=self.derived,
            appended_number=_uint32s(self._rows_numbers),
            appended_count=_uint32s(self._counts),
            window_number=_uint32s(self.window_numbers),
            starts=_uint32s(self.starts),
            ends=_uint32s(self.ends),
            dropped_number=_uint32s(self.dropped),
        ).SerializeToString()
        if not self._rows:
            return small
        times, readings = zip(*self._rows, strict=True)
        times_bytes = _TIME_BYTES * sum(self._counts)
        readings_bytes = sum(map(len, readings))
        return b"".join((small, _TIMES, _varint(times_bytes), *times, _READINGS, _varint(readings_bytes), *readings))


def window_request(chunk: Chunk, sensors: Sensors) -> bytes:
    """The request for the features of a chunk by a call: a serialised ``WindowBatch``."""
    evaluations = chunk.evaluations
    spans: dict[Columns, tuple[int, int]] = {}  # of each columns, the rows that a window holds
    for _, _, _, _, columns, start, end in evaluations:
        first, last = spans.get(columns, (start, end))
        spans[columns] = min(first, start), max(last, end)
    message = WindowMessage(sensors.declared)
    places: dict[Columns, tuple[int, int]] = {}  # their numbers, and their first rows
    for number, (columns, (start, end)) in enumerate(spans.items()):
        message.define(columns.device_id, number, end - start)
        message.append(number, columns, start, end)
        places[columns] = number, start
    for _, _, _, _, columns, start, end in evaluations:
        number, first = places[columns]
        message.window_numbers.append(number)
        message.starts.append(start - first)
        message.ends.append(end - first)
    return message.serialised()


def _uint32s(numbers: Iterable[int]) -> bytes:
    return array("I", numbers).tobytes()


def _varint(number: int) -> bytes:
    """A length as it stands on the wire: seven bits a byte, the lowest first.

    >>> _varint(300).hex()
    'ac02'
    """
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
