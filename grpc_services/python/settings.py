"""What an operator can set about a server, checked at once, before anything starts."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

__all__ = ["DEFAULT_PORTS", "SERVICES", "ServerSettings", "Service", "SettingsError"]

Service: TypeAlias = Literal["features", "inference"]
SERVICES: Final[tuple[Service, ...]] = get_args(Service)

DEFAULT_PORTS: Final[dict[Service, int]] = {"features": 10001, "inference": 10011}
"""Those of the original demo's Python servers."""


class SettingsError(ValueError):
    """A setting cannot be worked with; the message is one line that names it."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One server, one service.

    Attributes:
        service: ``features`` or ``inference``.
        host: name or address to listen on. Default: this machine only, because the channel is not encrypted.
        port: 0 takes a free one, ``None`` the default of the service.
        features_from: ``module:name`` of a ``Feature`` or of a sequence of them, in the order in which they are
            answered; ``None`` the means of the four sensors. Only for ``features``.
        model: a file with a logistic regression, or ``module:name`` of a ``Model``; ``None`` the model that is shipped.
            Only for ``inference``.
        max_message_bytes: largest request. Default 32 MiB: the largest window that the default ``WindowSpec`` allows,
            100,000 events, in the one-event-a-message form with the longest device id, 289 bytes an event.
        max_concurrent_calls: calls answered at a time, open streams included, each on a thread of its own; one above
            that is UNAVAILABLE. Default 64: eight pipelines with eight calls each.
        drain_delay_ms: how long a server that was told to stop still takes calls, so that balancers see it is
            NOT_SERVING and turn away. Default 0: nothing balances on one machine; 5 to 15 s in a cluster.
        grace_ms: how long calls that run then have to finish before they are cut. Default 30 s, as the original's Java
            servers, and as Kubernetes waits by default.
        stop_at_end_of_input: stop when standard input ends, as it does when the process that started this one dies.
    """

    service: Service
    host: str = "127.0.0.1"
    port: int | None = None
    features_from: str | None = None
    model: str | None = None
    max_message_bytes: int = 32 * 1024 * 1024
    max_concurrent_calls: int = 64
    drain_delay_ms: int = 0
    grace_ms: int = 30_000
    stop_at_end_of_input: bool = False

    def __post_init__(self) -> None:
        if self.service not in SERVICES:
            raise SettingsError(f"service must be one of {', '.join(SERVICES)}, not {self.service!r}")
        if not self.host or any(character.isspace() or character in "/[]" for character in self.host):
            raise SettingsError(f"host must be a name or an address, not {self.host!r}")
        if self.port is not None:
            self._check_range("port", 0, 65_535)
        if self.features_from is not None and self.service != "features":
            raise SettingsError("features_from is a setting of the feature service only")
        if self.model is not None and self.service != "inference":
            raise SettingsError("model is a setting of the inference service only")
        self._check_range("max_message_bytes", 1, 2**31 - 1)  # gRPC holds it in an int32
        self._check_range("max_concurrent_calls", 1, 10_000)  # each may have a thread
        self._check_range("drain_delay_ms", 0, 3_600_000)
        self._check_range("grace_ms", 0, 3_600_000)

    def _check_range(self, name: str, lowest: int, highest: int) -> None:
        value = getattr(self, name)
        if type(value) is not int or not lowest <= value <= highest:
            raise SettingsError(f"{name} must be an integer from {lowest} to {highest}, not {value!r}")

    @property
    def address(self) -> str:
        """What to listen on, as gRPC writes it."""
        return address_of(self.host, DEFAULT_PORTS[self.service] if self.port is None else self.port)


def address_of(host: str, port: int) -> str:
    """
    >>> address_of("::1", 10001)
    '[::1]:10001'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
