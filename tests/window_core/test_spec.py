from dataclasses import FrozenInstanceError, fields

import pytest

from window_core import WindowSpec

NAMES = [field.name for field in fields(WindowSpec)]


def test_the_defaults_are_those_of_the_design() -> None:
    assert WindowSpec() == WindowSpec(36_000_000, 300_000, 36_000_000, 604_800_000, 300_000, 100_000)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [-1, -(10**30)])
def test_no_number_is_negative(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"^{name} must not be negative, not {value}$"):
        WindowSpec(**{name: value})


@pytest.mark.parametrize("name", ["interval_ms", "max_events"])
def test_interval_and_max_events_are_above_0(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be above 0, not 0$"):
        WindowSpec(**{name: 0})
    WindowSpec(**{name: 1})


def test_the_others_may_be_0() -> None:
    WindowSpec(tick_ms=0, idle_after_ms=0, forget_after_ms=0, max_ahead_ms=0)


def test_a_device_is_not_forgotten_before_it_is_idle() -> None:
    WindowSpec(idle_after_ms=10, forget_after_ms=10)
    with pytest.raises(ValueError, match=r"^forget_after_ms .*\b9\b.* idle_after_ms\b.*\b10\b"):
        WindowSpec(idle_after_ms=10, forget_after_ms=9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [1.0, "1", None, True, float("nan")])
def test_every_number_is_an_integer(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be an integer, not "):
        WindowSpec(**{name: value})


def test_a_spec_is_frozen_and_compared_by_value() -> None:
    spec = WindowSpec(interval_ms=5)
    with pytest.raises(FrozenInstanceError):
        spec.interval_ms = 6
    assert spec == WindowSpec(interval_ms=5)
    assert hash(spec) == hash(WindowSpec(interval_ms=5))
