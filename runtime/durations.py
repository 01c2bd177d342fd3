"""How durations are written."""

import re
from typing import Final

from runtime.errors import SettingsError

__all__ = ["duration_text", "parsed_duration_ms"]

_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_LONGEST_MS: Final = 10**15
"""31,000 years: longer than all times that an event can have, and added to one of them far below what int64 holds."""

_DIGITS_MAX: Final = len(str(_LONGEST_MS))
_UNITS_MS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def parsed_duration_ms(text: str) -> int:
    """A duration in ms, written ``10h``, ``5m``, ``30s``, ``250ms``, ``7d``, ``1h30m`` or ``0``.

    Raises:
        SettingsError: it is written in another way, or far longer than all times that an event can have.

    >>> parsed_duration_ms("1h30m")
    5400000
    """
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise SettingsError(f"{text!r} is not a duration: write it like 10h, 5m, 30s, 250ms, or 0")
    parts = list(zip(match.groups("0"), _UNITS_MS.values(), strict=True))
    too_long = any(len(number) > _DIGITS_MAX for number, _ in parts)
    if too_long or (duration_ms := sum(int(number) * unit for number, unit in parts)) > _LONGEST_MS:
        raise SettingsError(f"a duration must be at most {_LONGEST_MS}ms")
    return duration_ms


def duration_text(milliseconds: int) -> str:
    """The shortest way to write a duration.

    >>> duration_text(36_000_000), duration_text(90_000), duration_text(0)
    ('10h', '90s', '0')
    """
    for unit, size in _UNITS_MS.items():
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return "0"
