"""``latecomer revise``: predictions that later events have put in doubt, and what they would be by now."""

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from threading import Event
from typing import Any, Final

import click
import msgspec

from dataflows.connectors.table_files import check_output_table, write_lines
from dataflows.replay.amending import Amending, check_followed
from dataflows.replay.moves import Moves
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.replay.revisions import doubts, revised
from dataflows.services.client import ServiceClient
from dataflows.services.embedded import services_of
from dataflows.settings import AMEND_EVERY_MS, RUN_PREDICTIONS, RunSettings, replay_options, settings_of_run
from runtime.errors import SettingsError
from runtime.options import GroupedCommand
from runtime.python_process import end_with_input
from runtime.settings import setting, taken
from runtime.terminal import Terminal

__all__ = ["revise"]

_AT_ONCE: Final = 8_192
"""Predictions asked about together, each with two windows; many of them are the same."""

_LOOK_EVERY_S: Final = 0.5
"""How long a record may go unseen."""


@dataclass(frozen=True, slots=True)
class ReviseSettings:
    """What ``latecomer revise`` has beside the settings of a run."""

    output: str = setting(
        "latecomer-output/revisions.jsonl",
        "Where to write the predictions in doubt, as JSON lines or, if the name ends in .parquet, as Parquet. With "
        "--follow JSON lines, or a topic.",
        shows="FILE|kafka://...",
    )
    run_predictions: str = RUN_PREDICTIONS
    too_late: bool = setting(
        False, "Also count events that were TOO_LATE. Default: events that later windows accepted.", kind="switch"
    )
    follow: bool = setting(
        False, "Keep reading a topic until Ctrl-C, and amend each prediction soon after a late event.", kind="switch"
    )
    every_ms: int = setting(
        AMEND_EVERY_MS,
        "With --follow: pause between two amendments of one prediction, by the clock of the log.",
        flag="--every",
        kind="duration",
    )
    state: str | None = setting(
        None,
        "With --follow: file from which the command resumes when it is started again. Default: none, it begins with "
        "the first record of the topic.",
        shows="FILE",
    )
    stop_with_input: bool = setting(
        False,
        "With --follow: stop when standard input ends, as it does when the process that started this one dies.",
        kind="switch",
    )
    as_json: bool = setting(False, "Print the summary as one line of JSON.", flag="--json", kind="switch")

    def __post_init__(self) -> None:
        if self.every_ms < 1:
            raise SettingsError("--every must be above 0")
        if self.state is not None and not self.follow:
            raise SettingsError("--state needs --follow")
        if self.follow and self.too_late:
            raise SettingsError("--too-late cannot be used with --follow: such an event may be of any time")


@click.command(cls=GroupedCommand)
@replay_options("LATECOMER_REVISE_", ReviseSettings, ("predictions", "rejections"))
def revise(**options: Any) -> None:
    """Ask again about predictions that miss events which came later.

    A late event changes the windows that follow it, not the predictions that were made before. The command finds
    each of them, asks the services about its window with the events it missed, and writes what the prediction was, what
    it is now, and which records of the log changed it. With --follow it does so as late events come.
    """
    own = taken(ReviseSettings, options)
    messages = Terminal(stderr=True, quiet=options["quiet"])
    values = settings_of_run(options, own.run_predictions, messages.tell)
    if own.follow:
        _follow(RunSettings.of(**values), own, messages)
        return
    settings = RunSettings.of_replay(**values)
    check_output_table("--output", own.output, [("--input", settings.log.input)], (".jsonl", ".parquet"))
    replay = ReplayedLog(settings, say=messages.tell)
    counts: Counter[str] = Counter()
    moves = Moves()
    with messages.status("reading the log"), replay.asking() as client:
        write_lines(_lines(replay, client, counts, moves, too_late=own.too_late), own.output)
    if own.as_json:
        summary = {
            "predictions": counts["evaluations"],
            "in_doubt": moves.pairs,
            "events": counts["events"],
            **moves.summary(),
            "output": own.output,
        }
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
        return
    shown = Terminal(quiet=settings.quiet)
    kinds = "late or TOO_LATE events" if own.too_late else "late events"
    shown.tell(f"{moves.pairs:,} of {counts['evaluations']:,}, by {counts['events']:,} {kinds}", name="in doubt")
    for number, line in enumerate(moves.lines()):
        shown.tell(line, name=" " if number else "of these")
    shown.tell(own.output, name="in")
    for warning in replay.metrics.warnings.values():
        messages.warn(warning)


def _follow(settings: RunSettings, own: ReviseSettings, messages: Terminal) -> None:
    """Amend predictions until a signal; a second one ends it at once."""
    check_followed(settings, own.output, own.every_ms)
    stopped = Event()

    def stop(number: int, _: object) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    amending = Amending(settings, own.output, own.every_ms, own.state, messages.tell)
    with services_of(settings) as services, closing(ServiceClient(services, settings, amending.metrics)) as client:
        client.check()
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        if own.stop_with_input:
            end_with_input()
        messages.tell(f"amendments of {settings.log.input} go to {own.output} (Ctrl-C ends this)")
        while not stopped.is_set():
            amending.look(client, stopped.is_set)
            stopped.wait(_LOOK_EVERY_S)
        amending.save()
    moves = amending.moves
    if own.as_json:
        summary = {"records": amending.records, "amendments": moves.pairs, **moves.summary(), "output": own.output}
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
        return
    shown = Terminal(quiet=settings.quiet)
    shown.tell(f"{amending.records:,}", name="records")
    shown.tell(f"{moves.pairs:,} in {own.output}", name="amendments")
    for number, line in enumerate(moves.lines()):
        shown.tell(line, name=" " if number else "of these")


def _lines(
    replay: ReplayedLog, client: ServiceClient, counts: Counter[str], moves: Moves, *, too_late: bool
) -> Iterator[bytes]:
    """Each prediction in doubt, both of its windows asked about, as a line."""
    found = doubts(replay, counts, too_late=too_late)
    causes: set[str] = set()
    while batch := list(islice(found, _AT_ONCE)):
        for revision in revised(client, batch):
            causes.update(revision.doubt.because)
            yield revision.encoded(moves.take(revision.was, revision.now))
    counts["events"] = len(causes)
