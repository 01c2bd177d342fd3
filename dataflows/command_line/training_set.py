"""``latecomer training-set``: features at the times of labels, as they were known then."""

from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from dataflows.connectors.table_files import check_input_table, check_output_table, read_table, write_table
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.settings import RUN_PREDICTIONS, RunSettings, replay_options, settings_of_run
from runtime.errors import SettingsError
from runtime.options import GroupedCommand
from runtime.settings import setting, taken
from runtime.terminal import Terminal

__all__ = ["training_set"]

_PREFIX: Final = "LATECOMER_TRAINING_SET_"


@dataclass(frozen=True, slots=True)
class TrainingSetSettings:
    """What ``latecomer training-set`` has beside the settings of a run."""

    at: str | None = setting(
        None, "Labels: a CSV, TSV, JSON lines or Parquet file with a device and a time in each row.", shows="FILE"
    )
    output: str = setting(
        "latecomer-output/training-set.parquet",
        "Where to write the labels with their features: .parquet, .csv, .tsv or .jsonl.",
        shows="FILE",
    )
    as_known: bool = setting(
        False, "Features as they were known at the time of the label, from what had arrived by then. The default.",
        kind="switch",
    )  # fmt: skip
    as_of: bool = setting(
        False, "Features by event time: late readings are included as if they had arrived in time.", kind="switch"
    )
    run_predictions: str = RUN_PREDICTIONS
    label_device: str = setting("device_id", "Column of the labels with the device.", shows="COLUMN")
    label_time: str = setting(
        "time", "Column of the labels with the time: ms since the Unix epoch, or dates and times.", shows="COLUMN"
    )
    label_zone: str | None = setting(
        None,
        "Time zone of times without one, in the labels and, with --time-unit iso, in the log, such as Europe/Berlin.",
        flag="--time-zone",
        shows="ZONE",
    )

    def __post_init__(self) -> None:
        if self.at is None:
            raise SettingsError("--at must name a file of labels")
        if self.as_known and self.as_of:
            raise SettingsError("--as-known and --as-of exclude each other")
        check_input_table("--at", self.at)
        if self.label_zone is not None:
            try:
                ZoneInfo(self.label_zone)
            except (LookupError, ValueError, OSError):
                raise SettingsError(f"--time-zone {self.label_zone}: there is no such time zone") from None


_UNUSED: Final = ("predictions", "rejections", "time_zone", "inference", "model")


@click.command("training-set", cls=GroupedCommand)
@replay_options(_PREFIX, TrainingSetSettings, _UNUSED)
def training_set(**options: Any) -> None:
    """Write features for training: those of each device at the time of each label.

    The features are byte for byte those that a run would have computed at that moment, so nothing that came later can
    leak into them. The columns of the labels are kept; a row without a window has nulls. The window options must be
    those of the run that the model is for.
    """
    from dataflows.replay.labels import Labels  # polars is loaded when it is needed
    from dataflows.replay.training_processes import cores, split_training_set, worth_processes
    from dataflows.replay.training_set import feature_source
    from dataflows.replay.training_set import training_set as features_at
    from dataflows.services.own_means import OwnMeans

    own = taken(TrainingSetSettings, options)
    messages = Terminal(stderr=True, quiet=options["quiet"])
    zone = own.label_zone
    values = settings_of_run(options | {"time_zone": zone}, own.run_predictions, messages.tell)
    values["time_zone"] = (zone or values["time_zone"]) if values["time_unit"] == "iso" else None
    settings = RunSettings.of_replay_without_model(**values)
    assert own.at is not None
    check_output_table("--output", own.output, [("--at", own.at), ("--input", settings.log.input)])
    labels = Labels(
        read_table("--at", own.at, [own.label_device]),
        device=own.label_device,
        time=own.label_time,
        zone=None if zone is None else ZoneInfo(zone),
    )
    replay = ReplayedLog(settings, labels.by_device(), messages.tell)
    with feature_source(replay) as features, messages.status("reading the log"):
        if not own.as_of and isinstance(features, OwnMeans) and worth_processes(replay, labels):
            found = split_training_set(replay, labels, cores())
        else:
            found = features_at(replay, labels, features, as_of=own.as_of)
    write_table(found.table, own.output)
    missing = sum(found.missing.values())
    messages.tell(f"{len(found.table):,} rows, {len(found.table) - missing:,} with features, in {own.output}")
    if missing:
        counted = ", ".join(f"{why} {number:,}" for why, number in found.missing.most_common())
        messages.tell(f"{missing:,} rows without features: {counted}")
    if found.refusal is not None:
        messages.tell(f"the first refusal was {found.refusal.status}: {found.refusal.message}")
    if found.behind_the_end:
        messages.warn(f"labels later than the log, which have the features of its end: {found.behind_the_end:,}")
    for warning in replay.metrics.warnings.values():
        messages.warn(warning)
