"""How a setting is declared: once, as a field of a frozen dataclass.

Its option, its variable in the environment, its help text and its name in an error are made from that field. Settings
that belong together are a dataclass of their own, and a command's settings are composed of such groups.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal, TypeAlias, TypeVar

from runtime.durations import duration_text

__all__ = [
    "Kind",
    "Option",
    "arguments_of",
    "changed",
    "composed",
    "flag_of",
    "group",
    "options_of",
    "setting",
    "setting_text",
    "taken",
    "values_of",
]

Kind: TypeAlias = Literal["text", "integer", "number", "share", "duration", "switch", "choice", "names"]
"""What the command line takes: ``share`` is a number from 0 to 1, ``names`` a tuple written with commas."""

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class Option:
    """A setting as the command line needs it.

    Attributes:
        name: the field; no two groups of one command have a field of the same name.
        flag: how it is written.
        kind: what it takes.
        default: its value if it is not given.
        text: help, with the unit and, where it is not obvious, the source of the default.
        choices: of a ``choice``.
        shows: the form of its argument in the help.
        heading: the group in the help.
    """

    name: str
    flag: str
    kind: Kind
    default: Any
    text: str
    choices: tuple[str, ...]
    shows: str | None
    heading: str | None


def setting(
    default: object,
    text: str,
    *,
    flag: str | None = None,
    kind: Kind = "text",
    choices: tuple[str, ...] = (),
    shows: str | None = None,
) -> Any:
    """A field that is a setting; see ``Option``. Without a flag its option is named as the field: --max-events."""
    return field(default=default, metadata={"setting": (text, flag, kind, choices, shows)})


def group(settings: type[Any], heading: str) -> Any:
    """A field that holds a group of settings, with its heading in the help."""
    return field(default_factory=settings, metadata={"group": settings, "heading": heading})


def options_of(settings: type[Any], heading: str | None = None) -> Iterator[Option]:
    """Every option of a dataclass of settings, those of its groups included, in their order."""
    for entry in fields(settings):
        if "group" in entry.metadata:
            yield from options_of(entry.metadata["group"], entry.metadata["heading"])
        elif "setting" in entry.metadata:
            yield _option(entry, heading)


def _option(entry: "Field[Any]", heading: str | None) -> Option:
    text, flag, kind, choices, shows = entry.metadata["setting"]
    default = None if entry.default is MISSING else entry.default
    return Option(entry.name, flag or f"--{entry.name.replace('_', '-')}", kind, default, text, choices, shows, heading)


def flag_of(settings: type[Any], name: str) -> str:
    """The option of a field, of whichever group.

    Raises:
        KeyError: there is no such field.
    """
    for option in options_of(settings):
        if option.name == name:
            return option.flag
    raise KeyError(name)


def values_of(settings: object) -> dict[str, Any]:
    """The value of each field that is a setting, those of the groups included."""
    values: dict[str, Any] = {}
    for entry in fields(settings):  # type: ignore[arg-type]  # a dataclass, which has no type of its own
        value = getattr(settings, entry.name)
        values |= values_of(value) if "group" in entry.metadata else {entry.name: value}
    return values


def arguments_of(settings: object) -> Iterator[str]:
    """The command line that gives these settings: an argument for each that has not its default."""
    values = values_of(settings)
    for option in options_of(type(settings)):
        value = values[option.name]
        if value is None or value == option.default:
            continue
        yield option.flag if option.kind == "switch" else f"{option.flag}={setting_text(option, value)}"


def setting_text(option: Option, value: Any) -> str:
    """A value as it is written on the command line."""
    if option.kind == "names":
        return ",".join(value)
    return duration_text(value) if option.kind == "duration" else str(value)


def composed(settings: type[Settings], values: Mapping[str, Any]) -> Settings:
    """Settings of the values of fields, whichever groups they belong to; what is not given has its default.

    Raises:
        SettingsError: a value is wrong.
        TypeError: there is no such field.
    """
    if unknown := values.keys() - set(_names_of(settings)):
        raise TypeError(f"{settings.__name__} has no {', '.join(sorted(unknown))}")
    return _composed(settings, values)


def taken(settings: type[Settings], values: dict[str, Any]) -> Settings:
    """Settings of the values that are theirs, which are taken out of the rest.

    Raises:
        SettingsError: a value is wrong.
    """
    return composed(settings, {name: values.pop(name) for name in _names_of(settings) if name in values})


def changed(settings: Settings, **values: Any) -> Settings:
    """The same settings with other values of some fields, whichever groups they belong to."""
    return composed(type(settings), values_of(settings) | values)


def _names_of(settings: type[Any]) -> Iterator[str]:
    for entry in fields(settings):
        if "group" in entry.metadata:
            yield from _names_of(entry.metadata["group"])
        else:
            yield entry.name


def _composed(settings: type[Settings], values: Mapping[str, Any]) -> Settings:
    given: dict[str, Any] = {}
    for entry in fields(settings):  # type: ignore[arg-type]  # a dataclass, which has no type of its own
        if "group" in entry.metadata:
            given[entry.name] = _composed(entry.metadata["group"], values)
        elif entry.name in values:
            given[entry.name] = values[entry.name]
    return settings(**given)
