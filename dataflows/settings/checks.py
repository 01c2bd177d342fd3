"""Which settings of a run are wrong, alone or together: told in one line before anything starts."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from dataflows.settings.text import SettingsError, duration_text, parsed_addresses
from window_core import MAX_TIME_MS

if TYPE_CHECKING:
    from dataflows.settings import RunSettings

__all__ = ["check"]

FlagOf: TypeAlias = Callable[[str], str]

_LONGEST_WAIT_MS: Final = 86_400_000
"""A day. What waits for longer stands still for whoever watches it; gRPC and Bytewax overflow far above."""

_LONGEST_TRANSACTION_MS: Final = 300_000
"""From one saving of the state to the next; half of what the job asks the broker for, since a saving takes its time."""

_ABOVE_0: Final = (
    "batch_windows",
    "batch_bytes",
    "in_flight",
    "timeout_ms",
    "attempts",
    "epoch_ms",
    "parallelism",
    "heartbeat_ms",
    "source_records",
    "source_wait_ms",
)

_AT_MOST: Final = {
    "parallelism": 720,  # that of the Flink job, for good
    "source_records": 1_000_000,  # what the Kafka client gives at once
}

_OFFSETS: Final = re.compile(r"[0-9]{1,18}(,[0-9]{1,18})*")

_NEEDS: Final = (
    ("tls_cert", "tls_ca"),
    ("tls_cert", "tls_key"),
    ("tls_key", "tls_cert"),
    ("tls_ca", "features"),  # the services of a run's own are plain, on this machine
    ("tls_ca", "inference"),
    ("token_file", "tls_ca"),
    ("token_endpoint", "tls_ca"),
    ("token_endpoint", "client_id"),
    ("token_endpoint", "client_secret_file"),
    ("client_id", "token_endpoint"),
    ("client_secret_file", "token_endpoint"),
    ("token_scope", "token_endpoint"),
)
"""A setting, and another without which it makes no sense."""


def check(settings: "RunSettings", flag_of: FlagOf) -> None:
    """Check the settings of a run, each alone and all together.

    Raises:
        SettingsError: one is wrong; it names the option, by ``flag_of``.
    """
    for name in _ABOVE_0:
        if getattr(settings, name) is not None and getattr(settings, name) < 1:
            raise SettingsError(f"{flag_of(name)} must be above 0")
    for name in ("timeout_ms", "pause_ms", "epoch_ms"):
        if getattr(settings, name) > _LONGEST_WAIT_MS:
            raise SettingsError(f"{flag_of(name)} must be at most {duration_text(_LONGEST_WAIT_MS)}")
    for name, most in _AT_MOST.items():
        if getattr(settings, name) > most:
            raise SettingsError(f"{flag_of(name)} must be at most {most}")
    for name in ("metrics_port", "web_port"):
        port = getattr(settings, name)
        if port is not None and not 0 <= port < 65_536:
            raise SettingsError(f"{flag_of(name)} must be a port, or 0 for a free one, not {port}")
    if settings.until_ms is not None and not 0 <= settings.until_ms <= MAX_TIME_MS:
        raise SettingsError(
            f"--until must be ms since the Unix epoch, from 0 to {MAX_TIME_MS}, not {settings.until_ms}"
        )
    for name in ("features", "inference"):
        if getattr(settings, name) is not None:
            parsed_addresses(getattr(settings, name), flag_of(name))
    _check_kafka(settings)
    _check_channel(settings, flag_of)
    if settings.forget_after_ms < settings.idle_after_ms:
        forget, idle = duration_text(settings.forget_after_ms), duration_text(settings.idle_after_ms)
        raise SettingsError(f"--forget-after is {forget}, below --idle-after, {idle}")
    try:
        _ = settings.spec
    except ValueError as error:
        name, _, rest = str(error).partition(" ")
        raise SettingsError(f"{flag_of(name)} {rest}") from None


def _check_kafka(settings: "RunSettings") -> None:
    """What makes sense with one kind of input only."""
    if settings.delivery == "exactly-once":
        _check_exactly_once(settings)
    if settings.end_offsets is not None:
        if not (settings.reads_kafka and settings.bounded):
            raise SettingsError("--end-offsets is for Kafka with --bounded")
        if not _OFFSETS.fullmatch(settings.end_offsets):
            raise SettingsError(f"--end-offsets must be a number for each partition, not {settings.end_offsets!r}")
    if not settings.reads_kafka:
        if settings.format == "protobuf":
            raise SettingsError("--format protobuf is for Kafka; a line of a file is JSON")
        if settings.start == "latest":
            raise SettingsError("--from latest is for Kafka; a file is read from its beginning")
        if settings.heartbeat_ms is not None:
            raise SettingsError("--heartbeat is for Kafka; a file has its own clock")
    elif settings.bounded:
        if settings.heartbeat_ms is not None:
            raise SettingsError("--heartbeat cannot be used with --bounded: what it writes would not be read")
        if settings.start == "latest":
            raise SettingsError("--from latest cannot be used with --bounded: nothing would be read")
    elif settings.until_ms is not None:
        raise SettingsError("--until needs --bounded where the input is Kafka")


def _check_exactly_once(settings: "RunSettings") -> None:
    if settings.engine != "flink":
        raise SettingsError("--delivery exactly-once needs --engine flink: only Flink writes in transactions")
    if not settings.reads_kafka:
        raise SettingsError("--delivery exactly-once is for Kafka; a file is written anew by each run")
    if settings.epoch_ms > _LONGEST_TRANSACTION_MS:
        longest = duration_text(_LONGEST_TRANSACTION_MS)
        raise SettingsError(
            f"--epoch must be at most {longest} with --delivery exactly-once: a transaction lasts as long, and a "
            "broker aborts one that is open for longer than 10m"
        )


def _check_channel(settings: "RunSettings", flag_of: FlagOf) -> None:
    """A secret travels over TLS only, and is never an argument itself."""
    for name, needed in _NEEDS:
        if getattr(settings, name) is not None and getattr(settings, needed) is None:
            raise SettingsError(f"{flag_of(name)} needs {flag_of(needed)}")
    if settings.token_file is not None and settings.token_endpoint is not None:
        raise SettingsError("--token-file and --token-endpoint cannot be used together")
