"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.durations import duration_text, parsed_duration_ms
from runtime.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("10h", 36_000_000), ("5m", 300_000), ("250ms", 250), ("7d", 604_800_000), ("1d2h3m4s5ms", 93_784_005), ("0", 0)],
)
def test_a_duration_is_read(text: str, milliseconds: int) -> None:
    assert parsed_duration_ms(text) == milliseconds


@pytest.mark.parametrize("text", ["", "5", "5 m", "1.5h", "-1h", "h", "1m1h", "1H", "5min", "00", "1m\n", "\u0661h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a duration"):
        parsed_duration_ms(text)


@pytest.mark.parametrize("text", ["1000000000000001ms", "9" * 5_000 + "d", "1d1000000000000000ms"])
def test_a_duration_beyond_all_times_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="must be at most 1000000000000000ms"):
        parsed_duration_ms(text)


def test_the_longest_duration_is_read() -> None:
    assert parsed_duration_ms("1000000000000000ms") == 10**15


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(86_400_000, "1d"), (36_000_000, "10h"), (5_400_000, "90m"), (61_000, "61s"), (1_001, "1001ms"), (0, "0")],
)
def test_a_duration_is_written_in_the_largest_unit_that_divides_it(milliseconds: int, text: str) -> None:
    assert duration_text(milliseconds) == text


@given(st.integers(0, 10**12))
def test_a_duration_is_read_as_it_is_written(milliseconds: int) -> None:
    assert parsed_duration_ms(duration_text(milliseconds)) == milliseconds
