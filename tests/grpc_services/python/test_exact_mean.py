import math
import random
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_services.python.exact_mean import exact_sums, means, present_counts

FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
SCALED = st.builds(
    lambda fraction, exponent, sign: sign * math.ldexp(fraction, exponent),
    st.integers(2**23, 2**24 - 1),
    st.integers(-22 - 24, 22 - 24),  # 44 binary orders: 13 decades
    st.sampled_from([1.0, -1.0]),
)
READINGS = st.one_of(
    FLOAT32, SCALED, SCALED, st.sampled_from([0.0, -0.0, 2.0**-149, -(2.0**-149), 2.0**-126, 3.4028234663852886e38])
)


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def oracle_mean(readings):
    """The same rule by rational numbers: one rounding for the sum, one for the quotient, one to float32."""
    total = sum(map(Fraction, readings), Fraction(0))
    return float32(float(total) / len(readings)) + 0.0


def columns(windows):
    values = np.array([reading for window in windows for reading in window], np.float32)
    ends = np.cumsum([*map(len, windows)], dtype=np.int64)
    return values[:, np.newaxis], ends - [*map(len, windows)], ends


def exact_means(values, starts, ends):
    return means(exact_sums(values, starts, ends), present_counts(values, starts, ends, (True,)))[:, 0]


@given(st.lists(st.lists(READINGS, min_size=1, max_size=40), min_size=1, max_size=6))
def test_a_mean_is_that_of_rational_numbers(windows):
    means = exact_means(*columns(windows))
    assert means.dtype == np.float32
    assert means.tobytes() == np.array([oracle_mean(window) for window in windows], np.float32).tobytes()


@given(st.lists(SCALED, min_size=2, max_size=300), st.randoms(use_true_random=False))
def test_no_order_of_the_readings_changes_a_mean(readings, order):
    shuffled = list(readings)
    order.shuffle(shuffled)
    first, second = exact_means(*columns([readings, shuffled]))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("scale", [1.0, 2.0**-149, 2.0**60])
@pytest.mark.parametrize("count", [3, 4, 8, 13, 16, 64])
def test_sums_are_exact_on_both_sides_of_both_limits(count, scale):
    # Large readings that cancel each other, so that a bit that was lost on the way shows in what is left.
    draws = random.Random(f"{count} {scale}")
    small = float(2**24 - 1) * scale
    windows = []
    for spread in range(18, 44):
        large = small * 2.0**spread
        for _ in range(50):
            pairs = draws.randint(1, max(1, (count - 1) // 2))
            window = [large] * pairs + [-large] * pairs
            window += [draws.choice([large, small, -small, small - scale]) for _ in range(max(1, count - 2 * pairs))]
            draws.shuffle(window)
            windows.append(window)
        for minus in range(1, count // 2):  # the large ones first: the most that the sum can reach before it falls
            windows.append([-large] + [large] * (count - minus - 2) + [small] + [-large] * minus)
            windows.append([large] * (count - minus - 1) + [small] + [-large] * minus)
    expected = [math.fsum(window) for window in windows]
    for window, total in zip(windows, expected, strict=True):
        assert exact_sums(*columns([window])).tolist() == [[total]]
    assert exact_sums(*columns(windows))[:, 0].tolist() == expected


@pytest.mark.parametrize("negligible", [0.0, -0.0])
def test_a_mean_of_zero_is_positive_zero(negligible):
    assert exact_means(*columns([[-0.0], [negligible, -0.0], [-(2.0**-149)] * 2 + [0.0] * 7])).tobytes() == bytes(12)


def test_one_window_with_a_wide_spread_leaves_the_others_as_they_are():
    wide = [1e30, 1e-30, -1e30]
    windows = [[0.1, 0.2], wide, [0.0, 0.0], [5.0]]
    assert exact_means(*columns(windows)).tolist() == [oracle_mean(map_to_float32(w)) for w in windows]


def map_to_float32(window):
    return [float32(reading) for reading in window]


def test_the_largest_readings_do_not_overflow():
    largest = float(np.finfo(np.float32).max)
    assert exact_means(*columns([[largest] * 1000])).tolist() == [largest]


def test_no_windows_have_no_means():
    none = np.empty(0, np.int64)
    assert exact_means(np.empty((0, 1), np.float32), none, none).shape == (0,)


@given(
    windows=st.lists(
        st.lists(st.lists(READINGS | st.just(math.nan), min_size=3, max_size=3), min_size=1, max_size=9),
        min_size=1,
        max_size=5,
    ),
    gap=st.sampled_from([0, 1, 100]),
)
def test_readings_that_are_absent_are_left_out_and_rows_of_no_window_do_not_matter(windows, gap):
    rows, starts = [[math.inf] * 3], []
    for window in windows:
        rows += [[3e38, math.nan, -math.inf]] * gap
        starts.append(len(rows))
        rows += window
    order = np.random.default_rng(1).permutation(len(windows))
    starts = np.array(starts)[order]
    ends = starts + np.array([*map(len, windows)])[order]
    readings = np.array(rows, np.float32)
    sums = exact_sums(readings, starts, ends)
    counts = present_counts(readings, starts, ends, (True, True, True))
    for row, window in enumerate(order.tolist()):
        for sensor in range(3):
            there = [reading[sensor] for reading in windows[window] if not math.isnan(reading[sensor])]
            assert counts[row, sensor] == len(there)
            assert sums[row, sensor] == math.fsum(there)
