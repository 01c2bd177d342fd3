"""Finds what went wrong in what Flink prints about it."""

import re
from typing import Final

__all__ = ["first_cause"]

_CAUSE: Final = re.compile(
    r"^(?:Caused by: )?[\w.$]*?(\w+(?:Error|Exception)): (?:<class '[\w.]+'>: )?(.+)$", re.MULTILINE
)


def first_cause(output: str) -> str:
    """The innermost cause in what a failing job printed, in one line."""
    causes = _CAUSE.findall(output)
    return causes[-1][1] if causes else " ".join(output.split()[-30:])
