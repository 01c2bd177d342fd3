"""Exact running sums of columns that grow: the sum of a window is one subtraction, whatever its length.

The rule of ``exact_mean`` holds, and its way: a reading is a whole number times a power of two, and whole numbers add
exactly in int64. Here each column and sensor has one scale, chosen by its first readings so that as many as there is
room for cannot overflow. Running sums may wrap around, the difference of two of them does not.

A reading that does not fit the scale, too large or too fine, counts as 0 in the running sums and stands in a short list
of its own: a window that holds one adds it, rounded once. When the list is full the column is looked at as a whole. It
gets the scale that fits most readings, if need be with a second int64 for what is finer than the first one; if that
does not help either, its windows are summed from their rows.
"""

from math import fsum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.arena import Arena
from grpc_services.python.exact_mean import SUM_BITS, Float64s, bits_of, doubles, exact_sums, two_doubles
from grpc_services.python.row_ranges import Int64s
from grpc_services.python.unfit_readings import MOST, UnfitReadings, grown
from grpc_services.python.windows import Float32s, Totals
from window_core import Sensors

__all__ = ["RunningSums"]

_SIGNIFICAND_BITS: Final = 24

_HEADROOM_SHARE: Final = 4
"""Of the bits that a scale has to spare, one in so many is for readings larger than those it is chosen by, the others
are for finer ones: a reading near zero is more common than one that is a hundred times as large."""

_SCALES_MAX: Final = 4
"""So often the scale of a column is chosen anew: it costs a look at all of its rows."""

_SHORT_BITS: Final = SUM_BITS - 6
"""A column of room for 32 rows or fewer has more bits for each."""

_LOOKED_AT: Final = 1 << 10
"""Readings, the last ones, that a scale is chosen anew by."""


