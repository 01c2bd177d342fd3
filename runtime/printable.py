"""Makes text from outside safe to show: a message of a service, a device id or a file name cannot control a terminal.

Control characters (C0, DEL, C1), line breaks, direction overrides and halves of characters become readable escapes.
Output for programs does not pass this module: JSON has escapes of its own.
"""

import logging
import re
from typing import Final
from unicodedata import category

__all__ = ["PrintableLines", "printable"]

_UNSEEN: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_PLAIN: Final = re.compile(r"[ -~]*")


def printable(text: str) -> str:
    r"""The text with an escape in place of each character that is no mark on the screen.

    >>> print(printable("pump\x1b[2J\u202e7\n"))
    pump\u001b[2J\u202e7\u000a
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(_escaped(character) if category(character) in _UNSEEN else character for character in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class PrintableLines(logging.Formatter):
    """Formats a log record: its message is one line, and the lines of a traceback hold nothing else than text."""

    def format(self, record: logging.LogRecord) -> str:
        line = printable(record.getMessage())
        lines = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        return "\n".join([line, *map(printable, lines)])
