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
    sums = np.add.reduceat(values.astype(np.float64), starts)
    magnitudes = values.view(np.uint32) & _MAGNITUDE
    below = magnitudes - _ONE  # a zero becomes the largest of all, so the smallest is found beside zeros
    if _spread(magnitudes.max(keepdims=True), below.min(keepdims=True))[0] <= _spread_limits(counts.max()):
        return sums
    spreads = _spread(np.maximum.reduceat(magnitudes, starts), np.minimum.reduceat(below, starts))
    for window in np.flatnonzero(spreads > _spread_limits(counts)):
        start = offsets[window]
        sums[window] = fsum(values[start : offsets[window + 1]].tolist())
    return sums


def _spread(largest: NDArray[np.uint32], smallest_below: NDArray[np.uint32]) -> NDArray[np.int64]:
    """How far the exponents lie apart; of a window of zeros 0. The second argument is one less than the smallest."""
    high = largest >> _FRACTION_BITS
    low = (smallest_below + _ONE) >> _FRACTION_BITS
    spread: Int64s = np.maximum(high, 1).astype(np.int64) - np.maximum(low, 1)
    return spread


def _spread_limits(counts: Int64s) -> NDArray[np.int64]:
    """The largest spread at which ``counts`` readings add exactly in any order."""
    bits: Int64s = np.frexp(counts - 1.0)[1].astype(np.int64)  # of an integer, frexp gives the number of its bits
    return _SPARE_BITS - bits
