"""What an operator can set about a server, checked at once, before anything starts."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from runtime.addresses import address_of, is_loopback
from runtime.errors import SettingsError

__all__ = [
    "ALGORITHMS",
    "DEFAULT_PORTS",
    "SERVICES",
    "ServerSettings",
    "Service",
    "SettingsError",
    "address_of",
    "is_loopback",
]

Service: TypeAlias = Literal["features", "inference"]
SERVICES: Final[tuple[Service, ...]] = get_args(Service)

DEFAULT_PORTS: Final[dict[Service, int]] = {"features": 10001, "inference": 10011}
"""Those of the original demo's Python servers."""

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""The signatures of tokens that a public key can check. With ``none`` or an HS one anybody could sign."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One server, one service.

    Attributes:
        service: ``features`` or ``inference``.
        host: name or address to listen on. Default: this machine only, because the channel is not encrypted. Another
            one needs TLS, or ``allow_plain``.
        port: 0 takes a free one, ``None`` the default of the service.
        features_from: ``module:name`` of a ``Feature`` or of a sequence of them, in the order in which they are
            answered; ``None`` the means of the four sensors. Only for ``features``.
        model: a file with a logistic regression, or ``module:name`` of a ``Model``; ``None`` the model that is shipped.
            Only for ``inference``.
        max_message_bytes: largest request. Default 32 MiB: the largest window that the default ``WindowSpec`` allows,
            100,000 events, in the one-event-a-message form with the longest device id, 289 bytes an event.
        max_concurrent_calls: calls at work at a time, each on a thread of its own; one above that is UNAVAILABLE. As
            many more may wait for their callers, as open streams do between two requests; beyond that the one that has
            waited longest is ended. Default 64: eight pipelines with eight calls each.
        message_timeout_ms: how long a call may take to send its first message whole. Default 10 s: the largest request
            over 27 Mbit/s.
        drain_delay_ms: how long a server that was told to stop still takes calls, so that balancers see it is
            NOT_SERVING and turn away. Default 0: nothing balances on one machine; 5 to 15 s in a cluster.
        grace_ms: how long calls that run then have to finish before they are cut. Default 30 s, as the original's Java
            servers, and as Kubernetes waits by default.
        stop_at_end_of_input: stop when standard input ends, as it does when the process that started this one dies.
        tls_cert: file with the server's certificate and those between it and its authority, PEM; turns TLS on. It,
            the key and the authorities are read again when they change.
        tls_key: file with its private key, PEM, not encrypted.
        tls_client_ca: file with the authorities of clients, PEM; a client has to show a certificate of one of them.
        jwks: file with the public keys of whoever issues tokens, a JSON Web Key Set (RFC 7517), read again when it
            changes; every call then needs a token, health excepted. Needs TLS: a token never travels in plain.
        issuer: what a token's ``iss`` has to be.
        audience: what a token's ``aud`` has to hold.
        jwt_algorithms: how a token may be signed, some of ``ALGORITHMS``.
        clock_skew_ms: how far the issuer's clock may be from ours. Default 30 s.
        scope: what a token's ``scope`` has to hold; ``None`` is ``latecomer.`` with the service behind it, and nothing
            where ``subjects`` say who may call.
        subjects: what a token's ``sub`` has to be, one of them; none: it may be anybody whose token holds the scope.
            For issuers whose tokens have no scope, as those of a Kubernetes service account.
        max_connection_age_ms: a connection that is older, by up to a tenth more or less, takes no new calls, so that
            its client looks for servers anew. Default 5 min, of the 1 to 5 min that suit a cluster.
        max_connection_age_grace_ms: how long the calls on it then have to finish.
        allow_plain: listen without TLS where other machines can connect.
        compression: ``gzip``: requests may be packed, and answers are, to clients that say they take it; ``none``:
            packed requests are UNIMPLEMENTED.
        metrics_port: where the numbers of the server are served in Prometheus' format; 0 takes a free one, ``None``:
            nowhere.
        metrics_host: name or address that it listens on; ``None``: ``host``.
    """

    service: Service
    host: str = "127.0.0.1"
    port: int | None = None
    features_from: str | None = None
    model: str | None = None
    max_message_bytes: int = 32 * 1024 * 1024
    max_concurrent_calls: int = 64
    message_timeout_ms: int = 10_000
    drain_delay_ms: int = 0
    grace_ms: int = 30_000
    stop_at_end_of_input: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    jwks: str | None = None
    issuer: str | None = None
    audience: str | None = None
    jwt_algorithms: tuple[str, ...] = ("RS256", "ES256")
    clock_skew_ms: int = 30_000
    scope: str | None = None
    subjects: tuple[str, ...] = ()
    max_connection_age_ms: int = 300_000
    max_connection_age_grace_ms: int = 30_000
    allow_plain: bool = False
    compression: Literal["none", "gzip"] = "none"
    metrics_port: int | None = None
    metrics_host: str | None = None

    def __post_init__(self) -> None:
        if self.service not in SERVICES:
            raise SettingsError(f"service must be one of {', '.join(SERVICES)}, not {self.service!r}")
        for name in ("host", "metrics_host"):
            host = getattr(self, name)
            if host is not None and (not host or any(one.isspace() or one in "/[]" for one in host)):
                raise SettingsError(f"{name} must be a name or an address, not {host!r}")
        if self.port is not None:
            self._check_range("port", 0, 65_535)
        if self.metrics_port is not None:
            self._check_range("metrics_port", 0, 65_535)
        if self.features_from is not None and self.service != "features":
            raise SettingsError("features_from is a setting of the feature service only")
        if self.model is not None and self.service != "inference":
            raise SettingsError("model is a setting of the inference service only")
        self._check_range("max_message_bytes", 1, 2**31 - 1)  # gRPC holds it in an int32
        self._check_range("max_concurrent_calls", 1, 10_000)  # each may have a thread
        self._check_range("message_timeout_ms", 100, 3_600_000)
        self._check_range("drain_delay_ms", 0, 3_600_000)
        self._check_range("grace_ms", 0, 3_600_000)
        self._check_range("clock_skew_ms", 0, 300_000)  # above, a token outlives its end by more than most live
        self._check_range("max_connection_age_ms", 1_000, 86_400_000)
        self._check_range("max_connection_age_grace_ms", 0, 3_600_000)
        self._check_channel()
        self._check_tokens()

    def _check_channel(self) -> None:
        if self.compression not in ("none", "gzip"):
            raise SettingsError(f"compression must be none or gzip, not {self.compression!r}")
        if (self.tls_cert is None) != (self.tls_key is None):
            given, needed = ("tls_cert", "tls_key") if self.tls_key is None else ("tls_key", "tls_cert")
            raise SettingsError(f"{given} needs {needed}")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise SettingsError("tls_client_ca needs tls_cert and tls_key")
        if self.tls_cert is None and not self.allow_plain and not is_loopback(self.host):
            raise SettingsError(
                f"host {self.host} can be reached from other machines: give tls_cert and tls_key, or allow_plain"
            )

    def _check_tokens(self) -> None:
        if not self.jwt_algorithms:
            raise SettingsError("jwt_algorithms must name one at least")
        for algorithm in self.jwt_algorithms:
            if algorithm not in ALGORITHMS:
                raise SettingsError(f"jwt_algorithms must be of {', '.join(ALGORITHMS)}, not {algorithm!r}")
        if self.jwks is None:
            for name in ("issuer", "audience", "scope", "subjects"):
                if getattr(self, name):
                    raise SettingsError(f"{name} needs jwks")
            return
        if self.tls_cert is None:
            raise SettingsError("jwks needs tls_cert and tls_key: a token never travels in plain")
        for name in ("issuer", "audience"):
            if not getattr(self, name):
                raise SettingsError(f"jwks needs {name}")
        if self.required_scope is not None and len(self.required_scope.split()) != 1:
            raise SettingsError(f"scope must be one name, not {self.scope!r}")
        if not all(self.subjects):
            raise SettingsError("subject must be a name, or several with commas between")

    def _check_range(self, name: str, lowest: int, highest: int) -> None:
        value = getattr(self, name)
        if type(value) is not int or not lowest <= value <= highest:
            raise SettingsError(f"{name} must be an integer from {lowest} to {highest}, not {value!r}")

    @property
    def required_scope(self) -> str | None:
        """What a token has to allow; ``None``: who calls decides alone."""
        if self.scope is None and self.subjects:
            return None
        return f"latecomer.{self.service}" if self.scope is None else self.scope

    @property
    def address(self) -> str:
        """What to listen on, as gRPC writes it."""
        return address_of(self.host, DEFAULT_PORTS[self.service] if self.port is None else self.port)
