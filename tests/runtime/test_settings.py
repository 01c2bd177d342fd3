"""A setting is declared once: its option, its value in a group, and the command line that gives it come from there."""

from dataclasses import dataclass
from typing import Any

import pytest

from runtime.errors import SettingsError
from runtime.settings import (
    arguments_of,
    changed,
    composed,
    flag_of,
    group,
    options_of,
    setting,
    values_of,
)


@dataclass(frozen=True, slots=True)
class Pump:
    wait_ms: int = setting(5_000, "How long.", flag="--wait", kind="duration")
    max_starts: int | None = setting(None, "How often.", kind="integer")

    def __post_init__(self) -> None:
        if self.wait_ms < 1:
            raise SettingsError("--wait must be above 0")


@dataclass(frozen=True, slots=True)
class Plant:
    name: str = setting("plant", "Its name.", shows="NAME")
    quiet: bool = setting(False, "Print nothing.", kind="switch")
    owners: tuple[str, ...] = setting((), "Whose it is.", kind="names")
    pump: Pump = group(Pump, "Pump")


def test_options_stand_in_the_order_of_the_fields_each_under_the_heading_of_its_group() -> None:
    assert [(option.flag, option.heading) for option in options_of(Plant)] == [
        ("--name", None),
        ("--quiet", None),
        ("--owners", None),
        ("--wait", "Pump"),
        ("--max-starts", "Pump"),
    ]


def test_an_option_holds_what_was_declared_of_it() -> None:
    option = list(options_of(Plant))[3]
    assert (option.name, option.kind, option.default, option.text) == ("wait_ms", "duration", 5_000, "How long.")
    assert next(options_of(Plant)).shows == "NAME"


def test_a_field_that_is_no_setting_has_no_option() -> None:
    @dataclass
    class Mixed:
        secret: str = "kept"
        shown: int = setting(1, "Shown.", kind="integer")

    assert [option.name for option in options_of(Mixed)] == ["shown"]


def test_the_option_of_a_field_is_found_in_any_group() -> None:
    assert flag_of(Plant, "wait_ms") == "--wait"
    assert flag_of(Plant, "max_starts") == "--max-starts"
    with pytest.raises(KeyError, match="wait"):
        flag_of(Plant, "wait")


def test_values_go_to_the_group_that_has_their_field_and_the_rest_has_its_default() -> None:
    plant = composed(Plant, {"quiet": True, "max_starts": 3})
    assert plant == Plant(quiet=True, pump=Pump(max_starts=3))
    assert values_of(plant) == {"name": "plant", "quiet": True, "owners": (), "wait_ms": 5_000, "max_starts": 3}


def test_a_value_of_no_field_is_an_error_that_names_it() -> None:
    with pytest.raises(TypeError, match=r"^Plant has no colour, pump$"):
        composed(Plant, {"colour": "red", "name": "a", "pump": Pump()})


def test_a_group_checks_its_values() -> None:
    with pytest.raises(SettingsError, match=r"^--wait must be above 0$"):
        composed(Plant, {"wait_ms": 0})


def test_changed_settings_keep_the_values_of_all_other_fields() -> None:
    plant = composed(Plant, {"name": "a", "max_starts": 3})
    assert changed(plant, wait_ms=1) == composed(Plant, {"name": "a", "max_starts": 3, "wait_ms": 1})
    assert plant.pump.wait_ms == 5_000


@pytest.mark.parametrize(
    ("values", "arguments"),
    [
        ({}, []),
        ({"name": "plant", "wait_ms": 5_000}, []),
        ({"name": "my plant"}, ["--name=my plant"]),
        ({"quiet": True}, ["--quiet"]),
        ({"owners": ("a", "b")}, ["--owners=a,b"]),
        ({"wait_ms": 60_000, "max_starts": 0}, ["--wait=1m", "--max-starts=0"]),
    ],
)
def test_the_command_line_gives_each_value_that_is_not_the_default(
    values: dict[str, Any], arguments: list[str]
) -> None:
    assert list(arguments_of(composed(Plant, values))) == arguments
