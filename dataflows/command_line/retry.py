"""``latecomer retry``: what was refused, and what could not be read, once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from dataflows.connectors.locations import is_kafka, rejections_beside
from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout
from dataflows.replay.appended import Appended
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.replay.retrying import Invalid, Rejections, readable_events, rejections_in, retried
from dataflows.replay.written_outputs import WrittenLines
from dataflows.settings import RUN_PREDICTIONS, RunSettings, replay_options, settings_of_run
from runtime.errors import SettingsError
from runtime.options import GroupedCommand
from runtime.settings import setting, taken
from runtime.terminal import Terminal

__all__ = ["retry"]


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """The settings of ``latecomer retry`` alone."""

    output: str = setting(
        "latecomer-output/retried.jsonl",
        "File of JSON lines, or topic, to which the predictions of REFUSED evaluations are added; one that it already "
        "holds is not asked about again.",
        shows="FILE|kafka://...",
    )
    events: str | None = setting(
        None,
        "Also write, as events, the INVALID records that the options for events can read now: to a topic, or to a "
        "file, which is overwritten.",
        shows="FILE|kafka://...",
    )
    run_predictions: str = RUN_PREDICTIONS


@click.command(cls=GroupedCommand)
@replay_options("LATECOMER_RETRY_", RetrySettings, ("predictions",))
def retry(**options: Any) -> int:
    """Send refused evaluations to the services once more, and read INVALID records with other options.

    The log is read again, so each evaluation has the window that it had. Running it twice writes nothing twice. Exit
    status: 0 if no evaluation is left, 1 if a service still refuses one.
    """
    own = taken(RetrySettings, options)
    messages, console = Terminal(stderr=True, quiet=options["quiet"]), Terminal(quiet=options["quiet"])
    settings = RunSettings.of_replay(**settings_of_run(options, own.run_predictions, messages.tell))
    place = settings.outputs.rejections or rejections_beside(settings.outputs.predictions)
    read = [place, ReplayedLog(settings).settings.log.input or ""]
    for flag, target in (("--output", own.output), ("--events", own.events)):
        if target is not None and _file(target) in map(_file, read):
            raise SettingsError(f"{flag} must be a place of its own, not {target}")
        read.append(target or "")
    lines = WrittenLines("--rejections", place, settings, messages.tell)
    try:
        rejections = rejections_in(lines)
    except msgspec.MsgspecError as error:
        raise SettingsError(f"--rejections {place} holds something else than rejections: {error}") from None
    left = _retry(own.output, settings, rejections, messages, console)
    if own.events is not None:
        _write_events(own.events, settings, list(rejections.invalid.values()), messages, console)
    return int(left > 0)


def _file(place: str) -> str:
    """A file by its whole path, links followed."""
    return place if is_kafka(place) else str(Path(place).resolve())


def _retry(output: str, settings: RunSettings, rejections: Rejections, messages: Terminal, console: Terminal) -> int:
    """Ask again about what was refused; how many evaluations are left."""
    if not rejections.refused:
        console.tell("0", name="refused")
        return 0
    with Appended("--output", output, settings, messages.tell) as appended:
        ids = rejections.refused.keys() - appended.ids
        known = len(rejections.refused) - len(ids)
        console.tell(f"{len(rejections.refused):,}, of which {known:,} are in {output}", name="refused")
        if not ids:
            return 0
        replay = ReplayedLog(settings, frozenset(rejections.refused[one] for one in ids), messages.tell)
        again: list[bytes] = []
        with replay.asking() as client, messages.status("asking again"):
            for record in retried(replay, client, ids):
                if record.kind == "predictions":
                    appended.write(record.value, record.key)
                else:
                    again.append(record.value)
    console.tell(f"{appended.written:,} predictions, added to {output}", name="answered")
    missing = len(ids) - appended.written - len(again)
    if missing:
        messages.warn(f"{missing:,} refused evaluations are not in the log under these settings")
    if again:
        first = msgspec.json.decode(again[0])
        said = f"{first['evaluation_id']}: {first['service']}, {first['status']}: {first['message']}"
        console.tell(f"{len(again):,}; the first is {said}", name="refused again")
    return len(again) + missing


def _write_events(
    place: str, settings: RunSettings, invalid: Sequence[Invalid], messages: Terminal, console: Terminal
) -> None:
    """Write what can be read now, in our own form."""
    replay = ReplayedLog(settings, say=messages.tell)
    if not is_kafka(place):
        Path(place).unlink(missing_ok=True)
    encoded = EventCodec(EventLayout(settings.log.layout.sensors)).encoded
    with Appended("--events", place, settings, messages.tell) as events:
        for logged in readable_events(replay, invalid):
            arrival_ms = None if is_kafka(place) else logged.arrival_ms
            events.write(encoded(logged.event, arrival_ms), logged.event.device_id, logged.arrival_ms)
    console.tell(f"{len(invalid):,}, of which {events.written:,} are events now, in {place}", name="invalid")
