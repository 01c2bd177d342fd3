"""The columns that a stream keeps, as its client knows them: what is new of each is sent, and nothing twice. No I/O.

Rows that an evaluation can see never change, so the server needs only the rows behind those that it has. Columns that
the core has made anew say where they come from (``Columns.origin``): the server makes its own out of the ones it has.

A server drops nothing by itself, so the client stays within what a stream may hold. Where a fleet is larger than that,
the columns that are there stay, and the windows of further devices are asked about whole: were the least recent ones to
make room, each would be gone by the time it is asked about again. Only idle ones go, as those of forgotten devices are.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from dataflows.services.window_request import WindowMessage
from grpc_services.python.batch_codec import MAX_STREAM_EVENTS
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import DerivedColumn
from window_core import Columns, Evaluation, Origin, Sensors

__all__ = ["SentColumns", "StreamRequest"]

_NUMBERS: Final = 1 << 20
"""Columns have numbers below it."""

_COLUMN_BYTES_MIN: Final = 256
"""What a column counts at least, however little room it has."""

_KEPT_SHARE: Final = 7 / 8
"""What stays when room is made: that ends a message, so it is made for many columns at once."""

_IDLE_TURNS: Final = 64
"""Columns are idle when each of the others could have been asked about so many times since they were."""

_BYTES_OF_WINDOW: Final = 20
_BYTES_OF_COLUMN: Final = 40
"""In a request, without rows and the id of the device; at most."""

_ROWS_SENT_AGAIN_MAX: Final = 256
"""What a message brings cannot be derived from in the same message; more rows than this wait for the next one."""


class StreamRequest(NamedTuple):
    """The next request of a stream.

    Attributes:
        message: a serialised ``WindowBatch``.
        rows: of the evaluations, those whose windows it asks about; there may be none.
        end: the first evaluation that is left for a further request. What stands before it and is not in ``rows``
            cannot be asked about on the stream.
    """

    message: bytes
    rows: list[int]
    end: int


@dataclass(slots=True)
class _Sent:
    """What the stream has of some columns.

    Attributes:
        number: by which the stream knows them.
        first: their row that is its row 0.
        end: one past the last row that was sent.
        room_bytes: what they count.
        message: the last one that asked about them.
        seen: windows that the stream had asked about before that message.
        begins: what ``end`` was before that message.
        is_held: false once the server has said so.
    """

    number: int
    first: int
    end: int
    room_bytes: int
    message: int
    begins: int
    seen: int
    is_held: bool = True


class _Plan(NamedTuple):
    """How columns that the stream does not have are to begin on it.

    Attributes:
        source: they are derived from these; ``None``: they begin empty.
        source_end: one past the last row that is taken of the source.
        has_row: whether the late event is put in between its rows.
        first: their row that will be the stream's row 0.
        there: one past the last row that they begin with.
        waits: the next message could derive them from more rows than this one.
    """

    source: _Sent | None
    source_end: int
    has_row: bool
    first: int
    there: int
    waits: bool


class _Draft:
    """A message in the making.

    Attributes:
        leaving_bytes: what it drops, which the server holds up to its end.
    """

    __slots__ = ("_bytes_left", "_events_left", "leaving_bytes", "message", "number", "rows", "touched")

    def __init__(self, sensors: Sequence[str], number: int, bytes_max: int) -> None:
        self.message = WindowMessage(sensors)
        self.number = number
        self.rows: list[int] = []
        self.touched: list[tuple[_Sent, Columns]] = []
        self.leaving_bytes = 0
        self._bytes_left = bytes_max
        self._events_left = MAX_STREAM_EVENTS

    def takes(self, new_bytes: int, events: int) -> bool:
        """Whether one more window fits; then it is counted. A window of too many events goes alone."""
        bytes_left = self._bytes_left - new_bytes - _BYTES_OF_WINDOW
        events_left = self._events_left - events
        if bytes_left < 0 or (events_left < 0 and self.rows):
            return False
        self._bytes_left, self._events_left = bytes_left, events_left
        return True


class SentColumns:
    """What the server of one stream has. The requests are to be sent in the order in which they are made."""

    def __init__(self, sensors: Sensors, column_bytes: int, windows_max: int, bytes_max: int) -> None:
        """Nothing was sent.

        Args:
            sensors: of every row.
            column_bytes: what the columns of the stream may hold: their rooms, at 8 bytes and 12 a sensor for each row.
            windows_max: of a request.
            bytes_max: of a request.
        """
        self._sensors: Final = sensors
        self._column_bytes: Final = column_bytes
        self._windows_max: Final = windows_max
        self._bytes_max: Final = bytes_max
        self._room_row_bytes: Final = 8 + 12 * sensors.width
        self._sent: OrderedDict[int, _Sent] = OrderedDict()  # by the number of the columns, least recent first
        self._bytes = 0
        self._messages = 0
        self._windows = 0
        self._free: list[int] = []
        self._unused = 0

    def request(self, evaluations: Sequence[Evaluation], start: int) -> StreamRequest:
        """Ask about the evaluations from ``start`` on, as many as one message takes.

        Cost: for an evaluation whose columns the stream has, a look-up and what is new of them.
        """
        self._messages += 1
        draft = _Draft(self._sensors.declared if self._messages == 1 else (), self._messages, self._bytes_max)
        message, rows, this = draft.message, draft.rows, draft.number
        row, end = start, len(evaluations)
        while row < end and len(rows) < self._windows_max:
            _, _, _, _, columns, first, last = evaluations[row]
            sent = self._sent.get(columns.number)
            if sent is None or first < sent.first:
                sent = self._begun(draft, columns, first, last)
            elif not draft.takes(columns.event_bytes * (last - sent.end) if last > sent.end else 0, last - first):
                sent = None if rows else _ELSEWHERE
            if sent is None:
                break
            if sent.is_held:
                if sent.message != this:
                    self._touch(draft, sent, columns)
                if last > sent.end:
                    sent.end = last
                message.window_numbers.append(sent.number)
                message.starts.append(first - sent.first)
                message.ends.append(last - sent.first)
                rows.append(row)
            row += 1
        for sent, columns in draft.touched:
            if sent.end > sent.begins:
                message.append(sent.number, columns, sent.begins, sent.end)
        self._free += message.dropped
        self._windows += len(rows)
        return StreamRequest(message.serialised(), rows, row)

    def lose(self, columns: Columns) -> None:
        """The server does not hold them: windows of them are nothing for the stream any more."""
        sent = self._sent.get(columns.number)
        if sent is not None:
            sent.is_held = False

    def check(self) -> None:
        """Assert every invariant."""
        numbers = [sent.number for sent in self._sent.values()]
        assert sorted(numbers + self._free) == list(range(self._unused))
        assert self._bytes == sum(sent.room_bytes for sent in self._sent.values()) <= self._column_bytes
        assert all(sent.first <= sent.begins <= sent.end for sent in self._sent.values())

    def _begun(self, draft: _Draft, columns: Columns, first: int, last: int) -> _Sent | None:
        """Have columns begin; ``None``: only a further message can."""
        plan = self._plan(draft, columns, first)
        room = columns.capacity - plan.first
        room_bytes = max(self._room_row_bytes * room, _COLUMN_BYTES_MIN)
        new_bytes = columns.event_bytes * (last - plan.there) + columns.row_bytes
        if room_bytes > self._column_bytes or not self._is_admitted(draft, columns, room_bytes):
            return _ELSEWHERE
        if not draft.takes(new_bytes + len(columns.device_id.encode()) + _BYTES_OF_COLUMN, last - first):
            return None if draft.rows else _ELSEWHERE
        if (plan.waits and draft.rows) or not self._has_room(draft, room_bytes, columns.origin):
            return None
        if columns.number in self._sent:
            self._drop(draft, columns.number)
        number = self._free.pop() if self._free else self._unused
        self._unused = max(self._unused, number + 1)
        if plan.source is None:
            draft.message.define(columns.device_id, number, room)
        else:
            draft.message.derived.append(_derived(columns, plan, number, room))
        if columns.origin is not None and columns.origin.number in self._sent:
            self._drop(draft, columns.origin.number)
        sent = _Sent(number, plan.first, plan.there, room_bytes, draft.number, plan.there, self._windows)
        self._sent[columns.number] = sent
        self._bytes += room_bytes
        draft.touched.append((sent, columns))
        return sent

    def _plan(self, draft: _Draft, columns: Columns, first: int) -> _Plan:
        """How columns begin: with as many rows as a source has that the stream knows, else empty."""
        origin = columns.origin
        source = None if origin is None else self._sent.get(origin.number)
        if origin is None or source is None or not source.is_held or origin.start < source.first:
            return _Plan(None, 0, has_row=False, first=first, there=first, waits=False)
        is_of_this = source.message == draft.number
        end = min(source.begins if is_of_this else source.end, origin.end)
        waits = is_of_this and origin.end - end > _ROWS_SENT_AGAIN_MAX
        if end <= origin.start:
            return _Plan(None, 0, has_row=False, first=first, there=first, waits=waits)
        there = end - origin.start
        has_row = origin.row is not None and origin.row <= there
        return _Plan(source, end, has_row, first=0, there=there + has_row, waits=waits)

    def _is_admitted(self, draft: _Draft, columns: Columns, room_bytes: int) -> bool:
        """Whether columns may come in: idle ones go for them, and a share is left for those that are made anew."""
        is_there = columns.number in self._sent or (columns.origin is not None and columns.origin.number in self._sent)
        if is_there or not self._sent:
            return True
        kept_bytes = _KEPT_SHARE * self._column_bytes
        while self._sent and self._bytes + room_bytes > kept_bytes:
            number, oldest = next(iter(self._sent.items()))
            if self._windows - oldest.seen <= _IDLE_TURNS * len(self._sent):
                return False
            self._drop(draft, number)
        return True

    def _has_room(self, draft: _Draft, room_bytes: int, origin: Origin | None) -> bool:
        """Whether the stream has room for further columns; if not, the message drops some for those that follow."""
        held_bytes = self._bytes + draft.leaving_bytes
        if held_bytes + room_bytes <= self._column_bytes and (self._free or self._unused < _NUMBERS):
            return True
        if origin is not None and origin.number in self._sent:
            self._sent.move_to_end(origin.number)  # they are needed once more
        kept_bytes = min(int(_KEPT_SHARE * self._column_bytes), self._column_bytes - room_bytes)
        while self._sent and (self._bytes > kept_bytes or not (self._free or draft.message.dropped)):
            self._drop(draft, next(iter(self._sent)))
        return False

    def _touch(self, draft: _Draft, sent: _Sent, columns: Columns) -> None:
        """A message asks about some columns for the first time."""
        sent.message = draft.number
        sent.begins = sent.end
        sent.seen = self._windows
        draft.touched.append((sent, columns))
        self._sent.move_to_end(columns.number)

    def _drop(self, draft: _Draft, columns: int) -> None:
        sent = self._sent.pop(columns)
        self._bytes -= sent.room_bytes
        draft.leaving_bytes += sent.room_bytes
        draft.message.dropped.append(sent.number)


_ELSEWHERE: Final = _Sent(0, 0, 0, 0, 0, 0, 0, is_held=False)
"""Stands for columns that are nothing for the stream."""


def _derived(columns: Columns, plan: _Plan, number: int, room: int) -> DerivedColumn:
    """How the server makes columns out of some that it has."""
    source, origin = plan.source, columns.origin
    assert source is not None
    assert origin is not None
    derived = DerivedColumn(
        number=number,
        room=room,
        source=source.number,
        start=origin.start - source.first,
        end=plan.source_end - source.first,
    )
    if plan.has_row:
        assert origin.row is not None
        [time_ms], readings = columns.between(origin.row, origin.row + 1)
        derived.row, derived.time, derived.readings = origin.row, time_ms, bytes(readings)
    return derived
