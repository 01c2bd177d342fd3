"""Settings become options of a command: their types, their variables, their help."""

from dataclasses import dataclass
from typing import Any

import click
import pytest
from click.testing import CliRunner

from runtime.options import GroupedCommand, settings_options
from runtime.settings import arguments_of, composed, group, setting, taken


@dataclass(frozen=True, slots=True)
class Pump:
    wait_ms: int = setting(90_000, "How long.", flag="--max-wait", kind="duration")
    mode: str = setting("slow", "How.", kind="choice", choices=("slow", "fast"))


@dataclass(frozen=True, slots=True)
class Plant:
    name: str | None = setting(None, "Its name.", shows="NAME")
    share: float = setting(0.5, "How much.", kind="share")
    owners: tuple[str, ...] = setting(("a", "b"), "Whose it is.", kind="names")
    quiet: bool = setting(False, "Print nothing.", kind="switch")
    pump: Pump = group(Pump, "Pump")


SEEN: list[dict[str, Any]] = []


@click.command(cls=GroupedCommand)
@settings_options(Plant, "PLANT_")
def command(**options: Any) -> None:
    SEEN.append(options)


def values(*arguments: str, **variables: str) -> dict[str, Any]:
    """What the command is called with."""
    SEEN.clear()
    result = CliRunner().invoke(command, arguments, env=variables, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    [options] = SEEN
    return options


def error(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    return result.output.splitlines()[-1]


def help_of(one: click.Command) -> list[str]:
    return CliRunner().invoke(one, ["--help"], terminal_width=100).output.splitlines()


def test_an_option_that_is_not_given_has_its_default() -> None:
    assert values() == {
        "name": None, "share": 0.5, "owners": ("a", "b"), "quiet": False, "wait_ms": 90_000, "mode": "slow",
    }  # fmt: skip


def test_an_option_is_read_as_its_kind() -> None:
    given = values("--name=7", "--share=1", "--owners=c, d", "--quiet", "--max-wait=1h30m", "--mode=fast")
    assert given == {
        "name": "7", "share": 1.0, "owners": ("c", "d"), "quiet": True, "wait_ms": 5_400_000, "mode": "fast",
    }  # fmt: skip


def test_the_variable_of_an_option_is_its_name_behind_the_prefix_and_the_command_line_takes_precedence() -> None:
    variables = {"PLANT_MAX_WAIT": "5s", "PLANT_QUIET": "true", "PLANT_NAME": "a"}
    given = values("--name=b", **variables)
    assert (given["wait_ms"], given["quiet"], given["name"]) == (5_000, True, "b")


def test_the_command_line_of_settings_gives_the_same_settings_again() -> None:
    plant = composed(Plant, {"name": "a=b", "share": 0.25, "owners": ("c",), "quiet": True, "wait_ms": 1_001})
    assert composed(Plant, values(*arguments_of(plant))) == plant


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("--max-wait=soon", "'soon' is not a duration"),
        ("--share=1.1", "1.1 is not in the range"),
        ("--mode=idle", "'idle' is not one of"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_option(argument: str, says: str) -> None:
    line = error(argument)
    assert argument.partition("=")[0] in line
    assert says in line


def test_the_help_has_a_heading_for_each_group_and_the_rest_stands_under_options() -> None:
    lines = help_of(command)
    headings = [number for number, line in enumerate(lines) if line in ("Pump:", "Options:")]
    assert [lines[number] for number in headings] == ["Options:", "Pump:"]
    assert [line.split()[0] for line in lines[headings[1] + 1 :]] == ["--max-wait", "--mode"]


def test_the_help_shows_a_default_as_it_is_written_and_none_of_a_switch() -> None:
    [wait] = [line for line in help_of(command) if "--max-wait" in line]
    [quiet] = [line for line in help_of(command) if "--quiet" in line]
    [name] = [line for line in help_of(command) if "--name" in line]
    assert "--max-wait DURATION" in wait
    assert "[default: 90s]" in wait
    assert "default" not in quiet
    assert "--name NAME" in name


def test_a_field_that_is_left_out_has_no_option() -> None:
    bare = click.command(settings_options(Plant, "PLANT_", leaving_out=("quiet", "wait_ms"))(lambda **_: None))
    assert {parameter.name for parameter in bare.params} & set(values()) == {"name", "share", "owners", "mode"}


def test_settings_of_a_command_alone_come_first_and_are_taken_out_of_the_rest() -> None:
    @click.command(cls=GroupedCommand)
    @settings_options(Plant, "PLANT_", own=Pump, leaving_out=("wait_ms", "mode"))
    def both(**options: Any) -> None:
        SEEN.append(options)

    SEEN.clear()
    CliRunner().invoke(both, ["--mode", "fast", "--name", "n"], catch_exceptions=False)
    [options] = SEEN
    assert taken(Pump, options) == Pump(mode="fast")
    assert composed(Plant, options) == Plant(name="n")
    assert [option.opts[0] for option in both.params][:3] == ["--config", "--max-wait", "--mode"]
