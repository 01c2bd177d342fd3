"""``latecomer verify``: whether the outputs of a run are what they should be."""

import os
import sys
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click
import msgspec

from dataflows.replay.expected_outputs import expected_outputs, without_answers
from dataflows.replay.replay import Replay
from dataflows.replay.sample import Sample
from dataflows.replay.verification import FAULTS, Finding, Verification, first_difference
from dataflows.replay.written_outputs import WrittenOutputs
from dataflows.settings import RunSettings, recorded, replay_options
from runtime.errors import SettingsError
from runtime.options import GroupedCommand
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
        "Of an input topic that is read to its present end: how far a run under way may be behind it.",
        flag="--grace",
        kind="duration",
    )
    as_json: bool = setting(False, "Print what was found as one line of JSON.", flag="--json", kind="switch")

    def __post_init__(self) -> None:
        if self.devices and self.sample is not None:
            raise SettingsError("--devices and --sample cannot be used together")
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

    Reads the log again, asks the services again, and finds each output that is missing, other than it should be, too
    much or out of order. Byte-identical repeats are counted: at-least-once delivery allows them. The settings are those
    that the run left beside its predictions, unless options say otherwise. Exit status: 0 if the outputs are what they
    should be, 1 if not.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what a service does is told in our one line
    messages = Terminal(stderr=True)
    own = taken(VerifySettings, options)
    settings = RunSettings.of_replay(**recorded(options, messages.warn))
    written = WrittenOutputs(settings, messages.tell)  # before the log, which only grows: all of them are of it
    replay = Replay(settings, own.wanted, messages.tell)
    found = verified(written, replay, own, messages)
    if own.as_json:
        sys.stdout.write(_json(found) + "\n")
    else:
        _tell(found, Terminal())
    return int(not found.is_clean)


def verified(written: WrittenOutputs, replay: Replay, own: VerifySettings, messages: Terminal) -> Verification:
    """What is found.

    Raises:
        ServiceError: a service failed.
        BrokerError: records are gone meanwhile, or the broker is away.
        InputError: a file is damaged.
    """
    found = Verification(own.wanted, _behind_ms(replay, own.grace_ms))
    for kind, line in _watched(written, "outputs read", messages):
        found.see(*(without_answers(kind, line) if own.without_services else (kind, line)))
    for alike in _watched(expected_outputs(replay, asks=not own.without_services), "outputs compared", messages):
        found.expect(*alike)
    found.finish(written)
    return found


def _behind_ms(replay: Replay, grace_ms: int) -> int | None:
    """The instant up to which a run under way must have written everything; ``None``: the run has an end."""
    log = replay.settings.log
    if not log.is_topic or log.end_offsets is not None or log.until_ms is not None:
        return None
    end_ms = replay.log.end_ms(None)
    return None if end_ms is None else end_ms - grace_ms


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
