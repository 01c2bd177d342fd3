"""How the addresses of services are written, and which of them only this machine can reach."""

import re
from ipaddress import ip_address
from typing import Final

from runtime.errors import SettingsError

__all__ = ["address_of", "is_loopback", "parsed_addresses"]

_PORT: Final = re.compile(r"[0-9]{1,5}")
_NOT_IN_A_HOST: Final = re.compile(r"[\s/@]")


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


def address_of(host: str, port: int) -> str:
    """
    >>> address_of("::1", 10001)
    '[::1]:10001'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to it. Of names only ``localhost`` is known to be so.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("example.org")
    (True, True, False, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
