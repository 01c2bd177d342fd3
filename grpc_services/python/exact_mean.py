"""Sums and means that are the same in every language and in every order of the events, at the speed of numpy.

The rule: the exactly rounded sum of the float32 readings in double (what ``math.fsum`` gives), divided by their number
in double, rounded to float32, a zero as +0.0. An absent reading, a NaN, is left out of both.

How: a reading is a whole number of 24 bits times a power of two. Scaled by a power of two, its whole part goes into an
int64 that so many of them cannot overflow, and what is left of it into the next one, scaled further. Running sums of
these whole numbers make a window one subtraction, however long it is. An int64 becomes the nearest double, and scaling
that back is exact: where all readings fit the first int64, as they do unless they span more than eight decades, that is
the answer. Source: the bins of R. M. Neal, "Fast exact summation using small and large superaccumulators", 2015.
"""

from collections.abc import Sequence
from math import fsum
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.row_ranges import Int64s, reduced, united

__all__ = ["SUM_BITS", "Float64s", "bits_of", "doubles", "exact_sums", "means", "present_counts", "two_doubles"]

Float64s: TypeAlias = NDArray[np.float64]

SUM_BITS: Final = 62
"""No sum of whole numbers reaches two to so many, so that it fits into an int64 whatever its sign."""

_OVERLAP: Final = 32
"""Windows of a row, on average, from which running sums take less time than to add up each window by itself."""

_MAGNITUDE: Final = np.uint32(0x7FFF_FFFF)
_INFINITY: Final = np.uint32(0x7F80_0000)
_ONE: Final = np.uint32(1)
_FRACTION_BITS: Final = 23


def means(sums: Float64s, counts: Int64s) -> NDArray[np.float32]:
    """The means of sums of so many readings, one at least; finite, because no mean is above the largest reading."""
    rounded: NDArray[np.float32] = (sums / counts).astype(np.float32)
    return rounded + np.float32(0)  # -0.0 + 0.0 is +0.0


def exact_sums(readings: NDArray[np.float32], starts: Int64s, ends: Int64s) -> Float64s:
    """The exactly rounded sum of each window and sensor.

    Args:
        readings: float32, shape ``(rows, sensors)``, finite or NaN within the windows.
        starts: int64, shape ``(windows,)``; window ``i`` holds the rows ``starts[i]`` up to, without, ``ends[i]``, at
            least one.
        ends: int64, shape ``(windows,)``.
    Returns:
        float64, shape ``(windows, sensors)``; a zero may have either sign.

    >>> exact_sums(np.array([[3e38], [3e38], [1e-30], [-3e38]], np.float32), np.array([1]), np.array([4])).tolist()
    [[1.0000000031710769e-30]]
    """
    width = readings.shape[1]
    if not len(starts):
        return np.empty((0, width))
    rows, starts, ends = united(starts, ends)
    columns = np.ascontiguousarray(readings[rows].T)  # sensor by sensor: numpy goes along the rows
    counts_bits = int(bits_of((ends - starts).max()))
    if (ends - starts).sum() < _OVERLAP * columns.shape[1] and _adds_exactly(columns, counts_bits):
        return reduced(np.add, columns, starts, ends, dtype=np.float64).T
    left = doubles(columns)
    bits = SUM_BITS - counts_bits
    exponents = np.frexp(np.maximum(left.max(axis=1), -left.min(axis=1)))[1] - bits
    terms: list[tuple[Int64s, NDArray[Any]]] = []
    has_more = True
    while has_more:
        left *= np.ldexp(1.0, -exponents)[:, np.newaxis]
        whole = left.astype(np.int64)  # towards zero
        has_more = not np.array_equal(left, whole)
        if has_more:
            left -= whole
            left *= np.ldexp(1.0, exponents)[:, np.newaxis]
        running = np.zeros((width, whole.shape[1] + 1), np.int64)
        np.cumsum(whole, axis=1, out=running[:, 1:])
        of_windows = (running[:, ends] - running[:, starts]).T
        terms.append((of_windows, exponents))
        exponents = exponents - bits
    sums: Float64s = np.ldexp(terms[0][0].astype(np.float64), terms[0][1])
    if len(terms) > 1:
        _finish(sums, terms)
    return sums


def _adds_exactly(columns: NDArray[np.float32], counts_bits: int) -> bool:
    """Whether so many of these readings, shape ``(sensors, rows)``, add up in double without rounding, in any order.

    Each is a whole number times the last bit of the smallest that is not zero, and a double has 53 bits: 24 for the
    smallest, one for each power of two up to the largest, and those that ``2**counts_bits`` of them can add.
    """
    magnitudes = columns.view(np.uint32) & _MAGNITUDE  # as whole numbers they have the order of the readings
    largest = magnitudes.max(axis=1)
    smallest = (magnitudes - _ONE).min(axis=1) + _ONE  # a zero becomes the largest of all
    exponents = np.maximum(np.minimum(smallest, largest) >> _FRACTION_BITS, 1).astype(np.int64)
    spans = (largest >> _FRACTION_BITS).astype(np.int64) - exponents
    return bool((largest < _INFINITY).all() and (spans <= 53 - 24 - counts_bits).all())


def doubles(readings: NDArray[np.float32]) -> Float64s:
    """The readings in double; 0 where one is absent, or wrong, or where there is none but whatever memory held."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        values = readings.astype(np.float64)
    if not (is_finite := np.isfinite(values)).all():
        values[~is_finite] = 0.0
    return values


def _finish(sums: Float64s, terms: Sequence[tuple[Int64s, NDArray[Any]]]) -> None:
    """Round the sums anew that have more than their first term."""
    has_more = np.any([of_windows != 0 for of_windows, _ in terms[1:]], axis=0)
    for window, sensor in np.argwhere(has_more).tolist():
        parts: list[float] = []
        for of_windows, exponents in terms:
            parts += two_doubles(int(of_windows[window, sensor]), int(exponents[sensor]))
        sums[window, sensor] = fsum(parts)


def two_doubles(whole: int, exponent: int) -> tuple[float, float]:
    """Two doubles whose sum is ``whole * 2**exponent`` exactly; ``whole`` is an int64."""
    high = whole >> 32
    return float(high) * 2.0 ** (exponent + 32), float(whole - (high << 32)) * 2.0**exponent


def present_counts(readings: NDArray[np.float32], starts: Int64s, ends: Int64s, optional: Sequence[bool]) -> Int64s:
    """How many readings of each window and sensor are there, shape ``(windows, sensors)``; arguments as above."""
    counts = np.repeat((ends - starts)[:, np.newaxis], len(optional), axis=1)
    if any(optional) and len(starts):
        rows, starts, ends = united(starts, ends)
        sensors = np.flatnonzero(optional)
        there = ~np.isnan(readings[rows][:, sensors])
        running = np.zeros((len(there) + 1, len(sensors)), np.int64)
        np.cumsum(there, axis=0, out=running[1:])
        counts[:, sensors] = running[ends] - running[starts]
    return counts


def bits_of(counts: Any) -> Any:
    """The least integer ``c`` with ``2**c >= n``, for each count ``n``, which is 1 at least."""
    return np.frexp(np.asarray(counts) - 1.0)[1].astype(np.int64)  # of an integer, frexp gives the number of its bits
