"""Every setting of ``latecomer run``: the groups, and what only makes sense for several of them together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from dataflows.settings.calls import CallSettings, ChannelSettings
from dataflows.settings.log import KAFKA_SCHEME, BrokerSettings, LogSettings
from dataflows.settings.window import WindowSettings
from runtime.durations import duration_text
from runtime.errors import SettingsError
from runtime.options import Command, settings_options
from runtime.settings import composed, flag_of, group, setting
from runtime.traces import TRACES_TEXT, check_collector
from window_core import DEMO_SENSORS

__all__ = [
    "AMEND_EVERY_MS",
    "OF_A_LIVE_RUN",
    "VARIABLE_PREFIX",
    "OutputSettings",
    "RunSettings",
    "StateSettings",
    "replay_options",
    "run_options",
]

VARIABLE_PREFIX: Final = "LATECOMER_RUN_"
"""How the variable of a setting begins in the environment; its option follows."""

AMEND_EVERY_MS: Final = 60_000
"""A device that comes back sends what it kept within seconds: one amendment then tells of all of it."""

_LONGEST_EPOCH_MS: Final = 86_400_000
"""A day. Bytewax overflows far above."""

_LONGEST_TRANSACTION_MS: Final = 300_000
"""From one checkpoint to the next; half of what the job asks the broker for, since a checkpoint takes its time."""

_NOBODY: Final = "localhost:1"
"""Stands for an inference service that is never asked."""

_PARALLELISM_MAX: Final = 720
"""The maximal parallelism of the Flink job, which never changes."""


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """Where predictions and rejections go."""

    predictions: str = setting(
        "latecomer-output/predictions.jsonl",
        "Predictions: JSON lines, or Parquet if the name ends in .parquet; - for standard output; or a Kafka topic.",
        flag="--output",
        shows="FILE|-|kafka://...",
    )
    rejections: str | None = setting(
        None,
        "Rejections, in the same forms. Default: a file or a topic named rejections beside the output.",
        shows="FILE|-|kafka://...",
    )
    delivery: Literal["at-least-once", "exactly-once"] = setting(
        "at-least-once",
        "Delivery guarantee of output topics. Exactly once needs Flink: transactions that end with its checkpoints.",
        kind="choice",
        choices=("at-least-once", "exactly-once"),
    )


@dataclass(frozen=True, slots=True)
class AmendmentSettings:
    """Whether predictions are amended while a run goes on."""

    amend: str | None = setting(
        None,
        "Also amend each prediction that a late event puts in doubt, in a process of its own: JSON lines, or a Kafka "
        "topic. Default: none is amended.",
        shows="FILE|kafka://...",
    )
    amend_every_ms: int = setting(
        AMEND_EVERY_MS,
        "Pause between two amendments of one prediction, by the clock of the log.",
        flag="--amend-every",
        kind="duration",
    )

    def __post_init__(self) -> None:
        if self.amend_every_ms < 1:
            raise SettingsError("--amend-every must be above 0")


@dataclass(frozen=True, slots=True)
class StateSettings:
    """Where a run keeps its state."""

    folder: str | None = setting(
        None,
        "Folder for the state. A run that was stopped or killed resumes from it when it is started again.",
        flag="--state",
        shows="DIR",
    )
    from_export: str | None = setting(
        None,
        "State to begin with where there is none yet: a file of latecomer state export, of either engine.",
        shows="FILE",
    )
    epoch_ms: int = setting(10_000, "Time between two checkpoints.", flag="--epoch", kind="duration")
    state_backend: Literal["heap", "rocksdb"] = setting(
        "heap",
        "Where Flink keeps windows: in memory, 7 kB each at 300 events, or on disk, which is slower.",
        kind="choice",
        choices=("heap", "rocksdb"),
    )

    def __post_init__(self) -> None:
        if self.epoch_ms < 1:
            raise SettingsError("--epoch must be above 0")
        if self.epoch_ms > _LONGEST_EPOCH_MS:
            raise SettingsError(f"--epoch must be at most {duration_text(_LONGEST_EPOCH_MS)}")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The settings of a run. Durations are in ms."""

    engine: Literal["bytewax", "flink"] = setting(
        "bytewax", "Stream processor that runs the pipeline.", kind="choice", choices=("bytewax", "flink")
    )
    parallelism: int = setting(
        1,
        "Processes on Bytewax, each with whole partitions of the topic; one where the input or an output is a file. "
        "Parallel subtasks on Flink.",
        kind="integer",
    )
    metrics_port: int | None = setting(
        None, "Port that serves metrics in Prometheus' format; 0 takes a free one. Default: no metrics.", kind="integer"
    )
    metrics_host: str = setting(
        "127.0.0.1", "Name or address that --metrics-port listens on; 0.0.0.0 for all.", shows="HOST"
    )
    traces: str | None = setting(None, TRACES_TEXT, shows="URL")
    web_port: int | None = setting(
        None, "Port of Flink's web page on this machine. Default: a free one, which is printed.", kind="integer"
    )
    quiet: bool = setting(False, "Print errors only: no progress and no summary.", kind="switch")
    log: LogSettings = group(LogSettings, "Input")
    outputs: OutputSettings = group(OutputSettings, "Output")
    amendments: AmendmentSettings = group(AmendmentSettings, "Amendments")
    broker: BrokerSettings = group(BrokerSettings, "Kafka brokers")
    window: WindowSettings = group(WindowSettings, "Window")
    state: StateSettings = group(StateSettings, "State")
    calls: CallSettings = group(CallSettings, "Services")
    channel: ChannelSettings = group(ChannelSettings, "Security of the channels to the services")

    def __post_init__(self) -> None:
        if self.parallelism < 1:
            raise SettingsError("--parallelism must be above 0")
        if self.parallelism > _PARALLELISM_MAX:
            raise SettingsError(f"--parallelism must be at most {_PARALLELISM_MAX}")
        for name in ("metrics_port", "web_port"):
            port = getattr(self, name)
            if port is not None and not 0 <= port < 65_536:
                flag = flag_of(RunSettings, name)
                raise SettingsError(f"{flag} must be a port, or 0 for a free one, not {port}")
        if self.traces is not None:
            check_collector(self.traces)
        self._check_security()
        if self.log.layout.sensors != DEMO_SENSORS and self.calls.model is None and self.calls.inference is None:
            raise SettingsError("--sensors needs --model or --inference: the default model is for the demo's sensors")
        if self.log.layout.sensors != DEMO_SENSORS and self.calls.rpc == "unary":
            raise SettingsError("--sensors needs --rpc batch or stream: the original demo's calls have its own")
        if self.state.from_export is not None and self.state.folder is None and self.engine != "flink":
            raise SettingsError("--from-export needs --state: Bytewax begins with a state that it keeps")
        if self.outputs.delivery == "exactly-once":
            self._check_exactly_once()

    def _check_security(self) -> None:
        inference = self.calls.inference_address()
        has_open_inference = inference is not None and bool(inference.is_secured)
        if self.channel.tls_ca is None:
            if has_open_inference:
                raise SettingsError("--inference oips:// needs --tls-ca: who may sign the certificate of the server")
            return
        if inference is None:  # services that a run starts are plain, on this machine
            raise SettingsError("--tls-ca needs --inference")
        if self.calls.features is None and not has_open_inference:
            raise SettingsError("--tls-ca needs --features")

    @classmethod
    def of(cls, **values: Any) -> Self:
        """The settings of the values of fields, whichever groups they belong to."""
        return composed(cls, values)

    @classmethod
    def of_replay(cls, **values: Any) -> Self:
        """The settings of a run on what the log holds now: a topic is read to its present end."""
        return cls.of(**values, bounded=str(values.get("input")).startswith(KAFKA_SCHEME))

    @classmethod
    def of_replay_without_model(cls, **values: Any) -> Self:
        """The same, where no model is asked, so that sensors of one's own need none."""
        return cls.of_replay(**values, inference=_NOBODY)

    def _check_exactly_once(self) -> None:
        if self.engine != "flink":
            raise SettingsError("--delivery exactly-once needs --engine flink: only Flink writes in transactions")
        if not self.log.is_topic:
            raise SettingsError("--delivery exactly-once is for Kafka; a file is written anew by each run")
        if self.state.epoch_ms > _LONGEST_TRANSACTION_MS:
            longest = duration_text(_LONGEST_TRANSACTION_MS)
            raise SettingsError(
                f"--epoch must be at most {longest} with --delivery exactly-once: a transaction lasts as long, and a "
                "broker aborts one that is open for longer than 10m"
            )


run_options: Final = settings_options(RunSettings, VARIABLE_PREFIX)
"""Gives a command every option of a run."""

OF_A_LIVE_RUN: Final = (
    "engine", "parallelism", "metrics_port", "metrics_host", "traces", "web_port",
    "start", "bounded", "heartbeat_ms", "group", "source_records", "source_wait_ms",
    "delivery", "amend", "amend_every_ms", "folder", "from_export", "epoch_ms", "state_backend", "batch_wait_ms",
)  # fmt: skip
"""What a replay has no use for: it reads a log to its end, without an engine and a state."""


def replay_options(
    prefix: str, own: type[Any] | None = None, leaving_out: tuple[str, ...] = ()
) -> Callable[[Command], Command]:
    """Gives a command the options of a run that decide what its outputs are, and where they are.

    Args:
        prefix: how their variables begin in the environment, as ``LATECOMER_VERIFY_``.
        own: settings of the command alone; ``taken`` takes them out of the values.
        leaving_out: fields that the command has no use for, beside those of a live run.
    """
    return settings_options(RunSettings, prefix, own=own, leaving_out=(*OF_A_LIVE_RUN, *leaving_out))
