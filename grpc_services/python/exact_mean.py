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

from grpc_services.python.windows import Float32s, Int64s

__all__ = ["exact_means", "exact_sums"]

_MAGNITUDE: Final = np.uint32(0x7FFF_FFFF)  # all bits but the sign: as integers they have the order of the magnitudes
_ONE: Final = np.uint32(1)
_FRACTION_BITS: Final = 23
_SPARE_BITS: Final = 53 - 24  # of the significand of a double, beside that of a float32


def exact_means(values: Float32s, offsets: Int64s) -> Float32s:
    """The mean of each window of one column.

    Args:
        values: float32, shape ``(rows,)``, finite.
        offsets: int64, shape ``(windows + 1,)``; window ``i`` holds the rows ``offsets[i]`` up to ``offsets[i + 1]``,
            at least one.
    Returns:
        float32, shape ``(windows,)``; finite, because a mean is never above the largest reading.

    >>> exact_means(np.array([3e38, 3e38, 1e-30, -3e38, 0.25], np.float32), np.array([0, 2, 5]))
    array([ 3.e+38, -1.e+38], dtype=float32)
    """
    means: Float32s = (exact_sums(values, offsets) / np.diff(offsets)).astype(np.float32)
    return means + np.float32(0)  # -0.0 + 0.0 is +0.0


def exact_sums(values: Float32s, offsets: Int64s) -> NDArray[np.float64]:
    """The exactly rounded sum of each window; arguments as above. Zeros keep the sign that addition gave them."""
    starts = offsets[:-1]
    counts = np.diff(offsets)
    if not len(counts):
        return np.empty(0)
    sums: NDArray[np.float64] = np.add.reduceat(values, starts, dtype=np.float64)
    magnitudes = values.view(np.uint32) & _MAGNITUDE
    smallest = magnitudes.min(keepdims=True)
    if smallest[0] and _spread(magnitudes.max(keepdims=True), smallest)[0] <= _spread_limits(counts.max()):
        return sums  # the whole column would add exactly, as most do
    magnitudes -= _ONE  # a zero becomes the largest of all, and the smallest of a window is found beside its zeros
    smallest = np.minimum.reduceat(magnitudes, starts) + _ONE
    magnitudes += _ONE
    spreads = _spread(np.maximum.reduceat(magnitudes, starts), smallest)
    for window in np.flatnonzero(spreads > _spread_limits(counts)):
        start, end = offsets[window : window + 2]
        sums[window] = fsum(values[start:end].tolist())
    return sums


def _spread(largest: NDArray[np.uint32], smallest: NDArray[np.uint32]) -> Int64s:
    """How far the exponents of two magnitudes lie apart; those of subnormals are one, and of zeros the same."""
    high = np.maximum(largest >> _FRACTION_BITS, 1).astype(np.int64)
    low = np.maximum(smallest >> _FRACTION_BITS, 1).astype(np.int64)
    return high - low


def _spread_limits(counts: Int64s) -> NDArray[np.int64]:
    """The largest spread at which ``counts`` readings add exactly in any order."""
    bits: Int64s = np.frexp(counts - 1.0)[1].astype(np.int64)  # of an integer, frexp gives the number of its bits
    return _SPARE_BITS - bits
