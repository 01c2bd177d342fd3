"""Every setting of a run, in one place: its name, unit, default, and where the default comes from.

The command line of both engines is made from these fields, so a setting exists in one place only.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

from dataflows.settings.checks import check
from dataflows.settings.text import SettingsError, duration_text, parsed_addresses, parsed_duration_ms
from window_core import WindowSpec

__all__ = [
    "CHANNEL_SETTINGS",
    "KAFKA_SCHEME",
    "VARIABLE_PREFIX",
    "RunSettings",
    "SettingsError",
    "duration_text",
    "flag_of",
    "parsed_addresses",
    "parsed_duration_ms",
]

_SPEC: Final = WindowSpec()

KAFKA_SCHEME: Final = "kafka://"
"""What a location begins with that is a topic."""

VARIABLE_PREFIX: Final = "LATECOMER_RUN_"
"""What a setting begins with in the environment; behind it stands its option."""

CHANNEL_SETTINGS: Final = (
    "tls_ca",
    "tls_cert",
    "tls_key",
    "token_file",
    "token_endpoint",
    "client_id",
    "client_secret_file",
    "token_scope",
    "compression",
)
"""Those about the channels to the services, for whoever asks them without a run."""


def setting(default: object, text: str, *, flag: str | None = None, kind: str = "text", **more: object) -> Any:
    """A field with what the command line needs to know about it.

    Args:
        default: its value if it is not given.
        text: help, with the unit and the source of the default where it has one.
        flag: the option, if it is not the name of the field.
        kind: ``text``, ``integer``, ``duration``, ``switch`` or ``choice``.
        more: ``choices`` of a choice, ``shows`` for the form of its argument.
    """
    return field(default=default, metadata={"text": text, "flag": flag, "kind": kind, **more})


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of ``latecomer run``. Durations in ms."""

    engine: Literal["bytewax", "flink"] = setting(
        "bytewax", "What drives the windows.", kind="choice", choices=("bytewax", "flink")
    )
    input: str | None = setting(
        None,
        "Events: a file of JSON lines, - for standard input, or kafka://HOST:PORT[,HOST:PORT]/TOPIC. "
        "Default: a sample of its own.",
        shows="FILE|-|kafka://...",
    )
    output: str = setting(
        "latecomer-output/predictions.jsonl",
        "Predictions: JSON lines, or Parquet if the name ends in .parquet; - for standard output; or a Kafka topic.",
        shows="FILE|-|kafka://...",
    )
    rejections: str | None = setting(
        None,
        "Rejections, as the output. Default: a file or a topic named rejections beside the output.",
        shows="FILE|-|kafka://...",
    )
    format: Literal["json", "protobuf"] = setting(
        "json", "What the value of a Kafka record is; lines of a file are JSON.", kind="choice",
        choices=("json", "protobuf"),
    )  # fmt: skip
    bounded: bool = setting(False, "Stop at what the topic held at the start. A file is bounded anyway.", kind="switch")
    start: Literal["earliest", "latest"] = setting(
        "earliest", "Where a topic is read from, without a state.", flag="--from", kind="choice",
        choices=("earliest", "latest"),
    )  # fmt: skip
    heartbeat_ms: int | None = setting(
        None,
        "Write a heartbeat to each partition of the input this often, so that silent devices tick in time.",
        flag="--heartbeat",
        kind="duration",
    )
    kafka_properties: str | None = setting(
        None, "File with security.protocol, sasl.* and ssl.* properties, in librdkafka's names.", shows="FILE"
    )
    wait_for_broker_ms: int = setting(
        30_000, "How long to wait at the start for a broker that is not there.", flag="--wait-for-broker",
        kind="duration",
    )  # fmt: skip
    source_records: int = setting(1_000, "Records taken from a partition at once, at most.", kind="integer")
    source_wait_ms: int = setting(
        5, "Pause before a partition without new records is looked at again.", flag="--source-wait", kind="duration"
    )
    end_offsets: str | None = setting(
        None,
        "With --bounded: the offset behind the last record to read of each partition. Default: the ends at the start.",
        shows="N[,N...]",
    )
    delivery: Literal["at-least-once", "exactly-once"] = setting(
        "at-least-once",
        "What a topic holds of each output. Exactly once is Flink's, by transactions that end with its checkpoints.",
        kind="choice",
        choices=("at-least-once", "exactly-once"),
    )
    web_port: int | None = setting(
        None, "Port of Flink's web page on this machine. Default: a free one, which is told.", kind="integer"
    )
    state_backend: Literal["heap", "rocksdb"] = setting(
        "heap",
        "Where Flink keeps the windows: in memory, 7 kB each at 300 events, or on disk, slower.",
        kind="choice",
        choices=("heap", "rocksdb"),
    )
    metrics_port: int | None = setting(
        None, "Port of the metrics, in Prometheus' format; 0 takes a free one. Default: none.", kind="integer"
    )
    features: str | None = setting(
        None, "Address of the feature service. Default: one of its own, for this run.", shows="HOST:PORT[,...]"
    )
    inference: str | None = setting(
        None, "Address of the inference service. Default: one of its own, for this run.", shows="HOST:PORT[,...]"
    )
    rpc: Literal["stream", "batch", "unary"] = setting(
        "batch",
        "How the services are called: many windows a call, on a stream of calls, or one window a call as the original "
        "demo does. A service that knows only the last is called so anyway.",
        kind="choice",
        choices=("stream", "batch", "unary"),
    )
    batch_windows: int = setting(
        1_024, "Windows in one call, at most; an event that several of them hold goes once.", kind="integer"
    )
    batch_bytes: int = setting(
        3_500_000, "Bytes in one call, at most, below the 4 MiB a gRPC server takes by default.", kind="integer"
    )
    batch_wait_ms: int = setting(
        5, "How long a window waits for others to be called with, on Flink.", flag="--batch-wait", kind="duration"
    )
    in_flight: int | None = setting(None, "Calls under way at once. Default: 3, or 8 with --rpc unary.", kind="integer")
    timeout_ms: int = setting(
        10_000, "Deadline of one call; on a stream, of each answer.", flag="--timeout", kind="duration"
    )
    attempts: int = setting(
        4, "Attempts of one call, with growing pauses, before the run fails: pauses of 3.5 s in all.", kind="integer"
    )
    pause_ms: int = setting(
        500,
        "Pause before the second attempt of a call; each next one is twice as long.",
        flag="--pause",
        kind="duration",
    )
    tls_ca: str | None = setting(
        None,
        "Authorities of the services' certificates, PEM: turns TLS on. This and the files below may change meanwhile.",
        shows="FILE",
    )
    tls_cert: str | None = setting(None, "Certificate of our own to show, PEM (mutual TLS).", shows="FILE")
    tls_key: str | None = setting(None, "Its private key, PEM.", shows="FILE")
    token_file: str | None = setting(None, "File with the token that the services ask for.", shows="FILE")
    token_endpoint: str | None = setting(
        None, "Where to get tokens instead (OAuth 2.0, client credentials); https, or on this machine.", shows="URL"
    )
    client_id: str | None = setting(None, "Who we are to the token endpoint.", shows="ID")
    client_secret_file: str | None = setting(None, "File with the secret of that client.", shows="FILE")
    token_scope: str | None = setting(None, "What to ask tokens for, with spaces between.", shows="TEXT")
    compression: Literal["none", "gzip"] = setting(
        "none",
        "Of requests; answers are the servers' to compress. gzip pays on slow networks; the benchmark security tells "
        "below which speed.",
        kind="choice",
        choices=("none", "gzip"),
    )
    interval_ms: int = setting(_SPEC.interval_ms, "Length of the window.", flag="--interval", kind="duration")
    tick_ms: int = setting(
        _SPEC.tick_ms, "Time between two periodic evaluations of a device; 0: none.", flag="--tick", kind="duration"
    )
    idle_after_ms: int = setting(
        _SPEC.idle_after_ms, "A device silent for longer has no ticks.", flag="--idle-after", kind="duration"
    )
    forget_after_ms: int = setting(
        _SPEC.forget_after_ms, "A device silent for longer is forgotten.", flag="--forget-after", kind="duration"
    )
    max_ahead_ms: int = setting(
        _SPEC.max_ahead_ms, "How far an event may be ahead of its arrival.", flag="--max-ahead", kind="duration"
    )
    max_events: int = setting(_SPEC.max_events, "Events a window may hold; 24 bytes each.", kind="integer")
    until_ms: int | None = setting(
        None,
        "Arrival in ms since the Unix epoch up to which records are read and the clock runs. Default: the largest.",
        flag="--until",
        kind="integer",
        shows="MS",
    )
    state: str | None = setting(
        None, "Folder of the state: a run that was killed goes on from there when started again.", shows="DIR"
    )
    epoch_ms: int = setting(10_000, "Time between two savings of the state.", flag="--epoch", kind="duration")
    parallelism: int = setting(
        1, "Workers: threads of one process, so they help where the services are slow.", kind="integer"
    )
    quiet: bool = setting(False, "No progress and no summary; errors only.", kind="switch")

    @property
    def reads_kafka(self) -> bool:
        """Whether the input is a topic."""
        return self.input is not None and self.input.startswith(KAFKA_SCHEME)

    @property
    def has_end(self) -> bool:
        """Whether the input ends on its own."""
        return self.bounded or not self.reads_kafka

    @property
    def spec(self) -> WindowSpec:
        """The numbers of the window."""
        return WindowSpec(**{name.name: getattr(self, name.name) for name in fields(WindowSpec)})

    @property
    def calls_in_flight(self) -> int:
        """Calls under way at once, as set or by the kind of call."""
        return self.in_flight or (8 if self.rpc == "unary" else 3)

    def __post_init__(self) -> None:
        check(self, flag_of)


def flag_of(name: str) -> str:
    """The option of a setting."""
    for entry in fields(RunSettings):
        if entry.name == name:
            return entry.metadata["flag"] or "--" + name.replace("_", "-")
    raise KeyError(name)
