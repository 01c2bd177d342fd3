"""``latecomer compare``: two settings or more on one log, or the outputs of two runs."""

import sys
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from dataflows.connectors.table_files import check_output_table, write_lines, write_table
from dataflows.replay.comparison import Comparison, compared
from dataflows.replay.comparison_text import (
    comparison_json,
    comparison_lines,
    lab_json,
    lab_lines,
    runs_json,
    runs_lines,
)
from dataflows.replay.lateness_lab import lateness_lab
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.settings import (
    RUN_PREDICTIONS,
    CallSettings,
    ChannelSettings,
    RunSettings,
    WindowSettings,
    replay_options,
    settings_of_run,
)
from runtime.durations import parsed_duration_ms
from runtime.errors import SettingsError
from runtime.options import GroupedCommand, converted
from runtime.settings import changed, flag_of, options_of, setting, taken
from runtime.settings_file import read_settings
from runtime.terminal import Terminal, show

__all__ = ["compare"]

_OTHER: Final = "other_"


def _list(flag: str, text: str) -> Any:
    return setting((), f"{text}. One or several, separated by commas.", flag=flag, kind="names", shows="VALUE[,...]")


@dataclass(frozen=True, slots=True)
class CompareSettings:
    """What ``latecomer compare`` has beside the settings of a run."""

    of_interval: tuple[str, ...] = _list("--interval", "Length of the window")
    of_tick: tuple[str, ...] = _list("--tick", "Time between two periodic evaluations of a device; 0 turns them off")
    of_idle_after: tuple[str, ...] = _list("--idle-after", "Silence after which a device has no periodic evaluations")
    of_forget_after: tuple[str, ...] = _list("--forget-after", "Silence after which a device expires")
    of_max_ahead: tuple[str, ...] = _list("--max-ahead", "How far the time of an event may be ahead of its arrival")
    of_max_events: tuple[str, ...] = _list("--max-events", "Events that the window of one device may hold")
    against: str | None = setting(
        None,
        "File of the second setting, as latecomer run takes it by --config, such as a run record: its window, services"
        " and model. The log is that of the first.",
        shows="FILE",
    )
    other_model: str | None = setting(None, "Model of the second setting.", shows="FILE|MODULE:NAME")
    other_inference: str | None = setting(None, "Inference service of the second setting.", shows="HOST:PORT[,...]")
    other_features_from: str | None = setting(None, "Features of the second setting.", shows="MODULE:NAME")
    other_features: str | None = setting(None, "Feature service of the second setting.", shows="HOST:PORT[,...]")
    without_services: bool = setting(False, "Compare what is accepted, and no predictions.", kind="switch")
    run_predictions: str = RUN_PREDICTIONS
    output: str | None = setting(
        None, "Also write every pair of predictions that differs, as JSON lines or, with .parquet, as Parquet.",
        shows="FILE",
    )  # fmt: skip
    as_json: bool = setting(False, "Print one line of JSON.", flag="--json", kind="switch")

    @property
    def others(self) -> dict[str, str]:
        """What is other in the second setting, beside its window."""
        values = {
            field.name.removeprefix(_OTHER): getattr(self, field.name)
            for field in fields(self)
            if field.name.startswith(_OTHER)
        }
        return {name: value for name, value in values.items() if value is not None}

    def windows(self, one: WindowSettings) -> list[dict[str, int]]:
        """Every combination of what is listed; what is not has its value in ``one``."""
        lists = []
        for field in fields(WindowSettings):
            texts = getattr(self, "of_" + field.name.removesuffix("_ms"))
            values = [_number(field.name, text) for text in texts] or [getattr(one, field.name)]
            lists.append([(field.name, value) for value in values])
        return [dict(combination) for combination in product(*lists)]


_INSTEAD_OF: Final = {
    "model": "inference",
    "inference": "model",
    "features": "features_from",
    "features_from": "features",
}
"""What of the first setting is void in the second where this is given."""

_WINDOW: Final = tuple(field.name for field in fields(WindowSettings))


