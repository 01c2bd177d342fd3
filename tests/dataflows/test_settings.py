"""Settings: durations as people write them, addresses, and one name for each option."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.settings import RunSettings, SettingsError, duration_text, flag_of, parsed_addresses, parsed_duration_ms


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("10h", 36_000_000), ("5m", 300_000), ("250ms", 250), ("7d", 604_800_000), ("1d2h3m4s5ms", 93_784_005), ("0", 0)],
)
def test_a_duration_is_read(text: str, milliseconds: int) -> None:
    assert parsed_duration_ms(text) == milliseconds


@pytest.mark.parametrize("text", ["", "5", "5 m", "1.5h", "-1h", "h", "1m1h", "1H", "5min", "00", "1m\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a duration"):
        parsed_duration_ms(text)


@given(st.integers(0, 10**12))
def test_a_duration_is_read_as_it_is_written(milliseconds: int) -> None:
    assert parsed_duration_ms(duration_text(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    "text", ["", "host", ":1", "host:", "host:0", "host:65536", "host:1x", "a:1,", ",a:1", "a:\u0661"]
)
def test_what_is_no_address_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(SettingsError, match="--features must be HOST:PORT"):
        RunSettings(features=text)


def test_several_addresses_are_read() -> None:
    assert parsed_addresses("a:1, b.c:65535", "--features") == [("a", 1), ("b.c", 65_535)]


def test_an_option_has_its_own_name() -> None:
    assert [flag_of(name) for name in ("interval_ms", "batch_windows", "timeout_ms")] == [
        "--interval",
        "--batch-windows",
        "--timeout",
    ]


def test_calls_in_flight_follow_the_kind_of_call_unless_they_are_set() -> None:
    assert [RunSettings(rpc=rpc).calls_in_flight for rpc in ("batch", "stream", "unary")] == [3, 3, 8]
    assert RunSettings(rpc="unary", in_flight=2).calls_in_flight == 2
