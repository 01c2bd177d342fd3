"""The numbers of a window: those of the core, and its refusals in the words of the command line."""

from typing import Any

import pytest

from dataflows.settings.window import WindowSettings
from runtime.errors import SettingsError
from runtime.settings import options_of
from window_core import WindowSpec


def test_the_defaults_are_the_cores() -> None:
    assert WindowSettings().spec == WindowSpec()


def test_each_number_reaches_the_core_by_its_name() -> None:
    numbers = {option.name: number for number, option in enumerate(options_of(WindowSettings), 1_000)}
    assert WindowSettings(**numbers).spec == WindowSpec(**numbers)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"interval_ms": 0}, "--interval must be above 0"),
        ({"max_events": 0}, "--max-events must be above 0"),
        ({"max_events": -1}, "--max-events must not be negative"),
        ({"max_ahead_ms": -1}, "--max-ahead must not be negative"),
        ({"idle_after_ms": 691_200_000}, "--forget-after is 7d, below --idle-after, 8d"),
    ],
)
def test_what_the_core_refuses_is_told_by_its_option(values: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        WindowSettings(**values)
    assert str(refused.value).startswith(says)


def test_no_ticks_and_no_lead_are_numbers_too() -> None:
    spec = WindowSettings(tick_ms=0, max_ahead_ms=0, idle_after_ms=0, forget_after_ms=0).spec
    assert (spec.tick_ms, spec.max_ahead_ms) == (0, 0)
