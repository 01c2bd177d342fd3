"""Which columns a call has, and where each lies: numbers, which the caller chose, and slots, which we chose."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.arena import Arena
from grpc_services.python.errors import RequestError
from grpc_services.python.row_ranges import Int64s
from grpc_services.python.running_sums import RunningSums
from grpc_services.python.unfit_readings import grown
from window_core import Sensors

__all__ = ["MAX_NUMBER", "NOT_HELD", "ColumnTable"]

MAX_NUMBER: Final = 1 << 20
"""A column has a number below: what is kept for each number up to the highest takes 4 MB at most."""

_NUMBERS: Final = 64
"""For so many numbers there is room from the start; more when a higher one comes."""

_LOOSE_ROWS: Final = 1 << 12
"""So many rows may be left behind by columns without a look at how many are in use."""

_ARENA_SHARE: Final = 6
"""Memory is given back when less than one row in so many belongs to columns. It is made for twice what is needed, and
after a message that makes all columns anew, half of that is left."""

_LEFT_SHARE: Final = 4
"""A look for what was left, where room is short, costs a look at all columns: one free row in so many has to be new."""

NOT_HELD: Final = -1
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


class ColumnTable:
    """The columns of one call.

    Attributes:
        slot_of: int32, of each number: 0 where there is no such column, ``NOT_HELD``, or its slot.
        slots: of each slot, the fields above.
        arena: where the rows are.
        sums: their running sums, if they are kept.
    """

    def __init__(self, sensors: Sensors, *, keeps_sums: bool) -> None:
        self.slot_of = np.zeros(_NUMBERS, np.int32)
        self.slots = np.zeros(1, _SLOT)  # slot 0 is none
        self.arena = Arena(sensors, keeps_sums=keeps_sums)
        self.sums = RunningSums(sensors, self.arena) if keeps_sums else None
        self._free: list[int] = []
        self._live_rows = 0  # of the arena, that belong to columns
        self._left_rows = 0  # that columns have left, as far as the arena does not know it

    def known(self, field: str, numbers: Int64s) -> NDArray[Any]:
        """The slots of columns, below 0 where one is not held."""
        known = len(self.slot_of)
        if len(numbers) and numbers.max() >= known:
            slots = np.where(numbers < known, self.slot_of[numbers % known], 0)
        else:
            slots = self.slot_of[numbers]
        if not slots.all():
            raise RequestError(f"{field}: column {numbers[slots == 0][0]} is not defined")
        return slots

    def place(self, numbers: Int64s, rooms: Int64s, spaces: Int64s) -> None:
        """Hold columns: give each a slot, and its place in the arena with the row that holds nothing."""
        if not len(numbers):
            return
        slots = self._new_slots(len(numbers))
        spaces = spaces + 1
        self.slots["base"][slots] = bases = self._given(spaces)
        self.slots["space"][slots] = spaces
        self.slots["room"][slots] = rooms
        self.arena.times[bases] = _LONG_AGO
        self.arena.readings[bases] = 0  # a sum over neighbours sees no large number that memory held
        if self.sums is not None:
            self.sums.begin(slots, rooms, bases)
        self.slot_of[numbers] = slots

    def make_room_for(self, number: int) -> None:
        """Know numbers up to this one, as not defined."""
        if number >= len(self.slot_of):
            self.slot_of = grown(self.slot_of, number)

    def forget(self, numbers: Int64s, slots: NDArray[Any]) -> None:
        """Let go of columns, and of the slots of those that are held; of memory when most of it is of such columns."""
        self.slot_of[numbers] = 0
        self._live_rows -= (left := int(self.slots["space"][slots].sum()))
        self._left_rows += left
        self.slots[slots] = 0
        self._free += slots.tolist()
        if len(self.arena.times) > _ARENA_SHARE * self._live_rows + _LOOSE_ROWS:
            self._move(0)
        elif 2 * self._left_rows > self._live_rows + _LOOSE_ROWS:
            self._find_room()

    def _given(self, spaces: Int64s) -> Int64s:
        """Places of so many rows, for which there is room then."""
        needed = int(spaces.sum())
        bases = self.arena.given(spaces)
        if bases is None and _LEFT_SHARE * self._left_rows >= len(self.arena.times) - self._live_rows >= needed:
            self._find_room()
            bases = self.arena.given(spaces)
        if bases is None:
            self._move(needed)
            bases = self.arena.given(spaces)
        assert bases is not None
        self._live_rows += needed
        return bases

    def _find_room(self) -> None:
        """Have places given again that columns have left."""
        live = self.slots[np.flatnonzero(self.slots["space"])]
        self.arena.find_room(live["base"], live["space"])
        self._left_rows = 0

    def _move(self, needed: int) -> None:
        """Move all columns to where so many more rows are free."""
        live = self.slots[held := np.flatnonzero(self.slots["space"])]
        self.slots["base"][held] = self.arena.make_anew(live["base"], live["length"] + 1, live["space"], needed)
        self._left_rows = 0

    def _new_slots(self, count: int) -> list[int]:
        if (lacking := count - len(self._free)) > 0:
            known = len(self.slots)
            self.slots = grown(self.slots, known + lacking - 1)
            self._free += range(len(self.slots) - 1, known - 1, -1)
        kept = len(self._free) - count
        slots = self._free[kept:]
        del self._free[kept:]
        return slots
