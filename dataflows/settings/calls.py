"""How the services are asked, and over which channels."""

from dataclasses import dataclass
from typing import Final, Literal

from runtime.addresses import ServiceAddress, parsed_service
from runtime.durations import duration_text
from runtime.errors import SettingsError
from runtime.settings import flag_of, setting

__all__ = ["CallSettings", "ChannelSettings"]

_LONGEST_WAIT_MS: Final = 86_400_000
"""A day. A longer wait would look like a run that hangs; gRPC overflows far above."""


@dataclass(frozen=True, slots=True)
class CallSettings:
    """The services, and the calls to them."""

    features: str | None = setting(
        None, "Address of the feature service. Default: the run starts one of its own.", shows="HOST:PORT[,...]"
    )
    inference: str | None = setting(
        None,
        "Address of the inference service. Default: the run starts one of its own. Or a model on a server of the Open "
        "Inference Protocol, such as KServe, Triton or MLServer: oip://HOST:PORT/MODEL[/VERSION], oips:// with TLS.",
        shows="HOST:PORT[,...]",
    )
    features_from: str | None = setting(
        None, "Features of your own, for the service that the run starts: a Feature, or a sequence of them.",
        shows="MODULE:NAME",
    )  # fmt: skip
    model: str | None = setting(
        None, "Model for the service that the run starts: a logistic regression, an ONNX file, or a Model of your own.",
        shows="FILE|MODULE:NAME",
    )  # fmt: skip
    rpc: Literal["stream", "batch", "unary"] = setting(
        "stream",
        "Kind of call: streams on which an event is sent once, however many windows hold it (stream), many windows in "
        "a call (batch), or one (unary). A service without streams is asked by calls, and one that implements only "
        "unary, as the original demo does, always that way.",
        kind="choice",
        choices=("stream", "batch", "unary"),
    )
    batch_windows: int = setting(
        1_024, "Largest number of windows in one call, or in one message of a stream.", kind="integer"
    )
    batch_bytes: int = setting(
        3_500_000, "Largest size of one call or message in bytes; by default a gRPC server accepts 4 MiB.",
        kind="integer",
    )  # fmt: skip
    batch_wait_ms: int = setting(
        5, "On Flink: how long a window waits for others to share its call.", flag="--batch-wait", kind="duration"
    )
    in_flight: int | None = setting(
        None, "Calls or messages in flight at once. Default: 3, or 8 with --rpc unary.", kind="integer"
    )
    timeout_ms: int = setting(
        10_000, "Deadline of one call; on a stream, of each answer.", flag="--timeout", kind="duration"
    )
    attempts: int = setting(
        4, "Attempts of one call before the run fails. By default the pauses between them add up to 3.5 s.",
        kind="integer",
    )  # fmt: skip
    pause_ms: int = setting(
        500, "Pause before the second attempt of a call; each further pause is twice as long.", flag="--pause",
        kind="duration",
    )  # fmt: skip

    def __post_init__(self) -> None:
        for name in ("batch_windows", "batch_bytes", "in_flight", "timeout_ms", "attempts"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"{flag_of(CallSettings, name)} must be above 0")
        for name in ("timeout_ms", "pause_ms"):
            if getattr(self, name) > _LONGEST_WAIT_MS:
                longest = duration_text(_LONGEST_WAIT_MS)
                raise SettingsError(f"{flag_of(CallSettings, name)} must be at most {longest}")
        if self.features is not None and parsed_service(self.features, "--features").model is not None:
            raise SettingsError("--features must be HOST:PORT: a server of the Open Inference Protocol has no features")
        self.inference_address()
        for own, name in (("features_from", "features"), ("model", "inference")):
            if getattr(self, own) is not None and getattr(self, name) is not None:
                raise SettingsError(
                    f"{flag_of(CallSettings, own)} is for a service that the run starts, and --{name} names another one"
                )

    def inference_address(self) -> ServiceAddress | None:
        """Where the inference service is; ``None``: the run starts one of its own.

        Raises:
            SettingsError: it is no address.
        """
        return None if self.inference is None else parsed_service(self.inference, "--inference")

    @property
    def calls_in_flight(self) -> int:
        """Calls in flight at once, as set or by the kind of call."""
        return self.in_flight or (8 if self.rpc == "unary" else 3)


_NEEDS: Final = (
    ("tls_cert", "tls_ca"),
    ("tls_cert", "tls_key"),
    ("tls_key", "tls_cert"),
    ("token_file", "tls_ca"),
    ("token_endpoint", "tls_ca"),
    ("token_endpoint", "client_id"),
    ("token_endpoint", "client_secret_file"),
    ("client_id", "token_endpoint"),
    ("client_secret_file", "token_endpoint"),
    ("token_scope", "token_endpoint"),
)
"""A setting, and another without which it makes no sense. A secret travels over TLS only."""


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """How the channels to the services are secured. Every file here is read again when it changes."""

    tls_ca: str | None = setting(
        None, "Certificates of the authorities of the services, PEM; turns TLS on.", shows="FILE"
    )
    tls_cert: str | None = setting(None, "Client certificate for mutual TLS, PEM.", shows="FILE")
    tls_key: str | None = setting(None, "Private key of the client certificate, PEM.", shows="FILE")
    token_file: str | None = setting(None, "File with the access token for the services.", shows="FILE")
    token_endpoint: str | None = setting(
        None,
        "Where to get access tokens (OAuth 2.0 client credentials), in place of --token-file: an https URL, or http to "
        "this machine.",
        shows="URL",
    )
    client_id: str | None = setting(None, "Client id at the token endpoint.", shows="ID")
    client_secret_file: str | None = setting(None, "File with the client secret.", shows="FILE")
    token_scope: str | None = setting(None, "Scopes to request, separated by spaces.", shows="TEXT")
    compression: Literal["none", "gzip"] = setting(
        "none",
        "gzip: compress requests and accept compressed answers; the servers need the same option. It pays on slow "
        "networks only: `latecomer bench --only security` prints below which speed.",
        kind="choice",
        choices=("none", "gzip"),
    )

    def __post_init__(self) -> None:
        for name, needed in _NEEDS:
            if getattr(self, name) is not None and getattr(self, needed) is None:
                raise SettingsError(f"{flag_of(ChannelSettings, name)} needs {flag_of(ChannelSettings, needed)}")
        if self.token_file is not None and self.token_endpoint is not None:
            raise SettingsError("--token-file and --token-endpoint cannot be used together")