class RunningSums:
    """The running sums of all columns of a stream, which lie in its arena. Columns are known by their slots.

    Row ``r`` of the arena holds the sum of the rows of its column up to and with ``r``, so the row before the first
    one, which holds no reading, is where they begin.
    """

    def __init__(self, sensors: Sensors, arena: Arena) -> None:
        self._arena = arena
        self._optional = np.flatnonzero(sensors.optional)
        width = sensors.width
        self._bits = np.zeros(1, np.int64)  # a whole number of the column has at most so many,
        self._limits: Float64s = np.zeros(1)  # and is at most this
        self._factors: Float64s = np.zeros((1, width))  # a reading times this is whole; 0.0: there is no scale
        self._units: Float64s = np.ones((1, width))  # 1 / factor, or 1.0
        self._scales = np.zeros((1, width), np.uint8)  # how many were chosen by a look at the whole column
        self._has_low = np.zeros((1, width), np.bool_)  # its sums have two parts
        self._keeps_low = False
        self._is_wide = np.zeros((1, width), np.bool_)  # its readings fit no scale
        self._has_wide = False
        self._unfit = UnfitReadings(width)

    def begin(self, slots: list[int], rooms: Int64s, bases: Int64s) -> None:
        """Begin the sums of columns with so much room; ``bases`` are the rows before their first ones."""
        if (highest := max(slots)) >= len(self._bits):
            for name in ("_bits", "_limits", "_factors", "_units", "_scales", "_has_low", "_is_wide"):
                setattr(self, name, grown(getattr(self, name), highest))
        self._bits[slots] = SUM_BITS - bits_of(rooms)
        self._limits[slots] = np.ldexp(1.0, self._bits[slots])
        self._factors[slots] = 0.0
        self._units[slots] = 1.0
        self._scales[slots] = 0
        self._has_low[slots] = False
        self._is_wide[slots] = False
        self._unfit.forget(slots)
        self._arena.sums[bases] = 0
        if self._keeps_low:
            self._arena.low[bases] = 0
        self._arena.present[bases] = 0

    def append(self, slots: Int64s, counts: Int64s, bases: Int64s, rows: Int64s, readings: Float32s) -> None:
        """Add rows, which lie in the arena already, to columns.

        Args:
            slots: of the columns, each once, at least one.
            counts: how many rows each gets, at least one.
            bases: the row before its first one.
            rows: of the arena, column after column.
            readings: of these rows.
        """
        one_each = len(rows) == len(slots)
        of_rows = slots if one_each else np.repeat(slots, counts)
        begins = np.cumsum(counts) - counts
        values = doubles(readings)
        factors = self._factors[of_rows]
        if not factors.all() and self._choose(slots, np.maximum.reduceat(np.abs(values), begins)):
            factors = self._factors[of_rows]
        has_low = self._has_low[of_rows] if self._keeps_low else None
        whole, low, unfit = _whole(values, factors, self._limits[of_rows, np.newaxis], has_low)
        parts = None if one_each else (begins, counts)
        _extend(self._arena.sums, whole, rows, parts)
        if low is not None:
            _extend(self._arena.low, low, rows, parts)
        if len(self._optional):
            _extend(self._arena.present, ~np.isnan(readings[:, self._optional]), rows, parts)
        if unfit is not None:
            columns = np.repeat(np.arange(len(slots)), counts)
            positions, sensors = np.nonzero(unfit)
            groups = columns[positions] * values.shape[1] + sensors
            order = np.argsort(groups, kind="stable")
            for part in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
                column, sensor = columns[positions[part[0]]], int(sensors[part[0]])
                slot, base, end = int(slots[column]), bases[column], rows[begins[column] + counts[column] - 1] + 1
                places = rows[positions[part]] - base - 1
                self._set_apart(slot, sensor, places, values[positions[part], sensor], slice(base + 1, end))

    def derive(self, slot: int, source: int, first: int, begin: int, at: int, count: int, row: int | None) -> None:
        """Begin with the sums of rows of another column, with one row put in between; they lie in the arena already.

        Args:
            slot: of the new column, which has begun.
            source: of the other one.
            first: its first row in the arena.
            begin: how many of its rows to leave out.
            at: the first row of the new column.
            count: its rows.
            row: which of them was put in, from 0; ``None``: none was.
        """
        arena, copied = self._arena, first + begin
        split = count if row is None else row
        for sums in (arena.sums, arena.low, arena.present):
            sums[at - 1 : at + split] = sums[copied - 1 : copied + split]
            sums[at + split + 1 : at + count] = sums[copied + split : copied + count - 1]
        self._factors[slot], self._units[slot] = self._factors[source], self._units[source]
        self._has_low[slot] = self._has_low[source]
        anew = self._is_wide[source] | (self._has_low[source] & (self._bits[slot] != self._bits[source]))
        if self._bits[slot] < self._bits[source]:
            steps = np.diff(arena.sums[copied - 1 : copied + count - (row is not None)], axis=0)
            anew |= (np.abs(steps) > self._limits[slot]).any(axis=0)
        for sensor in self._unfit.sensors_of(source):
            if self._is_short(slot):
                anew[sensor] = True
                continue
            places, values = self._unfit.of(source, sensor)
            kept = (places >= begin) & (places < begin + count - (row is not None))
            places = places[kept] - begin
            self._unfit.add(slot, sensor, places + (places >= split), values[kept])
        if row is not None:
            put_in = slice(at + row, at + row + 1)
            values = doubles(arena.readings[put_in])
            self._choose(np.array([slot]), np.abs(values))
            has_low = self._has_low[slot] if self._keeps_low else None
            whole, low, unfit = _whole(values, self._factors[slot], self._limits[slot], has_low)
            there = ~np.isnan(arena.readings[put_in, self._optional])
            for sums, more in ((arena.sums, whole), (arena.low, low), (arena.present, there)):
                if more is not None:
                    sums[put_in] = sums[at + row - 1] + more
                    sums[at + row + 1 : at + count] += more
            if unfit is not None:
                for sensor in np.flatnonzero(unfit[0]).tolist():
                    self._set_apart(slot, sensor, np.array([row]), values[:, sensor], slice(at, at + count))
        for sensor in np.flatnonzero(anew).tolist():
            self._choose_anew(slot, sensor, slice(at, at + count))

    def totals(self, slots: Int64s, bases: Int64s, starts: Int64s, ends: Int64s) -> Totals:
        """The sum and the number of the readings of windows.

        Args:
            slots: of the column of each window.
            bases: the row of the arena before the column's first one.
            starts: the first row of each window in the arena.
            ends: one past its last row.
        """
        arena = self._arena
        whole = arena.sums[ends - 1] - arena.sums[starts - 1]
        sums: Float64s = whole * self._units[slots]
        low = np.zeros((0, 0), np.int64)
        if self._keeps_low:
            low = np.where(self._has_low[slots], arena.low[ends - 1] - arena.low[starts - 1], 0)
            for window, sensor in np.argwhere(low).tolist():
                sums[window, sensor] = fsum(self._terms(int(slots[window]), window, sensor, whole, low))
        if self._unfit:
            firsts = bases + 1
            for window, sensor, values in self._unfit.within(slots, starts - firsts, ends - firsts):
                terms = self._terms(int(slots[window]), window, sensor, whole, low)
                sums[window, sensor] = fsum([*terms, *values])
        if self._has_wide:
            for sensor in range(sums.shape[1]):
                wide = np.flatnonzero(self._is_wide[slots, sensor])
                sums[wide, sensor] = exact_sums(arena.readings[:, sensor : sensor + 1], starts[wide], ends[wide])[:, 0]
        counts = np.repeat((ends - starts)[:, np.newaxis], sums.shape[1], axis=1)
        counts[:, self._optional] = arena.present[ends - 1] - arena.present[starts - 1]
        return sums, counts

    def _terms(self, slot: int, window: int, sensor: int, whole: Int64s, low: Int64s) -> list[float]:
        """Doubles whose sum is that of the readings that fit."""
        exponent = int(np.frexp(self._units[slot, sensor])[1]) - 1
        terms = [*two_doubles(int(whole[window, sensor]), exponent)]
        if low.size:
            terms += two_doubles(int(low[window, sensor]), exponent - int(self._bits[slot]))
        return terms

    def _choose(self, slots: Int64s, largest: Float64s) -> bool:
        """Choose scales for the columns and sensors that have none, if their largest readings say something."""
        missing = (self._factors[slots] == 0) & (largest > 0) & ~self._is_wide[slots]
        columns, sensors = np.nonzero(missing)
        if not len(columns):
            return False
        bits = self._bits[slots[columns]]
        headroom = 1 + (bits - _SIGNIFICAND_BITS) // _HEADROOM_SHARE
        exponents = np.frexp(largest[columns, sensors])[1] + headroom - bits
        self._units[slots[columns], sensors] = np.ldexp(1.0, exponents)
        self._factors[slots[columns], sensors] = np.ldexp(1.0, -exponents)
        return True

    def _set_apart(self, slot: int, sensor: int, places: Int64s, values: Float64s, column: slice) -> None:
        """Note readings that do not fit the scale of their column, which lies there in the arena."""
        if self._is_short(slot) or not self._unfit.add(slot, sensor, places, values):
            self._choose_anew(slot, sensor, column)

    def _is_short(self, slot: int) -> bool:
        """Whether the column has so little room that its rows cost less than a list of unfit readings."""
        return bool(self._bits[slot] > _SHORT_BITS)

    def _choose_anew(self, slot: int, sensor: int, column: slice) -> None:
        """Choose the scale that fits most readings of a column, or none if too many fit none."""
        self._unfit.clear(slot, sensor)
        values = doubles(self._arena.readings[column, sensor])
        self._scales[slot, sensor] += 1
        if self._scales[slot, sensor] <= _SCALES_MAX and (
            self._fits_anew(slot, sensor, column, values, has_low=False)
            or (not self._is_short(slot) and self._fits_anew(slot, sensor, column, values, has_low=True))
        ):
            return
        self._factors[slot, sensor], self._units[slot, sensor] = 0.0, 1.0
        self._has_low[slot, sensor] = False
        self._is_wide[slot, sensor] = self._has_wide = True

    def _fits_anew(self, slot: int, sensor: int, column: slice, values: Float64s, *, has_low: bool) -> bool:
        """Sum a column at the scale that fits most of its readings, if few are left over; whether they were few."""
        bits = int(self._bits[slot])
        exponent = _best_exponent(values, 2 * bits) + bits if has_low else _best_exponent(values, bits)
        whole, low, unfit = _whole(values, 2.0**-exponent, 2.0**bits, np.array(True) if has_low else None)
        places = np.empty(0, np.int64) if unfit is None else np.flatnonzero(unfit)
        if len(places) > (0 if self._is_short(slot) else MOST // 2):
            return False
        if has_low:
            self._keeps_low = True
            self._arena.keep_low()
        self._has_low[slot, sensor] = has_low
        self._factors[slot, sensor], self._units[slot, sensor] = 2.0**-exponent, 2.0**exponent
        for sums, more in ((self._arena.sums, whole), (self._arena.low, low)):
            if more is not None:
                sums[column.start - 1, sensor] = 0
                np.cumsum(more, out=sums[column, sensor])
        self._unfit.add(slot, sensor, places, values[places])
        return True


def _whole(
    values: Float64s, factors: Any, limits: Any, has_low: Any
) -> tuple[Int64s, Int64s | None, NDArray[np.bool_] | None]:
    """The values as whole numbers, 0 where one does not fit; what is finer than that; which ones do not fit, if any.

    Args:
        values: to be scaled.
        factors: by these.
        limits: of a whole number.
        has_low: where what is finer is a whole number, too; ``None``: nowhere.
    """
    scaled = values * factors
    whole, low = np.rint(scaled), None
    fits = whole == scaled
    if has_low is not None:
        whole = np.where(has_low, np.trunc(scaled), whole)
        finer = np.where(has_low, (scaled - whole) * limits, 0.0)
        low = np.rint(finer)
        fits = np.where(has_low, finer == low, fits)
    fits &= np.abs(whole) <= limits
    if fits.all():
        return whole.astype(np.int64), None if low is None else low.astype(np.int64), None
    whole[~fits] = 0.0
    if low is not None:
        low[~fits] = 0.0
    return whole.astype(np.int64), None if low is None else low.astype(np.int64), ~fits


def _extend(sums: NDArray[Any], values: NDArray[Any], rows: Int64s, parts: tuple[Int64s, Int64s] | None) -> None:
    """Go on with running sums in these rows; they are runs of so many from there on, or, without parts, single ones."""
    if parts is None:
        sums[rows] = sums[rows - 1] + values
        return
    begins, counts = parts
    running = np.cumsum(values, axis=0, dtype=sums.dtype)
    before = sums[rows[begins] - 1] - running[begins] + values[begins]
    sums[rows] = running + np.repeat(before, counts, axis=0)


def _best_exponent(values: Float64s, bits: int) -> int:
    """The scale at which most of the last values are whole numbers of so many bits."""
    values = np.abs(values[values != 0][-_LOOKED_AT:])
    fractions, tops = np.frexp(values)
    significands = np.ldexp(fractions, _SIGNIFICAND_BITS).astype(np.int64)
    bottoms = tops - _SIGNIFICAND_BITS + np.frexp((significands & -significands).astype(np.float64))[1] - 1
    best, fitting = 0, -1
    for top in np.unique(tops).tolist():
        fits = (tops <= top) & (bottoms >= top - bits)
        if (count := int(np.count_nonzero(fits))) > fitting:
            best, fitting = top + int((bottoms[fits].min() - (top - bits)) // _HEADROOM_SHARE) - bits, count
    return best
