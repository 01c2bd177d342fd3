"""How settings become options of a command: each is declared once, as a field of a dataclass."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from runtime.durations import duration_text, parsed_duration_ms
from runtime.errors import SettingsError
from runtime.settings import Option, options_of
from runtime.settings_file import check_variables, read_settings

__all__ = ["DURATION", "Command", "GroupedCommand", "converted", "is_given", "settings_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

_OTHERS: Final = "Options"


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


class _Names(click.ParamType):  # type: ignore[type-arg]  # generic in its types only
    """``NAME[,...]``; as a value, a tuple."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else tuple(name.strip() for name in value.split(","))


DURATION = _Duration()

_TYPES: Final[dict[str, Any]] = {
    "text": click.STRING,
    "integer": click.INT,
    "number": click.FLOAT,
    "share": click.FloatRange(0, 1),
    "duration": DURATION,
    "switch": click.BOOL,
    "names": _Names(),
}


class _SettingOption(click.Option):
    """An option of a setting, which knows its heading in the help."""

    def __init__(self, *args: Any, heading: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading = heading


class GroupedCommand(click.Command):
    """A command whose help shows its options under the headings of their groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        headings: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                heading = parameter.heading if isinstance(parameter, _SettingOption) else None
                headings.setdefault(heading or _OTHERS, []).append(record)
        for heading, records in headings.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def settings_options(
    settings: type[Any], prefix: str, *, own: type[Any] | None = None, leaving_out: tuple[str, ...] = ()
) -> Callable[[Command], Command]:
    """Give a command the option of each setting of a dataclass, in their order.

    Args:
        settings: its fields say what the options are.
        prefix: how their variables begin in the environment, as ``LATECOMER_RUN_``.
        own: further settings, of this command alone; their options come first.
        leaving_out: fields without an option.
    """

    def decorated(command: Command) -> Command:
        options = [] if own is None else list(options_of(own))
        options += [option for option in options_of(settings) if option.name not in leaving_out]
        for option in reversed(options):
            command = _click_option(option, prefix)(command)
        return _config_option(options, prefix)(command)

    return decorated


def is_given(name: str) -> bool:
    """Whether a field has its value from the command line, the environment or a file of settings of the command."""
    source = click.get_current_context().get_parameter_source(name)
    return source not in (None, click.core.ParameterSource.DEFAULT)


def converted(option: Option, text: Any) -> Any:
    """The value of a setting that is written as on the command line.

    Raises:
        click.UsageError: it cannot have that value.
    """
    return _type_of(option)(text)


def _type_of(option: Option) -> Any:
    return click.Choice(option.choices) if option.kind == "choice" else _TYPES[option.kind]


def _config_option(options: list[Option], prefix: str) -> Callable[[Command], Command]:
    """The option that names a file of settings; it is looked at first."""

    def read(context: click.Context, parameter: click.Parameter, file: Path | None) -> None:
        flags = [flag for parameter in context.command.params for flag in parameter.opts]
        check_variables(prefix, [_variable(flag, prefix) for flag in flags])
        if file is not None:
            context.default_map = read_settings(file, options)

    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar=prefix + "CONFIG",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=read,
        help="TOML file of settings, named as the options. Command line and environment take precedence.",
    )


def _click_option(option: Option, prefix: str) -> Callable[[Command], Command]:
    is_switch = option.kind == "switch"
    default = option.default
    if option.kind == "duration" and default is not None:
        default = duration_text(default)
    elif option.kind == "names":
        default = ",".join(default) or ()
    return click.option(
        option.flag,
        option.name,
        cls=_SettingOption,
        heading=option.heading,
        envvar=_variable(option.flag, prefix),
        type=_type_of(option),
        is_flag=is_switch,
        default=default,
        show_default=not is_switch and default != (),
        metavar=option.shows or ("DURATION" if option.kind == "duration" else None),
        help=option.text,
    )


def _variable(flag: str, prefix: str) -> str:
    """The variable of an option in the environment."""
    return prefix + flag.removeprefix("--").replace("-", "_").upper()
