"""Settings: one name for each option, and what is wrong is told by it."""

import pytest

from dataflows.settings import RunSettings
from runtime.errors import SettingsError
from runtime.settings import flag_of


@pytest.mark.parametrize(
    "text", ["", "host", ":1", "host:", "host:0", "host:65536", "host:1x", "a:1,", ",a:1", "a:\u0661"]
)
def test_what_is_no_address_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(SettingsError, match="--features must be HOST:PORT"):
        RunSettings.of(features=text)


def test_an_option_has_its_own_name() -> None:
    assert [flag_of(RunSettings, name) for name in ("interval_ms", "batch_windows", "timeout_ms")] == [
        "--interval",
        "--batch-windows",
        "--timeout",
    ]


def test_calls_in_flight_follow_the_kind_of_call_unless_they_are_set() -> None:
    assert [RunSettings.of(rpc=rpc).calls.calls_in_flight for rpc in ("batch", "stream", "unary")] == [3, 3, 8]
    assert RunSettings.of(rpc="unary", in_flight=2).calls.calls_in_flight == 2
