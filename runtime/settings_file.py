"""Settings from a file: what the command line and the environment leave open.

A file is TOML; its keys are the options without their dashes, its values are written as on the command line::

    interval = "12h"
    max-events = 50000
    bounded = true
    subject = ["one", "two"]
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from runtime.errors import SettingsError
from runtime.settings import Option

__all__ = ["check_variables", "read_settings"]


def read_settings(file: Path, options: Iterable[Option], flag: str = "--config") -> dict[str, Any]:
    """What a file sets, by the names of fields, each as the command line would say it.

    Args:
        file: the file.
        options: those that it may set.
        flag: the option that names it, for errors.
    Raises:
        SettingsError: it cannot be read, or something in it is not a setting.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{flag} {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{flag} {file}: {error}") from None
    named = {option.flag.removeprefix("--"): option for option in options}
    given: dict[str, Any] = {}
    for key, value in content.items():
        if key not in named:
            raise SettingsError(f"{flag} {file}: there is no setting {key}{_closest(key, named)}")
        text = _as_written(value, named[key])
        if text is None:
            raise SettingsError(f"{flag} {file}: {key} cannot be {value!r}")
        given[named[key].name] = text
    return given


def check_variables(prefix: str, known: Iterable[str], environment: Mapping[str, str] = os.environ) -> None:
    """See that no variable of the environment is meant as a setting and is none; one without the command's name, too.

    Raises:
        SettingsError: one is.
    """
    known = set(known)
    product = prefix[: prefix.index("_") + 1]
    for name in sorted(environment.keys() - known):
        meant = prefix + name.removeprefix(product)
        if name.startswith(product) and meant in known:
            raise SettingsError(f"{name} is not a setting; there is {meant}")
        if name.startswith(prefix):
            raise SettingsError(f"{name} is not a setting{_closest(name, known)}")


def _as_written(value: object, option: Option) -> object:
    """A value as on the command line; ``None`` if it cannot be written there."""
    if isinstance(value, bool):
        return value if option.kind == "switch" else None
    if option.kind == "names" and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    return str(value) if isinstance(value, (str, int, float)) and option.kind != "switch" else None


def _closest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 1)
    return f"; there is {close[0]}" if close else ""
