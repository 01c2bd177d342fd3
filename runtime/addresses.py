"""How the addresses of services are written, and which of them only this machine can reach."""

import re
from ipaddress import ip_address
from typing import Final, NamedTuple

from runtime.errors import SettingsError

__all__ = ["PLAIN", "ServedModel", "ServiceAddress", "address_of", "is_loopback", "parsed_addresses", "parsed_service"]

_PORT: Final = re.compile(r"[0-9]{1,5}")
_NOT_IN_A_HOST: Final = re.compile(r"[\s/@]")

PLAIN: Final = "grpc://"
"""Before an address that is called without TLS, whatever the settings of channels say."""

_SECURED: Final = {PLAIN: False, "oip://": False, "oips://": True}
"""The schemes, and whether each means TLS."""

_MODEL: Final = re.compile(r"(?P<hosts>[^/]+)/(?P<name>[^/\s]+)(/(?P<version>[^/\s]+))?")


class ServedModel(NamedTuple):
    """A model of an Open Inference server.

    Attributes:
        name: as the server knows it.
        version: empty: the server chooses.
    """

    name: str
    version: str


class ServiceAddress(NamedTuple):
    """Where a service is, and how it is called.

    Attributes:
        pairs: hosts and ports.
        is_secured: by TLS; ``None``: as the settings of channels say.
        model: which model of an Open Inference server; ``None``: it is a service of ours.
    """

    pairs: list[tuple[str, int]]
    is_secured: bool | None
    model: ServedModel | None


def parsed_service(text: str, flag: str) -> ServiceAddress:
    """``[grpc://]HOST:PORT[,...]``, or a model: ``oip[s]://HOST:PORT[,...]/MODEL[/VERSION]``.

    Raises:
        SettingsError: it is written in another way; it names the option ``flag``.

    >>> parsed_service("oips://a:443/drift", "--inference")
    ServiceAddress(pairs=[('a', 443)], is_secured=True, model=ServedModel(name='drift', version=''))
    """
    for scheme, is_secured in _SECURED.items():
        if not text.startswith(scheme):
            continue
        rest = text.removeprefix(scheme)
        if scheme == PLAIN:
            return ServiceAddress(parsed_addresses(rest, flag), is_secured, None)
        found = _MODEL.fullmatch(rest)
        if found is None:
            raise SettingsError(f"{flag} must be {scheme}HOST:PORT/MODEL, or with a version behind it, not {text!r}")
        model = ServedModel(found["name"], found["version"] or "")
        return ServiceAddress(parsed_addresses(found["hosts"], flag), is_secured, model)
    return ServiceAddress(parsed_addresses(text, flag), None, None)


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
