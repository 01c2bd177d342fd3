"""The columns that a stream has named, for as long as it lives; those of a unary request, as long as that.

All rows of all columns lie in one arena, so that one call of numpy serves all columns of a message: no loop over the
columns that rows are appended to, and none over the windows. In the arena a column is one row that holds nothing and
then the rows it has room for; running sums begin with that first row, and times are compared with it.
"""

from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.arena import Arena
from grpc_services.python.column_room import StreamRoom
from grpc_services.python.errors import NotHeldError, RequestError, RowErrors
from grpc_services.python.row_faults import misplaced, not_finite, wrong_readings
from grpc_services.python.row_ranges import Int64s, spread
from grpc_services.python.running_sums import RunningSums
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import DerivedColumn
from grpc_services.python.window_message import WindowMessage
from grpc_services.python.windows import Windows
from window_core import Sensors

__all__ = ["MAX_NUMBER", "MAX_ROOM", "HeldColumns"]

MAX_NUMBER: Final = 1 << 20
"""A column has a number below: what is kept for each number up to the highest takes 4 MB at most."""

MAX_ROOM: Final = 1 << 22

_NUMBERS: Final = 64
"""For so many numbers there is room from the start; more when a higher one comes."""

_NOT_HELD: Final = -1
_LONG_AGO: Final = np.iinfo(np.int64).min
_SLOT: Final = np.dtype(
    [
        ("base", np.int64),
        ("space", np.int64),
        ("room", np.int64),
        ("length", np.int64),
        ("falls", np.bool_),
        ("wrong", np.bool_),
    ]
)
"""Of a column: its first row in the arena, which holds nothing; how many rows it has there, with that one; how many it
may hold, and holds; whether its times fall anywhere; whether any reading is wrong. The last two only say that its
windows have to be looked at."""


