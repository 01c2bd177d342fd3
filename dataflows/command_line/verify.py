"""``latecomer verify``: whether the outputs of a run are what they should be."""

import signal
import sys
from collections.abc import Container, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from time import sleep
from typing import Any, Final, TypeVar

import click
import msgspec

from dataflows.replay.expected_outputs import expected_outputs, without_answers
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.replay.sample import Sample
from dataflows.replay.verification import FAULTS, Finding, Verification, first_difference
from dataflows.replay.verify_metrics import VerifyMetrics
from dataflows.replay.written_outputs import WrittenOutputs
from dataflows.settings import RunSettings, recorded, replay_options
from runtime.errors import SettingsError
from runtime.metrics_server import MetricsServer
from runtime.options import GroupedCommand, is_given
from runtime.settings import setting, taken
from runtime.terminal import Terminal

__all__ = ["verify"]

One = TypeVar("One")

_LINE_CHARACTERS_MAX: Final = 300
"""Of an output that is shown to a person."""

_STEP: Final = 1_000
"""Outputs between two looks of a person at how far it has come."""


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """The settings of ``latecomer verify`` alone."""

    devices: tuple[str, ...] = setting(
        (), "Look at the outputs of these devices only. Default: all.", kind="names", shows="ID[,...]"
    )
    sample: str | None = setting(
        None, "Look at the outputs of this share of the devices only, always the same ones.", shows="PERCENT%"
    )
    without_services: bool = setting(
        False,
        "Ask no service: compare everything but features, model and result. An evaluation may be a prediction or "
        "REFUSED.",
        kind="switch",
    )
    grace_ms: int = setting(
        60_000,
        "If the input is a topic without a given end: how far behind it a run that is still going may be.",
        flag="--grace",
        kind="duration",
    )
    follow: bool = setting(False, "Keep reading a topic and its outputs, as they grow, until Ctrl-C.", kind="switch")
    every_ms: int = setting(60_000, "With --follow: pause between two passes.", flag="--every", kind="duration")
    metrics_port: int | None = setting(
        None, "With --follow: port that serves metrics in Prometheus' format; 0 takes a free one. Default: no metrics.",
        kind="integer",
    )  # fmt: skip
    metrics_host: str = setting(
        "127.0.0.1", "Name or address that --metrics-port listens on; 0.0.0.0 for all.", shows="HOST"
    )
    as_json: bool = setting(False, "Print the findings as one line of JSON.", flag="--json", kind="switch")

    def __post_init__(self) -> None:
        if self.devices and self.sample is not None:
            raise SettingsError("--devices and --sample cannot be used together")
        if self.metrics_port is not None and not self.follow:
            raise SettingsError("--metrics-port needs --follow")
        if self.metrics_port is not None and not 0 <= self.metrics_port < 65_536:
            raise SettingsError(f"--metrics-port must be a port, or 0 for a free one, not {self.metrics_port}")
        if self.every_ms < 1:
            raise SettingsError("--every must be above 0")
        _ = self.wanted

    @property
    def wanted(self) -> Container[str]:
        """The devices whose outputs are looked at; empty: all."""
        if self.sample is None:
            return frozenset(self.devices)
        try:
            percent = float(self.sample.removesuffix("%"))
        except ValueError:
            percent = -1.0
        if not (self.sample.endswith("%") and 0 < percent <= 100):
            raise SettingsError(f"--sample must be a share of the devices such as 1%, not {self.sample}")
        return Sample(percent / 100)


