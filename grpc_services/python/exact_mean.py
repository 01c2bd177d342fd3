"""Means that are the same in every language and in every order of the events, at the speed of numpy.

The rule: the exactly rounded sum of the float32 readings in double (what ``math.fsum`` gives), divided by their number
in double, rounded to float32, a zero as +0.0.

Why sums of integers may stand in for it: let a window hold ``n`` readings, ``c`` be the least integer with
``2**c >= n``, and ``low`` and ``high`` be the biased exponents of the smallest and the largest magnitude that are not
zero (1 for a subnormal). Every reading is a multiple of ``u = 2**(low - 150)``, of less than ``2**(high - low + 24)``
times ``u``, so if ``high - low <= 39 - c`` the sum of a window is less than ``2**63`` times ``u``, and is exact as an
int64 of these units; its conversion to a double rounds once. It is the difference of two running sums over the whole
column, which are made once however many windows share a reading: they may run over, differences of int64 do not mind.

Where one window of a column is too wide for that, plain addition in double stands in for the others: by the same
reasoning it is exact in any order if ``high - low <= 29 - c``. What fails that too is summed by ``fsum``.
"""

from math import fsum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from grpc_services.python.windows import Float32s, Int64s, reduced

__all__ = ["exact_means", "exact_sums"]

_MAGNITUDE: Final = np.uint32(0x7FFF_FFFF)  # all bits but the sign: as integers they have the order of the magnitudes
_ONE: Final = np.uint32(1)
_FRACTION_BITS: Final = 23
_UNIT: Final = 150  # the unit of readings whose biased exponent is ``low``, at the least, is ``2**(low - 150)``
_SPARE_BITS_INT64: Final = 63 - 24  # of an int64, beside the significand of a float32
_SPARE_BITS_DOUBLE: Final = 53 - 24  # of the significand of a double


def exact_means(values: Float32s, starts: Int64s, ends: Int64s) -> Float32s:
    """The mean of each window of one column.

    Args:
        values: float32, shape ``(rows,)``, finite within the windows.
        starts: int64, shape ``(windows,)``; window ``i`` holds the rows ``starts[i]`` up to, without, ``ends[i]``, at
            least one.
        ends: int64, shape ``(windows,)``.
    Returns:
        float32, shape ``(windows,)``; finite, because a mean is never above the largest reading.

    >>> exact_means(np.array([3e38, 3e38, 1e-30, -3e38, 0.25], np.float32), np.array([0, 2]), np.array([2, 5]))
    array([ 3.e+38, -1.e+38], dtype=float32)
    """
    means: Float32s = (exact_sums(values, starts, ends) / (ends - starts)).astype(np.float32)
    return means + np.float32(0)  # -0.0 + 0.0 is +0.0


def exact_sums(values: Float32s, starts: Int64s, ends: Int64s) -> NDArray[np.float64]:
    """The exactly rounded sum of each window; arguments as above. A zero may have either sign."""
    counts = ends - starts
    if not len(counts):
        return np.empty(0)
    magnitudes = values.view(np.uint32) & _MAGNITUDE
    largest = magnitudes.max(keepdims=True)
    magnitudes -= _ONE  # a zero becomes the largest of all, and the smallest is found beside it
    smallest = magnitudes.min(keepdims=True) + _ONE
    if _exponent(largest)[0] - _exponent(smallest)[0] <= _SPARE_BITS_INT64 - _bits(counts.max()):
        return _sums_of_units(values, starts, ends, int(_exponent(smallest)[0]) - _UNIT)
    smallest = reduced(np.minimum, magnitudes, starts, ends) + _ONE
    largest = reduced(np.maximum, magnitudes + _ONE, starts, ends)
    sums = reduced(np.add, values, starts, ends, dtype=np.float64)
    is_wide = _exponent(largest) - _exponent(smallest) > _SPARE_BITS_DOUBLE - _bits(counts)
    for window in np.flatnonzero(is_wide):
        sums[window] = fsum(values[starts[window] : ends[window]].tolist())
    return sums


def _sums_of_units(values: Float32s, starts: Int64s, ends: Int64s, exponent: int) -> NDArray[np.float64]:
    """The sums of readings that are multiples of ``2**exponent``."""
    units = np.multiply(values, 2.0**-exponent, dtype=np.float64).astype(np.int64)
    running = np.zeros(len(values) + 1, np.int64)
    np.cumsum(units, out=running[1:])
    return (running[ends] - running[starts]) * 2.0**exponent


def _exponent(magnitudes: NDArray[np.uint32]) -> Int64s:
    """Biased exponents of magnitudes; those of subnormals, and of zeros, are 1."""
    return np.maximum(magnitudes >> _FRACTION_BITS, 1).astype(np.int64)


def _bits(counts: Int64s) -> Int64s:
    """The least integer ``c`` with ``2**c >= n``, for each ``n``."""
    bits: Int64s = np.frexp(counts - 1.0)[1].astype(np.int64)  # of an integer, frexp gives the number of its bits
    return bits
