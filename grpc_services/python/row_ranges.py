"""Many ranges of rows, which may share rows and leave some out, as one run of rows that holds each of them once."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Int64s", "Rows", "reduced", "spread", "united"]

Int64s: TypeAlias = NDArray[np.int64]
Rows: TypeAlias = Int64s | slice
"""Rows by their numbers: an index, or a range of them, which is taken without a copy."""


def united(starts: Int64s, ends: Int64s) -> tuple[Rows, Int64s, Int64s]:
    """The rows that are in one of the ranges at least, in their order, and where each range lies among them.

    Args:
        starts: int64, shape ``(ranges,)``, at least one; range ``i`` holds the rows ``starts[i]`` up to, without,
            ``ends[i]``, at least one.
        ends: int64, shape ``(ranges,)``.
    Returns:
        the rows, and the starts and ends of the ranges in them. No more rows than twice those of all ranges.

    >>> rows, starts, ends = united(np.array([900, 10, 11]), np.array([901, 13, 14]))
    >>> rows.tolist(), starts.tolist(), ends.tolist()
    ([10, 11, 12, 13, 900], [4, 0, 1], [5, 3, 4])
    """
    order = np.argsort(starts, kind="stable")
    firsts, lasts = starts[order], np.maximum.accumulate(ends[order])
    begins = np.flatnonzero(np.append(True, firsts[1:] > lasts[:-1]))  # of each run of rows
    firsts, lasts = firsts[begins], lasts[np.append(begins[1:] - 1, -1)]
    counts = lasts - firsts
    first, last = int(firsts[0]), int(lasts[-1])
    if last - first <= 2 * int(counts.sum()):  # the gaps cost less than a copy without them
        return slice(first, last), starts - first, ends - first
    moved = np.cumsum(counts) - counts - firsts
    of_ranges = moved[np.searchsorted(firsts, starts, "right") - 1]
    return spread(firsts, counts), starts + of_ranges, ends + of_ranges


def reduced(ufunc: np.ufunc, values: NDArray[Any], starts: Int64s, ends: Int64s, **options: Any) -> NDArray[Any]:
    """What ``ufunc.reduce`` makes of ranges of the last axis; each holds one value at least.

    Cost: no more than the values of all ranges and of the axis together, whatever their order.
    """
    order = np.argsort(starts, kind="stable")
    bounds = np.column_stack((starts[order], ends[order])).ravel()
    if (bounds[:-1] == values.shape[-1]).any():
        values = np.append(values, values[..., -1:], axis=-1)  # no index may be one past the last value,
    elif bounds[-1] == values.shape[-1]:
        bounds = bounds[:-1]  # where the last need not be given
    in_order = ufunc.reduceat(values, bounds, axis=-1, **options)[..., ::2]  # the others are of what lies between
    found = np.empty_like(in_order)
    found[..., order] = in_order
    return found


def spread(firsts: Int64s, counts: Int64s) -> Int64s:
    """The numbers of rows that lie in ranges, range after range.

    >>> spread(np.array([7, 30]), np.array([2, 3])).tolist()
    [7, 8, 30, 31, 32]
    """
    before = np.cumsum(counts) - counts
    rows: Int64s = np.arange(int(counts.sum())) + np.repeat(firsts - before, counts)
    return rows
