"""How settings become options: made from the fields that hold them."""

from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, TypeVar

import click

from dataflows.settings import (
    CHANNEL_SETTINGS,
    VARIABLE_PREFIX,
    RunSettings,
    SettingsError,
    duration_text,
    flag_of,
    parsed_duration_ms,
)

__all__ = ["DURATION", "channel_options", "run_options", "say"]

Command = TypeVar("Command", bound=Callable[..., Any])


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic in its types only
    """``10h``, ``5m``, ``30s``, ``250ms``; as a value, ms."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parsed_duration_ms(value)
        except SettingsError as error:
            self.fail(str(error), param, ctx)


DURATION = _Duration()


def say(line: str) -> None:
    """A line for the user, beside the output."""
    click.echo(line, err=True)


def run_options(command: Command) -> Command:
    """Give a command every option of a run, in the order of the settings."""
    for entry in reversed(fields(RunSettings)):
        command = _option(entry, VARIABLE_PREFIX)(command)
    return command


def channel_options(command: Command) -> Command:
    """Give a command the options of a run that are about the channels to the services."""
    for entry in reversed(fields(RunSettings)):
        if entry.name in CHANNEL_SETTINGS:
            command = _option(entry, "LATECOMER_ASK_")(command)
    return command


def _option(entry: "Field[Any]", prefix: str) -> Callable[[Command], Command]:
    data = entry.metadata
    kind = data["kind"]
    is_switch = kind == "switch"
    default: Any = entry.default
    if kind == "duration" and default is not None:
        default = duration_text(default)
    return click.option(
        flag_of(entry.name),
        entry.name,
        envvar=prefix + flag_of(entry.name).removeprefix("--").replace("-", "_").upper(),
        type={"integer": click.INT, "duration": DURATION, "switch": click.BOOL, "text": click.STRING}.get(kind)
        or click.Choice(data["choices"]),
        is_flag=is_switch,
        default=default,
        show_default=not is_switch,
        metavar=data.get("shows") or ("DURATION" if kind == "duration" else None),
        help=data["text"],
    )
