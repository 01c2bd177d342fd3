"""``latecomer revise``: predictions that later events have put in doubt, and what they would be by now."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import click
import msgspec

from dataflows.connectors.table_files import check_output_table, write_lines
from dataflows.replay import Replay
from dataflows.replay.moves import Moves
from dataflows.replay.revisions import doubts, revised
from dataflows.services.client import ServiceClient
from dataflows.settings import RUN_PREDICTIONS, RunSettings, replay_options, settings_of_run
from runtime.options import GroupedCommand
from runtime.settings import setting, taken
from runtime.terminal import Terminal

__all__ = ["revise"]

_AT_ONCE: Final = 8_192
"""Predictions asked about together, each with two windows; many of them are the same."""


@dataclass(frozen=True, slots=True)
class ReviseSettings:
    """What ``latecomer revise`` has beside the settings of a run."""

    output: str = setting(
        "latecomer-output/revisions.jsonl",
        "Where to write the predictions in doubt, as JSON lines or, if the name ends in .parquet, as Parquet.",
        shows="FILE",
    )
    run_predictions: str = RUN_PREDICTIONS
    too_late: bool = setting(
        False, "Also count events that were TOO_LATE. Default: events that later windows accepted.", kind="switch"
    )
    as_json: bool = setting(False, "Print the summary as one line of JSON.", flag="--json", kind="switch")


@click.command(cls=GroupedCommand)
@replay_options("LATECOMER_REVISE_", ReviseSettings, ("predictions", "rejections"))
def revise(**options: Any) -> None:
    """Ask again about predictions that miss events which came later.

    A late event changes the windows that follow it, not the predictions that were made before. This finds each of
    these, asks the services about its window with the events it missed, and writes what it was, what it is now, and
    because of which records of the log.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what a service does is told in our one line
    own = taken(ReviseSettings, options)
    messages = Terminal(stderr=True, quiet=options["quiet"])
    settings = RunSettings.of_replay(**settings_of_run(options, own.run_predictions, messages.tell))
    check_output_table("--output", own.output, [("--input", settings.log.input)], (".jsonl", ".parquet"))
    replay = Replay(settings, say=messages.tell)
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


def _lines(
    replay: Replay, client: ServiceClient, counts: Counter[str], moves: Moves, *, too_late: bool
) -> Iterator[bytes]:
    """Each prediction in doubt, both of its windows asked about, as a line."""
    found = doubts(replay, counts, too_late=too_late)
    causes: set[str] = set()
    while batch := list(islice(found, _AT_ONCE)):
        for revision in revised(client, batch):
            causes.update(revision.doubt.because)
            yield revision.encoded(moves.take(revision.was, revision.now))
    counts["events"] = len(causes)
