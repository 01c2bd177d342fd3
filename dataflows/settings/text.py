"""How durations and addresses are written. A setting that is wrong is the same error here as in the services."""

import re
from typing import Final

from grpc_services.python.settings import SettingsError

__all__ = ["SettingsError", "duration_text", "parsed_addresses", "parsed_duration_ms"]

_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_LONGEST_MS: Final = 10**15
"""31,000 years: longer than all times that an event can have, and added to one of them far below what int64 holds."""

_DIGITS_MAX: Final = len(str(_LONGEST_MS))
_PORT: Final = re.compile(r"[0-9]{1,5}")
_NOT_IN_A_HOST: Final = re.compile(r"[\s/@]")
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


def parsed_addresses(text: str, flag: str) -> list[tuple[str, int]]:
    """The hosts and ports of ``HOST:PORT[,...]``.

    Raises:
        SettingsError: it is written in another way; it names the option ``flag``.

    >>> parsed_addresses("localhost:10001, [::1]:9001", "--features")
    [('localhost', 10001), ('[::1]', 9001)]
    """
    pairs = []
    for address in text.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or _NOT_IN_A_HOST.search(host) or not _PORT.fullmatch(port) or not 0 < int(port) < 65_536:
            raise SettingsError(f"{flag} must be HOST:PORT, or several with commas between, not {address!r}")
        pairs.append((host, int(port)))
    return pairs
