"""What an operator can set about a server, checked at once, before anything starts."""

from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias, get_args

from grpc_services.python.access_settings import TlsSettings, TokenSettings, check_range, check_wait
from runtime.addresses import address_of, is_loopback
from runtime.errors import SettingsError
from runtime.settings import composed, flag_of, group, setting
from runtime.traces import TRACES_TEXT, check_collector
from window_core import DEMO_SENSORS, Sensors, SensorsError

__all__ = [
    "DEFAULT_PORTS",
    "SERVICES",
    "ConnectionSettings",
    "LimitSettings",
    "ListenSettings",
    "PluginSettings",
    "ServerSettings",
    "Service",
]

Service: TypeAlias = Literal["features", "inference"]
SERVICES: Final[tuple[Service, ...]] = get_args(Service)

DEFAULT_PORTS: Final[dict[Service, int]] = {"features": 10001, "inference": 10011}
"""Those of the original demo's Python servers."""

_OF_FEATURES: Final = (
    ("plugins", "sensors"),
    ("plugins", "features_from"),
    ("limits", "column_bytes"),
    ("limits", "stream_column_bytes"),
)

_LONGEST_WAIT_MS: Final = 3_600_000
"""An hour: whoever stops a server that waits longer takes it for one that hangs."""


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """Of which readings and whose the features are, and whose model is served."""

    sensors: tuple[str, ...] = setting(
        DEMO_SENSORS.declared,
        "Readings of an event, up to 64, in the order of a row; one with a question mark behind its name may be "
        "absent.",
        kind="names",
        shows="NAME[?][,...]",
    )
    features_from: str | None = setting(
        None,
        "Features of your own: a Feature, or a sequence of them. Default: the mean of each sensor.",
        shows="MODULE:NAME",
    )
    model: str | None = setting(
        None, "Model of your own: a logistic regression or an ONNX file, or a Model. Default: log_reg_model/v2.",
        shows="FILE|MODULE:NAME",
    )  # fmt: skip

    def __post_init__(self) -> None:
        try:
            Sensors.of(self.sensors)
        except SensorsError as error:
            raise SettingsError(f"--sensors: {error}") from None


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
    traces: str | None = setting(None, TRACES_TEXT, shows="URL")

    def __post_init__(self) -> None:
        for name in ("host", "metrics_host"):
            host = getattr(self, name)
            if host is not None and (not host or any(one.isspace() or one in "/[]" for one in host)):
                raise SettingsError(f"{flag_of(type(self), name)} must be a name or an address, not {host!r}")
        for name in ("port", "metrics_port"):
            if getattr(self, name) is not None:
                check_range(self, name, 0, 65_535)
        if self.traces is not None:
            check_collector(self.traces)


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
    # Two streams of a pipeline.
    column_bytes: int = setting(
        512 * 1024 * 1024,
        "What the columns of all streams may hold, in bytes: for each row that a column has room for 8, and 12 for "
        "each sensor. For columns beyond that, clients send whole windows.",
        kind="integer",
    )
    # The windows of 12,000 devices with 300 events of four sensors each, and a quarter more room than that.
    stream_column_bytes: int = setting(
        256 * 1024 * 1024, "What the columns of one stream may hold, counted likewise; at most --column-bytes.",
        kind="integer",
    )  # fmt: skip
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
        check_range(self, "max_message_bytes", 1, 2**31 - 1)  # gRPC holds it in an int32
        check_range(self, "max_concurrent_calls", 1, 10_000)  # each may have a thread
        for name in ("column_bytes", "stream_column_bytes"):
            check_range(self, name, 0, 2**40)
        if self.stream_column_bytes > self.column_bytes:
            raise SettingsError("--stream-column-bytes must not be above --column-bytes")
        check_wait(self, "message_timeout_ms", 100, _LONGEST_WAIT_MS)
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
        check_wait(self, "drain_delay_ms", 0, _LONGEST_WAIT_MS)
        check_wait(self, "grace_ms", 0, _LONGEST_WAIT_MS)
        check_wait(self, "max_connection_age_ms", 1_000, 86_400_000)
        check_wait(self, "max_connection_age_grace_ms", 0, _LONGEST_WAIT_MS)


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
        if self.service != "features":
            for settings, name in _OF_FEATURES:
                if getattr(getattr(self, settings), name) != getattr(type(getattr(self, settings))(), name):
                    raise SettingsError(f"{flag_of(type(self), name)} is a setting of the feature service only")
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
