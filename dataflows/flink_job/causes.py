"""Finds what went wrong in what Flink prints about it."""

import re
from typing import Final

__all__ = ["first_cause"]

_CAUSE: Final = re.compile(
    r"^(?:Caused by: )?[\w.$]*?(\w+(?:Error|Exception)): (?:<class '[\w.]+'>: )?(.+)$", re.MULTILINE
)


def first_cause(output: str) -> str:
    """The innermost cause in what a failing job printed, in one line; with its class, if its message is one word."""
    causes = _CAUSE.findall(output)
    if not causes:
        return " ".join(output.split()[-30:])
    name, message = causes[-1]
    return message if " " in message else f"{name}: {message}"
