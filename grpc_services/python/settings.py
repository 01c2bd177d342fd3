"""What an operator can set about a server, checked at once, before anything starts."""

from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias, get_args

from runtime.addresses import address_of, is_loopback
from runtime.durations import duration_text
from runtime.errors import SettingsError
from runtime.settings import composed, flag_of, group, setting

__all__ = [
    "ALGORITHMS",
    "DEFAULT_PORTS",
    "SERVICES",
    "ConnectionSettings",
    "LimitSettings",
    "ListenSettings",
    "PluginSettings",
    "ServerSettings",
    "Service",
    "TlsSettings",
    "TokenSettings",
]

Service: TypeAlias = Literal["features", "inference"]
SERVICES: Final[tuple[Service, ...]] = get_args(Service)

DEFAULT_PORTS: Final[dict[Service, int]] = {"features": 10001, "inference": 10011}
"""Those of the original demo's Python servers."""

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""The signatures of tokens that a public key can check. With ``none`` or an HS one anybody could sign."""

_LONGEST_WAIT_MS: Final = 3_600_000
"""An hour: whoever stops a server that waits longer takes it for one that hangs."""


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """Whose features and whose model are served."""

    features_from: str | None = setting(
        None,
        "Features of your own: a Feature, or a sequence of them. Default: the mean of each sensor.",
        shows="MODULE:NAME",
    )
    model: str | None = setting(
        None, "Model of your own: a file with a logistic regression, or a Model. Default: log_reg_model/v2.",
        shows="FILE|MODULE:NAME",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """Where the server can be reached."""

    host: str = setting(
        "127.0.0.1",
        "Name or address to listen on. One that other machines can reach needs TLS, or --allow-plain.",
        shows="HOST",
    )
    port: int | None = setting(
        None, "Port; 0 takes a free one. Default: 10001 for features, 10011 for inference; Java 9001 and 9011.",
        kind="integer",
    )  # fmt: skip
    allow_plain: bool = setting(False, "Listen without TLS where other machines can connect.", kind="switch")
    metrics_port: int | None = setting(
        None, "Port that serves metrics in Prometheus' format; 0 takes a free one. Default: no metrics.", kind="integer"
    )
    metrics_host: str | None = setting(
        None, "Name or address that --metrics-port listens on. Default: --host.", shows="HOST"
    )

    def __post_init__(self) -> None:
        for name in ("host", "metrics_host"):
            host = getattr(self, name)
            if host is not None and (not host or any(one.isspace() or one in "/[]" for one in host)):
                raise SettingsError(f"{flag_of(type(self), name)} must be a name or an address, not {host!r}")
        for name in ("port", "metrics_port"):
            if getattr(self, name) is not None:
                _check_range(self, name, 0, 65_535)


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """How much callers may ask for."""

    # The largest window that the default WindowSpec allows, 100,000 events, in the one-event-a-message form with the
    # longest device id, 289 bytes an event.
    max_message_bytes: int = setting(32 * 1024 * 1024, "Largest request in bytes.", kind="integer")
    max_concurrent_calls: int = setting(
        64,  # eight pipelines with eight calls each
        "Calls that are worked on at once, each on a thread of its own; one above that is UNAVAILABLE. As many more "
        "may wait for their callers, as open streams do; beyond that the one that has waited longest is ended.",
        kind="integer",
    )
    # The largest request over 27 Mbit/s.
    message_timeout_ms: int = setting(
        10_000,
        "Longest wait for the first message of a call; a call that sends none in time is DEADLINE_EXCEEDED.",
        flag="--message-timeout",
        kind="duration",
    )
    compression: Literal["none", "gzip"] = setting(
        "none",
        "gzip accepts compressed requests, and compresses answers to clients that accept it; with none, a compressed "
        "request is UNIMPLEMENTED.",
        kind="choice",
        choices=("none", "gzip"),
    )

    def __post_init__(self) -> None:
        _check_range(self, "max_message_bytes", 1, 2**31 - 1)  # gRPC holds it in an int32
        _check_range(self, "max_concurrent_calls", 1, 10_000)  # each may have a thread
        _check_wait(self, "message_timeout_ms", 100, _LONGEST_WAIT_MS)
        if self.compression not in ("none", "gzip"):
            raise SettingsError(f"--compression must be none or gzip, not {self.compression!r}")


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """When connections, and the server itself, come to an end."""

    drain_delay_ms: int = setting(
        0,  # nothing balances on one machine; 5 to 15 s in a cluster
        "How long a server that is asked to stop still takes calls, so that load balancers see NOT_SERVING and turn "
        "away.",
        flag="--drain",
        kind="duration",
    )
    # As the original demo's Java servers, and as Kubernetes waits by default.
    grace_ms: int = setting(
        30_000, "How long running calls then have to finish before they are cancelled.", flag="--grace", kind="duration"
    )
    max_connection_age_ms: int = setting(
        300_000,  # of the 1 to 5 min that suit a cluster
        "Age, give or take a tenth, at which a connection takes no new calls, so that its client looks for servers "
        "anew.",
        flag="--max-connection-age",
        kind="duration",
    )
    max_connection_age_grace_ms: int = setting(
        30_000, "How long the calls on such a connection have to finish.", flag="--max-connection-age-grace",
        kind="duration",
    )  # fmt: skip
    stop_at_end_of_input: bool = setting(
        False, "Stop when standard input ends, as it does when the process that started this one dies.",
        flag="--stop-with-input", kind="switch",
    )  # fmt: skip

    def __post_init__(self) -> None:
        _check_wait(self, "drain_delay_ms", 0, _LONGEST_WAIT_MS)
        _check_wait(self, "grace_ms", 0, _LONGEST_WAIT_MS)
        _check_wait(self, "max_connection_age_ms", 1_000, 86_400_000)
        _check_wait(self, "max_connection_age_grace_ms", 0, _LONGEST_WAIT_MS)


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The server's certificate, and whether clients need one. The files are read again when they change."""

    tls_cert: str | None = setting(
        None, "Certificate of the server and those between it and its authority, PEM; turns TLS on.", shows="FILE"
    )
    tls_key: str | None = setting(None, "Private key of the certificate, PEM, not encrypted.", shows="FILE")
    tls_client_ca: str | None = setting(
        None, "Authorities of clients, PEM; each client then has to show a certificate of one of them.", shows="FILE"
    )

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            given, needed = ("--tls-cert", "--tls-key") if self.tls_key is None else ("--tls-key", "--tls-cert")
            raise SettingsError(f"{given} needs {needed}")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise SettingsError("--tls-client-ca needs --tls-cert and --tls-key")


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Which tokens are accepted. Source: docs/tokens.md."""

    jwks: str | None = setting(
        None,
        "Public keys of the issuer of tokens, a JSON Web Key Set (RFC 7517), read again when it changes; each call "
        "then needs a token, health excepted. Needs TLS.",
        shows="FILE",
    )
    issuer: str | None = setting(None, "Required issuer (iss) of a token.", shows="TEXT")
    audience: str | None = setting(None, "Audience (aud) that a token must be for.", shows="TEXT")
    jwt_algorithms: tuple[str, ...] = setting(
        ("RS256", "ES256"), "Accepted JWS algorithms.", kind="names", shows="NAME[,...]"
    )
    clock_skew_ms: int = setting(
        30_000, "Accepted difference between the issuer's clock and this machine's.", flag="--clock-skew",
        kind="duration",
    )  # fmt: skip
    scope: str | None = setting(
        None, "Scope that a token must hold. Default: latecomer.SERVICE, or none with --subject.", shows="NAME"
    )
    subjects: tuple[str, ...] = setting(
        (),
        "Accepted subjects (sub) of tokens, for issuers without scopes, such as Kubernetes service accounts. Default: "
        "any.",
        flag="--subject",
        kind="names",
        shows="NAME[,...]",
    )

    def __post_init__(self) -> None:
        _check_wait(self, "clock_skew_ms", 0, 300_000)  # above, a token outlives its end by more than most live
        if not self.jwt_algorithms:
            raise SettingsError("--jwt-algorithms must name one at least")
        for algorithm in self.jwt_algorithms:
            if algorithm not in ALGORITHMS:
                raise SettingsError(f"--jwt-algorithms must be of {', '.join(ALGORITHMS)}, not {algorithm!r}")
        if self.jwks is None:
            for name in ("issuer", "audience", "scope", "subjects"):
                if getattr(self, name):
                    raise SettingsError(f"{flag_of(type(self), name)} needs --jwks")
            return
        for name in ("issuer", "audience"):
            if not getattr(self, name):
                raise SettingsError(f"--jwks needs --{name}")
        if self.scope is not None and len(self.scope.split()) != 1:
            raise SettingsError(f"--scope must be one name, not {self.scope!r}")
        if not all(self.subjects):
            raise SettingsError("--subject must be a name, or several with commas between")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One server, one service. Durations are in ms.

    Attributes:
        service: which one.
    """

    service: Service
    listen: ListenSettings = group(ListenSettings, "Listening")
    plugins: PluginSettings = group(PluginSettings, "Features and model")
    limits: LimitSettings = group(LimitSettings, "Limits")
    connections: ConnectionSettings = group(ConnectionSettings, "Connections and shutdown")
    tls: TlsSettings = group(TlsSettings, "TLS")
    tokens: TokenSettings = group(TokenSettings, "Tokens")

    def __post_init__(self) -> None:
        if self.service not in SERVICES:
            raise SettingsError(f"SERVICE must be one of {', '.join(SERVICES)}, not {self.service!r}")
        if self.plugins.features_from is not None and self.service != "features":
            raise SettingsError("--features-from is a setting of the feature service only")
        if self.plugins.model is not None and self.service != "inference":
            raise SettingsError("--model is a setting of the inference service only")
        if self.tls.tls_cert is None:
            if self.tokens.jwks is not None:
                raise SettingsError("--jwks needs --tls-cert and --tls-key: a token must not travel plain")
            if not self.listen.allow_plain and not is_loopback(self.listen.host):
                raise SettingsError(
                    f"--host {self.listen.host} needs --tls-cert and --tls-key, or --allow-plain: others can reach it"
                )

    @classmethod
    def of(cls, service: str, **values: Any) -> Self:
        """The settings of a service from the values of fields, whichever groups they belong to."""
        return composed(cls, {"service": service, **values})

    @property
    def required_scope(self) -> str | None:
        """What a token has to allow; ``None``: the subject of the token decides alone."""
        if self.tokens.scope is None and self.tokens.subjects:
            return None
        return f"latecomer.{self.service}" if self.tokens.scope is None else self.tokens.scope

    @property
    def address(self) -> str:
        """What to listen on, as gRPC writes it."""
        port = self.listen.port
        return address_of(self.listen.host, DEFAULT_PORTS[self.service] if port is None else port)


def _check_range(settings: object, name: str, lowest: int, highest: int) -> None:
    value = getattr(settings, name)
    if type(value) is not int or not lowest <= value <= highest:
        flag = flag_of(type(settings), name)
        raise SettingsError(f"{flag} must be an integer from {lowest} to {highest}, not {value!r}")


def _check_wait(settings: object, name: str, lowest_ms: int, highest_ms: int) -> None:
    value = getattr(settings, name)
    if type(value) is not int or not lowest_ms <= value <= highest_ms:
        bounds = f"from {duration_text(lowest_ms)} to {duration_text(highest_ms)}"
        text = duration_text(value) if type(value) is int else repr(value)
        raise SettingsError(f"{flag_of(type(settings), name)} must be {bounds}, not {text}")
