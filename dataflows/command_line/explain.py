"""``latecomer explain``: why a prediction is what it is."""

import sys
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from dataflows.replay.finding_moments import MissingError, found_moment
from dataflows.replay.history import History
from dataflows.replay.moments import Moment, moment_of
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.settings import RunSettings, recorded, replay_options
from runtime.errors import SettingsError
from runtime.options import GroupedCommand, is_given
from runtime.settings import setting, taken
from runtime.terminal import Terminal
from runtime.written_files import naming
from window_core import MAX_TIME_MS

__all__ = ["explain"]

_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00Z")


@dataclass(frozen=True, slots=True)
class ExplainSettings:
    """The settings of ``latecomer explain`` alone."""

    at: str | None = setting(
        None,
        "With a device: the instant of its window, by the clock of arrivals, in ms since the Unix epoch or as ISO 8601 "
        "with a zone.",
        shows="MS|TIME",
    )
    rows: str | None = setting(
        None, "Also write the exact window to this file, as `latecomer ask --input` takes it.", shows="FILE"
    )
    without_services: bool = setting(
        False, "Ask no service: show everything but features and prediction.", kind="switch"
    )
    as_json: bool = setting(False, "Print the explanation as one line of JSON.", flag="--json", kind="switch")

    @property
    def at_ms(self) -> int | None:
        """The instant, in ms since the Unix epoch."""
        if self.at is None:
            return None
        if self.at.isdecimal():
            at_ms = int(self.at)
        else:
            try:
                at_ms = (datetime.fromisoformat(self.at) - _EPOCH) // timedelta(milliseconds=1)
            except (ValueError, TypeError):  # a time without a zone cannot be compared
                at_ms = -1
        if not 0 <= at_ms <= MAX_TIME_MS:
            raise SettingsError(f"--at must be ms since the Unix epoch, or as 2020-04-26T17:02:35Z, not {self.at}")
        return at_ms


@click.command(cls=GroupedCommand)
@click.argument("moment", metavar="EVALUATION_ID|POSITION|DEVICE")
@replay_options("LATECOMER_EXPLAIN_", ExplainSettings)
def explain(moment: str, **options: Any) -> None:
    """Explain an evaluation, a record, or the window of a device at a time.

    Shows the event and how late it was, the window, the readings behind each feature, rejections nearby, and events
    that belong in the window but arrived later, with the prediction that they would give. The settings are those
    that the run left beside its predictions (`--output`), unless options say otherwise; with --input alone, the options
    and their defaults hold.
    """
    messages = Terminal(stderr=True, quiet=options["quiet"])
    own = taken(ExplainSettings, options)
    asked = moment_of(moment, own.at_ms)
    if own.rows is not None and (Path(own.rows).is_dir() or not Path(own.rows).parent.is_dir()):
        raise SettingsError(f"--rows {own.rows} is no file in a folder that exists")
    has_own_log = is_given("input") and not is_given("predictions")  # then the record is of another run
    settings = RunSettings.of_replay(**(options if has_own_log else recorded(options, messages.warn)))
    with messages.status("reading the log"):
        replay, history = _found(settings, asked, messages)
    from dataflows.replay.explanation import explained, window_line  # with the services, longer to load than a log
    from dataflows.replay.explanation_text import explanation_lines
    from dataflows.services.embedded import services_here

    sensors = settings.log.layout.sensors
    asks = not own.without_services and history.rejected is None
    with replay.asking(services_here) if asks else nullcontext() as client:
        shown = explained(history, sensors, client)
    if own.rows is not None:
        if history.evaluation is None:
            raise SettingsError(f"--rows: there is no window at {asked}")
        with naming(own.rows):
            Path(own.rows).write_bytes(msgspec.json.encode(window_line(history.evaluation, sensors)) + b"\n")
    if own.as_json:
        sys.stdout.write(msgspec.json.encode(shown).decode() + "\n")
        return
    console = Terminal()
    for name, text in explanation_lines(shown):
        console.tell(text, name=name or " ")


def _found(settings: RunSettings, asked: Moment, messages: Terminal) -> tuple[ReplayedLog, History]:
    """The moment in the log, and the replay in which it was found.

    The last arrival of a whole topic may be a long search, and only the last ticks of a device depend on it: it is
    looked for if nothing was found without.
    """
    if settings.log.is_topic and settings.log.last_instant_ms is None:
        replay = ReplayedLog(settings, say=messages.tell, own_clocks=True)
        with suppress(MissingError):
            return replay, found_moment(replay, asked)
    replay = ReplayedLog(settings)
    return replay, found_moment(replay, asked)
