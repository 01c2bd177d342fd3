"""Means that are the same in every language and in every order of the events, at the speed of numpy.

The rule: the exactly rounded sum of the float32 readings in double (what ``math.fsum`` gives), divided by their number
in double, rounded to float32, a zero as +0.0.

Why plain addition may stand in for it: let the window hold ``n`` readings, ``c`` be the least integer with
``2**c >= n``, and ``low`` and ``high`` be the biased exponents of the smallest and the largest magnitude that are not
zero (1 for a subnormal). Every reading is a multiple of ``2**(low - 150)``, and so is every sum of some of them; none
of these sums reaches ``2**(high - 126 + c)``. A double holds every multiple of ``u`` up to ``2**53 * u``, so if
``high - low <= 29 - c`` all of them are exact, whatever the order. Windows that fail this test are summed by ``fsum``.
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
_SPARE_BITS: Final = 53 - 24  # of the significand of a double, beside that of a float32


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
    sums: NDArray[np.float64] = reduced(np.add, values, starts, ends, dtype=np.float64)
    magnitudes = values.view(np.uint32) & _MAGNITUDE
    largest = magnitudes.max(keepdims=True)
    smallest = magnitudes.min(keepdims=True)
    if not smallest[0]:
        smallest = (magnitudes - _ONE).min(keepdims=True) + _ONE  # a zero becomes the largest of all
    if _exponents(largest)[0] - _exponents(smallest)[0] <= _SPARE_BITS - _bits(counts.max()):
        return sums  # the whole column would add exactly, as most do
    smallest = reduced(np.minimum, magnitudes - _ONE, starts, ends) + _ONE
    largest = reduced(np.maximum, magnitudes, starts, ends)
    for window in np.flatnonzero(_exponents(largest) - _exponents(smallest) > _SPARE_BITS - _bits(counts)):
        sums[window] = fsum(values[starts[window] : ends[window]].tolist())
    return sums


def _exponents(magnitudes: NDArray[np.uint32]) -> Int64s:
    """Biased exponents of magnitudes; those of subnormals, and of zeros, are 1."""
    return np.maximum(magnitudes >> _FRACTION_BITS, 1).astype(np.int64)


def _bits(counts: Int64s) -> Int64s:
    """The least integer ``c`` with ``2**c >= n``, for each ``n``."""
    bits: Int64s = np.frexp(counts - 1.0)[1].astype(np.int64)  # of an integer, frexp gives the number of its bits
    return bits