class HeldColumns:
    """The columns of one call.

    Attributes:
        sensors: whose readings a row holds.
    """

    def __init__(self, sensors: Sensors, room: StreamRoom, *, is_stream: bool) -> None:
        """No column.

        Args:
            sensors: whose readings a row holds.
            room: what the columns of a stream, or the rows that a unary request copies, may take.
            is_stream: whether more messages may come. If not, a column needs only the rows that it gets at once.
        """
        self.sensors = sensors
        self._room = room
        self._is_stream = is_stream
        self._row_bytes = 8 + 12 * sensors.width
        self._slot_of = np.zeros(_NUMBERS, np.int32)  # of each number; 0: no such column
        self._slots = np.zeros(1, _SLOT)  # slot 0 is none
        self._free: list[int] = []
        self._arena = Arena(sensors, keeps_sums=is_stream)
        self._sums = RunningSums(sensors, self._arena) if is_stream else None

    def take(self, message: WindowMessage) -> tuple[Windows, Int64s, RowErrors]:
        """Define, derive, append: then the windows that can be answered, the row of each, and the rows that cannot.

        They are good until the next message. ``drop`` is to follow when they are answered.

        Raises:
            RequestError: the message asks for what cannot be.
        """
        self._define(message)
        for one in message.derived:
            self._derive(one, message)
        self._append(message)
        return self._windows(message)

    def drop(self, numbers: Int64s) -> None:
        """Forget columns.

        Raises:
            RequestError: one is not defined, or stands there twice.
        """
        slots = self._known("dropped_number", numbers)
        if len(repeated := _repeated(numbers)):
            raise RequestError(f"dropped_number: column {numbers[repeated[0]]} is not defined")
        self._slot_of[numbers] = 0
        slots = slots[slots > 0]
        self._room.give_back(int(self._slots["room"][slots].sum()) * self._row_bytes)
        self._slots[slots] = 0
        self._free += slots.tolist()

    def _define(self, message: WindowMessage) -> None:
        numbers, rooms = message.numbers, message.rooms
        if not len(numbers):
            return
        if (numbers >= MAX_NUMBER).any():
            raise _out_of_range("number", int(numbers[numbers >= MAX_NUMBER][0]))
        self._make_room_for(int(numbers.max()))
        taken = np.union1d(np.flatnonzero(self._slot_of[numbers]), _repeated(numbers))
        if len(taken):
            raise RequestError(f"number: column {numbers[taken[0]]} is defined already")
        if (wrong := (rooms < 1) | (rooms > MAX_ROOM)).any():
            raise RequestError(f"room: {rooms[wrong][0]} is not from 1 to {MAX_ROOM}")
        self._slot_of[numbers] = _NOT_HELD
        if self._is_stream:
            fits = self._fits(rooms)
            numbers, rooms = numbers[fits], rooms[fits]
        self._place(numbers, rooms, rooms if self._is_stream else message.coming(numbers))

    def _derive(self, one: DerivedColumn, message: WindowMessage) -> None:
        if one.number >= MAX_NUMBER:
            raise _out_of_range("derived", one.number)
        self._make_room_for(one.number)
        if self._slot_of[one.number]:
            raise RequestError(f"derived: column {one.number} is defined already")
        if not 1 <= one.room <= MAX_ROOM:
            raise RequestError(f"derived: room {one.room} is not from 1 to {MAX_ROOM}")
        source = int(self._slot_of[one.source]) if one.source < len(self._slot_of) else 0
        if not source:
            raise RequestError(f"derived: column {one.source} is not defined")
        length = int(self._slots["length"][source])
        if source > 0 and not one.start <= one.end <= length:
            raise RequestError(
                f"derived: rows {one.start} to {one.end} are not rows of column {one.source}, which holds {length}"
            )
        copied = max(one.end - one.start, 0)
        count = copied + bool(one.readings)
        if one.readings and one.row > copied:
            raise RequestError(f"derived: row {one.row} is outside the {count} rows of column {one.number}")
        if count > one.room:
            raise RequestError(f"derived: column {one.number} has room for {one.room} rows, not for {count}")
        self._slot_of[one.number] = _NOT_HELD
        numbers, rooms = np.array([one.number]), np.array([one.room])
        if source < 0 or not self._fits(rooms if self._is_stream else np.array([count])).all():
            return
        self._place(numbers, rooms, rooms if self._is_stream else count + message.coming(numbers))
        self._fill(int(self._slot_of[one.number]), source, one, count)

    def _fill(self, slot: int, source: int, one: DerivedColumn, count: int) -> None:
        """Copy the rows, and put one between them."""
        source_first, at = int(self._slots["base"][source]) + 1, int(self._slots["base"][slot]) + 1
        first = source_first + one.start
        row = one.row if one.readings else count
        times, readings = self._arena.times, self._arena.readings
        for column in (times, readings):
            column[at : at + row] = column[first : first + row]
            column[at + row + 1 : at + count] = column[first + row : first + count - 1]
        falls, wrong = self._slots["falls"][source], self._slots["wrong"][source]
        if one.readings:
            times[at + row] = one.time
            readings[at + row] = np.frombuffer(one.readings, "<f4")
            around = times[at + row - 1 : at + min(row + 2, count)]
            falls |= (around[1:] < around[:-1]).any()
            wrong |= wrong_readings(self.sensors, readings[at + row]).any()
        self._slots["length"][slot] = count
        self._slots["falls"][slot], self._slots["wrong"][slot] = falls, wrong
        if self._sums is not None:
            put_in = row if one.readings else None
            self._sums.derive(slot, source, source_first, one.start, at, count, put_in)

    def _append(self, message: WindowMessage) -> None:
        numbers, counts = message.appended_numbers, message.appended_counts
        times, readings = message.times, message.readings
        if not len(numbers):
            return
        slots = self._known("appended_number", numbers)
        if len(repeated := _repeated(numbers)):
            raise RequestError(f"appended_number: column {numbers[repeated[0]]} stands there twice")
        if len(lost := np.flatnonzero((slots < 0) | (counts == 0))):
            kept = np.repeat(slots > 0, counts)
            times, readings = times[kept], readings[kept]
            slots, counts, numbers = (np.delete(column, lost) for column in (slots, counts, numbers))
        rooms, before = self._slots["room"][slots], self._slots["length"][slots]
        if (over := before + counts > rooms).any():
            first = int(np.flatnonzero(over)[0])
            raise RequestError(
                f"appended_count: column {numbers[first]} has room for {rooms[first]} rows, "
                f"not for {before[first] + counts[first]}"
            )
        if not len(times):
            return
        bases = self._slots["base"][slots]
        firsts = bases + 1 + before
        rows = firsts if len(times) == len(slots) else spread(firsts, counts)
        self._arena.times[rows] = times
        self._arena.readings[rows] = readings
        self._slots["length"][slots] = before + counts
        if self._sums is not None:
            self._sums.append(slots, counts, bases, rows, readings)
        if (falls := times < self._arena.times[rows - 1]).any():
            self._slots["falls"][np.repeat(slots, counts)[falls]] = True
        if not np.isfinite(readings).all():
            wrong = wrong_readings(self.sensors, readings).any(axis=1)
            self._slots["wrong"][np.repeat(slots, counts)[wrong]] = True

    def _windows(self, message: WindowMessage) -> tuple[Windows, Int64s, RowErrors]:
        numbers, starts, ends = message.window_numbers, message.starts, message.ends
        slots = self._known("window_number", numbers)
        lengths = self._slots["length"][slots]
        errors: RowErrors = {}
        rows = np.arange(len(slots))
        if (slots < 0).any() or ((starts >= ends) | (ends > lengths)).any():
            errors = misplaced(starts, ends, lengths)
            lost = np.flatnonzero(slots < 0).tolist()
            errors |= {row: NotHeldError(f"column: {numbers[row]} is not held") for row in lost}
            rows = np.setdiff1d(rows, list(errors))
        first_rows = self._slots["base"][slots] + 1
        starts, ends = starts + first_rows, ends + first_rows
        looked_at = rows[self._slots["wrong"][slots[rows]]]
        if len(looked_at):
            wrong = not_finite(self.sensors, self._arena.readings, starts[looked_at], ends[looked_at])
            errors |= {int(looked_at[window]): error for window, error in wrong.items()}
            rows = np.setdiff1d(rows, list(errors))
        slots, starts, ends = slots[rows], starts[rows], ends[rows]
        totals = None
        if self._sums is not None:
            totals = partial(self._sums.totals, slots, self._slots["base"][slots], starts, ends)
        times, readings = _read_only(self._arena.times), _read_only(self._arena.readings)
        falls = bool(self._slots["falls"][slots].any())
        windows = Windows(self.sensors, starts, ends, times, readings, totals, may_be_unordered=falls)
        return windows, rows, errors

    def _known(self, field: str, numbers: Int64s) -> NDArray[Any]:
        """The slots of columns, below 0 where one is not held."""
        known = len(self._slot_of)
        if len(numbers) and numbers.max() >= known:
            slots = np.where(numbers < known, self._slot_of[numbers % known], 0)
        else:
            slots = self._slot_of[numbers]
        if not slots.all():
            raise RequestError(f"{field}: column {numbers[slots == 0][0]} is not defined")
        return slots

    def _fits(self, rooms: Int64s) -> NDArray[np.bool_]:
        """For which columns there is room, which is taken."""
        fits = np.ones(len(rooms), np.bool_)
        if not self._room.take(int(rooms.sum()) * self._row_bytes):
            for column, room in enumerate(rooms.tolist()):
                fits[column] = self._room.take(room * self._row_bytes)
            self._room.refused(int((~fits).sum()))
        return fits

    def _place(self, numbers: Int64s, rooms: Int64s, spaces: Int64s) -> None:
        """Hold columns: give each a slot, and its place in the arena with the row that holds nothing."""
        slots = self._new_slots(len(numbers))
        spaces = spaces + 1
        if not self._arena.has(needed := int(spaces.sum())):
            live = self._slots[held := np.flatnonzero(self._slots["space"])]
            self._slots["base"][held] = self._arena.make_anew(live["base"], live["length"] + 1, live["space"], needed)
        self._slots["base"][slots] = bases = self._arena.given(spaces)
        self._slots["space"][slots] = spaces
        self._slots["room"][slots] = rooms
        self._arena.times[bases] = _LONG_AGO
        if self._sums is not None:
            self._sums.begin(slots, rooms, bases)
        self._slot_of[numbers] = slots

    def _make_room_for(self, number: int) -> None:
        """Know numbers up to this one, as not defined."""
        if (known := len(self._slot_of)) <= number:
            grown = np.zeros(max(number + 1, 2 * known), np.int32)
            grown[:known] = self._slot_of
            self._slot_of = grown

    def _new_slots(self, count: int) -> list[int]:
        if (lacking := count - len(self._free)) > 0:
            known = len(self._slots)
            grown = np.zeros(max(known + lacking, 2 * known), _SLOT)
            grown[:known] = self._slots
            self._slots = grown
            self._free += range(len(grown) - 1, known - 1, -1)
        kept = len(self._free) - count
        slots = self._free[kept:]
        del self._free[kept:]
        return slots


def _read_only(column: NDArray[Any]) -> NDArray[Any]:
    view = column.view()
    view.setflags(write=False)
    return view


def _repeated(numbers: Int64s) -> Int64s:
    """Where a number stands that stood before."""
    if len(numbers) < 2 or (numbers[1:] > numbers[:-1]).all():
        return np.empty(0, np.int64)
    firsts = np.unique(numbers, return_index=True)[1]
    return np.setdiff1d(np.arange(len(numbers)), firsts)


def _out_of_range(field: str, number: int) -> RequestError:
    return RequestError(f"{field}: {number} is out of range, a column has a number below {MAX_NUMBER}")
