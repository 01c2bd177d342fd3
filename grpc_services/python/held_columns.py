"""The columns that a stream has named, for as long as it lives; those of a unary request, as long as that.

All rows of all columns lie in one arena, so that one call of numpy serves all columns of a message: no loop over the
columns that rows are appended to, and none over the windows. In the arena a column is one row that holds nothing and
then the rows it has room for; running sums begin with that first row, and times are compared with it.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.column_memory import StreamMemory
from grpc_services.python.column_table import MAX_NUMBER, NOT_HELD, ColumnTable
from grpc_services.python.errors import NotHeldError, RequestError, RowErrors
from grpc_services.python.row_faults import misplaced, not_finite, wrong_readings
from grpc_services.python.row_ranges import Int64s, spread
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import DerivedColumn
from grpc_services.python.window_message import WindowMessage
from grpc_services.python.windows import Windows
from window_core import Sensors

__all__ = ["MAX_ROOM", "HeldColumns"]

MAX_ROOM: Final = 1 << 22
"""Rows of a column: forty times the largest window that a pipeline holds by default."""

MAX_DERIVED_READINGS: Final = 1 << 24
"""That the columns of a unary request begin with: else a few bytes would copy its rows again and again."""

_LEAST_BYTES: Final = 256
"""A column counts as so many at least: what is kept about it takes as much, however few rows it has room for."""


class HeldColumns:
    """The columns of one call.

    Attributes:
        sensors: whose readings a row holds.
    """

    def __init__(self, sensors: Sensors, memory: StreamMemory | None = None) -> None:
        """No column.

        Args:
            sensors: whose readings a row holds.
            memory: what the columns of a stream may take. ``None``: there is one message, a unary request. A column of
                it takes the rows that it gets at once, and is always held.
        """
        self.sensors = sensors
        self._memory = memory
        self._row_bytes = 8 + 12 * sensors.width
        self._table = ColumnTable(sensors, keeps_sums=memory is not None)

    def take(self, message: WindowMessage) -> tuple[Windows, Int64s, RowErrors]:
        """Define, derive, append: then the windows that can be answered, the row of each, and the rows that cannot.

        They are good until the next message. ``drop`` is to follow when they are answered.

        Raises:
            RequestError: the message asks for what cannot be.
        """
        if self._memory is None and (found := self._as_they_stand(message)) is not None:
            return found
        self._define(message)
        self._derive(message)
        self._append(message)
        return self._windows(message)

    def _as_they_stand(self, message: WindowMessage) -> tuple[Windows, Int64s, RowErrors] | None:
        """The windows of a unary request over its own rows, without a copy, as nearly all can be; ``None``: it needs
        columns, or there is something wrong with it."""
        numbers, counts, rooms = message.numbers, message.appended_counts, message.rooms
        if len(message.derived) or len(message.dropped_numbers) or len(numbers) > MAX_NUMBER:
            return None
        if not (np.array_equal(numbers, np.arange(len(numbers))) and np.array_equal(numbers, message.appended_numbers)):
            return None
        if (counts > rooms).any() or (rooms > MAX_ROOM).any() or (rooms < 1).any():
            return None
        if (message.window_numbers >= len(numbers)).any() or not np.isfinite(message.readings).all():
            return None
        firsts = np.cumsum(counts) - counts
        bases, lengths = firsts[message.window_numbers], counts[message.window_numbers]
        errors = misplaced(message.starts, message.ends, lengths)
        rows = np.arange(len(lengths))
        if errors:
            rows = np.setdiff1d(rows, list(errors))
        falls = message.times[1:] < message.times[:-1]
        falls[firsts[(firsts > 0) & (firsts < len(message.times))] - 1] = False  # there another column begins
        windows = Windows(
            self.sensors, (message.starts + bases)[rows], (message.ends + bases)[rows], message.times, message.readings,
            None, may_be_unordered=bool(falls.any()),
        )  # fmt: skip
        return windows, rows, errors

    def drop(self, numbers: Int64s) -> None:
        """Forget columns.

        Raises:
            RequestError: one is not defined, or stands there twice.
        """
        if not len(numbers):
            return
        slots = self._table.known("dropped_number", numbers)
        if len(repeated := _repeated(numbers)):
            raise RequestError(f"dropped_number: column {numbers[repeated[0]]} is not defined")
        slots = slots[slots > 0]
        if self._memory is not None:
            self._memory.give_back(int(self._bytes(self._table.slots["room"][slots]).sum()))
        self._table.forget(numbers, slots)

    def _define(self, message: WindowMessage) -> None:
        numbers, rooms = message.numbers, message.rooms
        if not len(numbers):
            return
        if (numbers >= MAX_NUMBER).any():
            raise _out_of_range("number", int(numbers[numbers >= MAX_NUMBER][0]))
        self._table.make_room_for(int(numbers.max()))
        taken = np.union1d(np.flatnonzero(self._table.slot_of[numbers]), _repeated(numbers))
        if len(taken):
            raise RequestError(f"number: column {numbers[taken[0]]} is defined already")
        if (wrong := (rooms < 1) | (rooms > MAX_ROOM)).any():
            raise RequestError(f"room: {rooms[wrong][0]} is not from 1 to {MAX_ROOM}")
        self._table.slot_of[numbers] = NOT_HELD
        fits = self._fits(rooms)
        numbers, rooms = numbers[fits], rooms[fits]
        self._place(numbers, rooms, message, 0)

    def _derive(self, message: WindowMessage) -> None:
        if not message.derived:
            return
        lengths: dict[int, int] = {}  # of the columns that are derived so far; -1: not held
        held: list[DerivedColumn] = []
        readings = 0
        for one in message.derived:
            count = self._checked_length(one, lengths)
            readings += count * self.sensors.width
            if self._memory is None and readings > MAX_DERIVED_READINGS:
                raise RequestError(
                    f"derived: the columns begin with {readings} readings in all, "
                    f"those of a request may begin with {MAX_DERIVED_READINGS}"
                )
            is_lost = lengths.get(one.source, self._table.slot_of[one.source]) < 0
            if is_lost or not self._fits(np.array([one.room])).all():
                lengths[one.number] = NOT_HELD
            else:
                lengths[one.number] = count
                held.append(one)
            self._table.slot_of[one.number] = NOT_HELD
        numbers = np.array([one.number for one in held], np.int64)
        rooms = np.array([one.room for one in held], np.int64)
        counts = np.array([lengths[one.number] for one in held], np.int64)
        self._place(numbers, rooms, message, counts)
        for one in held:
            self._fill(one, lengths[one.number])

    def _checked_length(self, one: DerivedColumn, lengths: Mapping[int, int]) -> int:
        """How many rows a derived column begins with, if it can be.

        Args:
            one: the column.
            lengths: of the columns of the same message before it, -1 where one is not held.
        """
        number, source, copied = one.number, one.source, max(one.end - one.start, 0)
        if number >= MAX_NUMBER:
            raise _out_of_range("derived", number)
        self._table.make_room_for(number)
        if self._table.slot_of[number]:
            raise RequestError(f"derived: column {number} is defined already")
        if not 1 <= one.room <= MAX_ROOM:
            raise RequestError(f"derived: room {one.room} is not from 1 to {MAX_ROOM}")
        slot = self._table.slot_of[source] if source < len(self._table.slot_of) else 0
        if not slot:
            raise RequestError(f"derived: column {source} is not defined")
        length = lengths.get(source, int(self._table.slots["length"][slot]) if slot > 0 else NOT_HELD)
        if length >= 0 and not one.start <= one.end <= length:
            raise RequestError(
                f"derived: rows {one.start} to {one.end} are not rows of column {source}, which holds {length}"
            )
        count = copied + bool(one.readings)
        if one.readings and one.row > copied:
            raise RequestError(f"derived: row {one.row} is outside the {count} rows of column {number}")
        if count > one.room:
            raise RequestError(f"derived: column {number} has room for {one.room} rows, not for {count}")
        return count

    def _fill(self, one: DerivedColumn, count: int) -> None:
        """Copy the rows, and put one between them."""
        slot, source = int(self._table.slot_of[one.number]), int(self._table.slot_of[one.source])
        at, source_first = (int(self._table.slots["base"][known]) + 1 for known in (slot, source))
        first = source_first + one.start
        row = one.row if one.readings else None
        split = count if row is None else row
        times, readings = self._table.arena.times, self._table.arena.readings
        for column in (times, readings):
            column[at : at + split] = column[first : first + split]
            column[at + split + 1 : at + count] = column[first + split : first + count - 1]
        falls, wrong = self._table.slots["falls"][source], self._table.slots["wrong"][source]
        if row is not None:
            times[at + row] = one.time
            readings[at + row] = np.frombuffer(one.readings, "<f4")
            around = times[at + row - 1 : at + min(row + 2, count)]
            falls |= (around[1:] < around[:-1]).any()
            wrong |= wrong_readings(self.sensors, readings[at + row]).any()
        self._table.slots["length"][slot] = count
        self._table.slots["falls"][slot], self._table.slots["wrong"][slot] = falls, wrong
        if self._table.sums is not None:
            self._table.sums.derive(slot, source, source_first, one.start, at, count, row)

    def _append(self, message: WindowMessage) -> None:
        numbers, counts = message.appended_numbers, message.appended_counts
        times, readings = message.times, message.readings
        if not len(numbers):
            return
        slots = self._table.known("appended_number", numbers)
        if len(repeated := _repeated(numbers)):
            raise RequestError(f"appended_number: column {numbers[repeated[0]]} stands there twice")
        if len(lost := np.flatnonzero((slots < 0) | (counts == 0))):
            kept = np.repeat(slots > 0, counts)
            times, readings = times[kept], readings[kept]
            slots, counts, numbers = (np.delete(column, lost) for column in (slots, counts, numbers))
        rooms, before = self._table.slots["room"][slots], self._table.slots["length"][slots]
        if (over := before + counts > rooms).any():
            first = int(np.flatnonzero(over)[0])
            raise RequestError(
                f"appended_count: column {numbers[first]} has room for {rooms[first]} rows, "
                f"not for {before[first] + counts[first]}"
            )
        if not len(times):
            return
        bases = self._table.slots["base"][slots]
        firsts = bases + 1 + before
        rows = firsts if len(times) == len(slots) else spread(firsts, counts)
        self._table.arena.times[rows] = times
        self._table.arena.readings[rows] = readings
        self._table.slots["length"][slots] = before + counts
        if self._table.sums is not None:
            self._table.sums.append(slots, counts, bases, rows, readings)
        if (falls := times < self._table.arena.times[rows - 1]).any():
            self._table.slots["falls"][np.repeat(slots, counts)[falls]] = True
        if not np.isfinite(readings).all():
            wrong = wrong_readings(self.sensors, readings).any(axis=1)
            self._table.slots["wrong"][np.repeat(slots, counts)[wrong]] = True

    def _windows(self, message: WindowMessage) -> tuple[Windows, Int64s, RowErrors]:
        numbers, starts, ends = message.window_numbers, message.starts, message.ends
        slots = self._table.known("window_number", numbers)
        lengths = self._table.slots["length"][slots]
        errors: RowErrors = {}
        rows = np.arange(len(slots))
        if (slots < 0).any() or ((starts >= ends) | (ends > lengths)).any():
            errors = misplaced(starts, ends, lengths)
            lost = np.flatnonzero(slots < 0).tolist()
            errors |= {row: NotHeldError(f"column: {numbers[row]} is not held") for row in lost}
            rows = np.setdiff1d(rows, list(errors))
        first_rows = self._table.slots["base"][slots] + 1
        starts, ends = starts + first_rows, ends + first_rows
        looked_at = rows[self._table.slots["wrong"][slots[rows]]]
        if len(looked_at):
            wrong = not_finite(self.sensors, self._table.arena.readings, starts[looked_at], ends[looked_at])
            errors |= {int(looked_at[window]): error for window, error in wrong.items()}
            rows = np.setdiff1d(rows, list(errors))
        slots, starts, ends = slots[rows], starts[rows], ends[rows]
        totals = None
        if self._table.sums is not None:
            totals = partial(self._table.sums.totals, slots, self._table.slots["base"][slots], starts, ends)
        times, readings = _read_only(self._table.arena.times), _read_only(self._table.arena.readings)
        falls = bool(self._table.slots["falls"][slots].any())
        windows = Windows(self.sensors, starts, ends, times, readings, totals, may_be_unordered=falls)
        return windows, rows, errors

    def _fits(self, rooms: Int64s) -> NDArray[np.bool_]:
        """For which columns there is memory, which is taken."""
        fits = np.ones(len(rooms), np.bool_)
        counts = self._bytes(rooms)
        if self._memory is not None and not self._memory.take(int(counts.sum())):
            for column, count in enumerate(counts.tolist()):
                fits[column] = self._memory.take(count)
            self._memory.refused(int((~fits).sum()))
        return fits

    def _bytes(self, rooms: Int64s) -> Int64s:
        """What columns count as."""
        return np.maximum(rooms * self._row_bytes, _LEAST_BYTES)

    def _place(self, numbers: Int64s, rooms: Int64s, message: WindowMessage, counts: Int64s | int) -> None:
        """Hold columns, which begin with so many rows."""
        spaces = rooms if self._memory is not None else counts + message.coming(numbers)
        self._table.place(numbers, rooms, spaces)


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