@click.command(cls=GroupedCommand)
@click.argument("runs", nargs=-1, metavar="[FIRST SECOND]")
@replay_options("LATECOMER_COMPARE_", CompareSettings, ("predictions", "rejections", *_WINDOW))
def compare(runs: tuple[str, ...], **options: Any) -> None:
    """Compare settings on one log, or the predictions of two runs.

    \b
    latecomer compare --interval 5h,10h,24h --tick 0,5m     what each would accept, and cost
    latecomer compare --interval 10h,12h                    that, and how predictions move
    latecomer compare --other-model new.json                how predictions move by another model
    latecomer compare --config a.toml --against b.toml      how they differ under two files of settings
    latecomer compare before.jsonl after.jsonl              how the predictions of two runs differ

    Of two settings the predictions are compared as well; of more they are only counted. FIRST and SECOND are the
    predictions of two runs, JSON lines or Parquet.
    """
    own = taken(CompareSettings, options)
    messages = Terminal(stderr=True, quiet=options["quiet"])
    if own.output is not None:
        check_output_table(
            "--output",
            own.output,
            [("the log or a run", one) for one in (*runs, options["input"])],
            (".jsonl", ".parquet"),
        )
    if runs:
        _compare_runs(runs, own)
        return
    defaults = {field.name: field.default for field in fields(WindowSettings)}
    settings = RunSettings.of_replay(**settings_of_run(options | defaults, own.run_predictions, messages.tell))
    replays = [ReplayedLog(one, say=messages.tell) for one in _all_settings(settings, own)]
    comparison = None if own.without_services or len(replays) > 2 else Comparison()
    with messages.status("reading the log"):
        rows = lateness_lab(replays[0], list(dict.fromkeys(replay.spec for replay in replays)))
        if comparison is not None:
            _ask(replays[0], replays[1], comparison, own.output)
    if own.as_json:
        _show_json(lab_json(rows) | ({} if comparison is None else comparison_json(comparison)))
        return
    show(*lab_lines(rows), *([] if comparison is None else comparison_lines(comparison)))
    for warning in replays[0].metrics.warnings.values():
        messages.warn(warning)


def _all_settings(settings: RunSettings, own: CompareSettings) -> list[RunSettings]:
    """The settings that are compared, two at least."""
    found = [changed(settings, **values) for values in own.windows(settings.window)]
    if own.against is not None:
        if own.others or len(found) > 1:
            raise SettingsError("--against has the second setting whole: it cannot be used with lists or --other-...")
        found.append(_against(settings, Path(own.against)))
    if own.others:
        if len(found) > 2:
            raise SettingsError(f"--other-... is for two settings, and there are {len(found)} windows")
        void = {_INSTEAD_OF[name]: None for name in own.others}
        found[1:] = [changed(found[-1], **(void | own.others))]
    if len(found) < 2:
        raise SettingsError("there is nothing to compare: list values, as in --interval 10h,12h, or name --other-model")
    return found


def _against(settings: RunSettings, file: Path) -> RunSettings:
    """The log of these settings under the window, the services and the model of a file."""
    options = {option.name: option for option in options_of(RunSettings)}
    given = read_settings(file, options.values(), "--against")
    names = [entry.name for group in (WindowSettings, CallSettings, ChannelSettings) for entry in fields(group)]
    try:
        second = {
            name: converted(options[name], given[name]) if name in given else options[name].default for name in names
        }
    except click.UsageError as error:
        raise SettingsError(f"--against {file}: {error.format_message()}") from None
    return changed(settings, **second)


def _ask(first: ReplayedLog, second: ReplayedLog, comparison: Comparison, output: str | None) -> None:
    """Compare the predictions of two settings."""
    with ExitStack() as stack:
        client = stack.enter_context(first.asking())
        has_same = all(getattr(first.settings, name) == getattr(second.settings, name) for name in ("calls", "channel"))
        clients = client, client if has_same else stack.enter_context(second.asking())
        found = compared(first, second, clients, comparison)
        lines = (one.encoded() for one in found if one.moved != 0)
        if output is None:
            deque(lines, maxlen=0)
        else:
            write_lines(lines, output)


def _compare_runs(runs: tuple[str, ...], own: CompareSettings) -> None:
    """Compare the predictions of two runs."""
    from dataflows.replay.run_comparison import compared_runs  # polars is loaded when it is needed
    from dataflows.replay.tables import predictions_file

    if len(runs) != 2:
        raise SettingsError("FIRST and SECOND are the predictions of two runs")
    for path in runs:
        if not Path(path).is_file():
            raise SettingsError(f"{path} does not exist, or is no file")
    comparison = compared_runs(*map(predictions_file, runs))
    if own.output is not None:
        write_table(comparison.differing, own.output)
    if own.as_json:
        _show_json(runs_json(comparison))
    else:
        show(*runs_lines(comparison))


def _show_json(shown: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(shown).decode() + "\n")


def _number(name: str, text: str) -> int:
    """A number of a window, as it is written."""
    try:
        return int(text) if name == "max_events" else parsed_duration_ms(text)
    except ValueError:
        raise SettingsError(
            f"{flag_of(WindowSettings, name)}: {text!r} is no value for it; write it like "
            f"{'1000,2000' if name == 'max_events' else '5h,10h'}"
        ) from None