@click.command(cls=GroupedCommand)
@replay_options("LATECOMER_VERIFY_", VerifySettings)
def verify(**options: Any) -> int:
    """Compare the outputs of a run with what the log gives.

    Reads the log again, asks the services again, and finds each output that is missing, different,
    unexpected or out of order. Byte-identical repeats are counted: at-least-once delivery allows them. The settings are
    those that the run left beside its predictions, unless options say otherwise. Exit status: 0 if the outputs are what
    they should be, 1 if not.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # both end it, also one in the background
        signal.signal(number, signal.default_int_handler)
    messages = Terminal(stderr=True, quiet=options["quiet"])
    own = taken(VerifySettings, options)
    values = recorded(options, messages.warn)
    if own.follow:
        return _follow(RunSettings.of(**_without_end(values)), own, messages)
    settings = RunSettings.of_replay(**values)
    found = verified(settings, own, messages)
    _show(found, own, quiet=settings.quiet)
    return int(not found.is_clean)


def verified(settings: RunSettings, own: VerifySettings, messages: Terminal) -> Verification:
    """What is found.

    Raises:
        SettingsError: there is no such log, or no such output.
        ServiceError: a service failed.
        BrokerError: records are gone meanwhile, or the broker is away.
        InputError: a file is damaged.
    """
    log = settings.log
    written = WrittenOutputs(settings, messages.tell)  # before the log, which only grows: all of them are of it
    is_under_way = log.is_topic and log.end_offsets is None and log.until_ms is None
    replay = ReplayedLog(settings, own.wanted, messages.tell)
    found = Verification(own.wanted, is_under_way=is_under_way)
    for kind, line in _watched(written, "outputs read", messages):
        found.see(*(without_answers(kind, line) if own.without_services else (kind, line)))
    with ExitStack() as stack:
        client = None if own.without_services else stack.enter_context(replay.asking())
        for alike in _watched(expected_outputs(replay, client), "outputs compared", messages):
            found.expect(*alike)
    clocks_ms = [clock_ms or 0 for clock_ms in replay.clocks_ms.values()]
    found.finish(written, max(clocks_ms) - own.grace_ms, min(clocks_ms) - own.grace_ms)
    return found


def _follow(settings: RunSettings, own: VerifySettings, messages: Terminal) -> int:
    """Look again and again at what is new, until Ctrl-C; what changes is told."""
    if not settings.log.is_topic:
        raise SettingsError("--follow needs an input from Kafka: a file does not go on")
    from dataflows.replay.live_verification import LiveVerification  # librdkafka is loaded when it is needed

    metrics, shown = VerifyMetrics(), ""
    live = LiveVerification(settings, own.wanted, own.grace_ms, messages.tell)
    with ExitStack() as stack:
        client = None if own.without_services else stack.enter_context(live.replay.asking())
        if own.metrics_port is not None:
            try:
                server = MetricsServer(metrics.registry, own.metrics_host, own.metrics_port)
            except OSError as error:
                raise OSError(f"--metrics-port {own.metrics_port}: {error.strerror}") from None
            stack.callback(server.close)
            messages.tell(f"metrics: {server.url}")
        with suppress(KeyboardInterrupt):
            while True:
                found = live.look(client)
                metrics.tell(found)
                told = ", ".join(f"{fault} {getattr(found, fault).count:,}" for fault in FAULTS)
                if told != shown:
                    messages.tell(f"{sum(found.seen.values()):,} outputs: {told}")
                    shown = told
                sleep(own.every_ms / 1000)
    _show(live.found, own, quiet=settings.quiet)
    return int(not live.found.is_clean)


def _without_end(values: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run, where its record says at which end it stopped: whoever follows goes on."""
    ends = ("end_offsets", "end_clock_ms", "until_ms")
    if any(map(is_given, ends)):
        raise SettingsError("--follow goes on: --until, --end-offsets and --end-clock cannot be used with it")
    return {name: value for name, value in values.items() if name not in ends or is_given(name)}


def _show(found: Verification, own: VerifySettings, *, quiet: bool) -> None:
    if own.as_json:
        sys.stdout.write(_json(found) + "\n")
    else:
        _tell(found, Terminal(quiet=quiet))


def _watched(values: Iterable[One], what: str, messages: Terminal) -> Iterator[One]:
    """The same; on a terminal a person sees how many there were."""
    with messages.status("starting") as status:
        for number, value in enumerate(values):
            if number % _STEP == 0:
                status.update(f"{number:,} {what}")
            yield value


def _json(found: Verification) -> str:
    findings = ("repeats", "pending", *FAULTS)
    shown: dict[str, Any] = {str(kind): number for kind, number in found.seen.items()}
    shown["expected"] = found.expected
    for name in findings:
        finding: Finding = getattr(found, name)
        shown[name] = {"count": finding.count, "first": finding.first}
    return msgspec.json.encode(shown).decode()


def _tell(found: Verification, console: Terminal) -> None:
    console.tell(", ".join(f"{number:,} {kind}" for kind, number in found.seen.items()), name="looked at")
    console.tell(f"{found.expected:,}", name="expected")
    console.tell(_counted(found.repeats, "byte for byte"), name="repeats")
    if found.pending.count:
        console.tell(_counted(found.pending, "within --grace"), name="not yet")
    for fault in FAULTS:
        finding: Finding = getattr(found, fault)
        console.tell(_counted(finding), name=fault)
        if finding.first is not None and "is" in finding.first:
            shown = finding.first["is"][:_LINE_CHARACTERS_MAX]
            said = (
                first_difference(finding.first["is"], finding.first["should_be"]) if fault == "differences" else shown
            )
            console.tell(said, name=" ")


def _counted(finding: Finding, comment: str = "") -> str:
    if finding.first is None:
        return "0"
    known = finding.first["evaluation_id"] or finding.first["position"] or "a line that is no output"
    at = finding.first["position"]
    where = f" ({at})" if at not in (None, known) else ""
    return f"{finding.count:,}{', ' * bool(comment)}{comment}; the first is {known}{where}"
