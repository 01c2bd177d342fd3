"""The figures of a report: lateness, rejections, evaluations and the devices to look at."""

from typing import Final

import numpy as np
import polars as pl

from dataflows.browser.figures import Column, Figure, bars, bars_over_time, points
from dataflows.browser.fleet import DRIFT_LIMIT, Outputs
from dataflows.browser.time_steps import TimeSteps
from window_core import CAUSES, REASONS

__all__ = ["device_figures", "evaluation_figures", "lateness_figures", "rejection_figures"]

_DEVICES_DRAWN: Final = 20
_WORST: Final = 10
_LISTED_MAX: Final = 1_000
"""What a reader sees in a chart of devices, among the worst, and in the table of all devices."""

_DEVICE: Final = Column("device", "device", "text")
_RECORDS: Final = Column("records", "records")

_LATE: Final = ("late_event", "TOO_LATE")
_DELAYS: Final = (
    (1_000, "under 1 s"),
    (10_000, "1 s to 10 s"),
    (60_000, "10 s to 1 m"),
    (600_000, "1 m to 10 m"),
    (3_600_000, "10 m to 1 h"),
    (3 * 3_600_000, "1 h to 3 h"),
    (10 * 3_600_000, "3 h to 10 h"),
    (24 * 3_600_000, "10 h to 1 d"),
)
_LONGEST: Final = "over 1 d"
_NONE_LATE: Final = "No event was late."


def lateness_figures(outputs: Outputs, devices: pl.DataFrame, steps: TimeSteps) -> list[Figure]:
    """How late events came: distribution, over time, by device."""
    late = _late(outputs)
    delays, over_time = (_delays(late), steps.counts(late, "name", _LATE).rows()) if len(late) else ([], [])
    worst = devices.filter(pl.col("late_share") > 0).sort("late_share", "device", descending=[True, False])
    worst = worst.head(_DEVICES_DRAWN).with_columns(
        (pl.col(name) / pl.col("records")).alias(f"{name}_share") for name in _LATE
    )
    drawn = worst.select(
        "device", pl.col("late_event_share").alias("late_event"), pl.col("TOO_LATE_share").alias("TOO_LATE"), "records"
    )
    return [
        Figure(
            "delays",
            "How long late events were under way",
            f"Late and TOO_LATE events by their delay: arrival less time of the event. {_behind(outputs)}",
            [Column("delay", "delay", "text"), *map(_count, _LATE)],
            delays,
            bars("delay", _LATE, len(_DELAYS) + 1, "events"),
            _NONE_LATE,
        ),
        Figure(
            "lateness-over-time",
            "Late events over time",
            "By arrival.",
            [Column("time", "from", "time"), *map(_count, _LATE)],
            over_time,
            bars_over_time(_LATE),
            _NONE_LATE,
        ),
        Figure(
            "lateness-by-device",
            "Late events by device",
            f"Share of a device's records that were late or TOO_LATE: the {_DEVICES_DRAWN} largest.",
            [_DEVICE, *(Column(name, name, "share") for name in _LATE), _RECORDS],
            drawn.rows(),
            bars("device", _LATE, len(drawn), "share of records", percent=True),
            _NONE_LATE,
        ),
    ]  # fmt: skip


def rejection_figures(outputs: Outputs, steps: TimeSteps) -> list[Figure]:
    """Rejections by reason, over time."""
    rejections = outputs.rejections
    found = [name for name in REASONS if (rejections["reason"] == name).any()]
    nowhere = rejections["at"].null_count()
    note = (
        f" {nowhere:,} INVALID records have no arrival within the time of the run, and are not drawn."
        if nowhere
        else ""
    )
    return [
        Figure(
            "rejections-over-time",
            "Rejections by reason over time",
            f"By arrival, or the instant of the evaluation that was REFUSED.{note}",
            [Column("time", "from", "time"), *map(_count, found)],
            steps.counts(rejections, "reason", found).rows() if found else [],
            bars_over_time(found),
            "Nothing was rejected.",
        )
    ]  # fmt: skip


def evaluation_figures(outputs: Outputs, steps: TimeSteps) -> list[Figure]:
    """Evaluations by cause, over time."""
    return [
        Figure(
            "evaluations-over-time",
            "Evaluations by cause over time",
            "Each is one prediction: of an event, of a late event, or of a tick.",
            [Column("time", "from", "time"), *map(_count, CAUSES)],
            steps.counts(outputs.predictions, "cause", CAUSES).rows(),
            bars_over_time(CAUSES),
        )
    ]


def device_figures(devices: pl.DataFrame, drift: pl.DataFrame) -> list[Figure]:
    """The worst devices, those that are silent, those that drift, and all."""
    rejected = [name for name in REASONS if name not in ("INVALID", "REFUSED") and devices[name].sum() > 0]
    kinds = ["late_event", *rejected]
    worst = devices.filter(pl.col("share") > 0).head(_WORST)
    silent = devices.filter("is_silent").sort("silent_ms", "device", descending=[True, False]).head(_LISTED_MAX)
    moved = drift.head(_WORST).with_columns((pl.col("device") + ", " + pl.col("value")).alias("moved"))
    beyond = drift.filter(pl.col("score").abs() > DRIFT_LIMIT)["device"].n_unique()
    return [
        Figure(
            "worst-devices",
            "The ten worst devices",
            "Those with the largest share of records that were late or rejected.",
            [_DEVICE, *map(_count, kinds), _RECORDS, Column("share", "share", "share")],
            worst.select("device", *kinds, "records", "share").rows(),
            bars("device", kinds, len(worst), "records"),
            "No record was late or rejected.",
        ),
        Figure(
            "silent-devices",
            "Devices that fell silent",
            "At the end of the run they had sent nothing for more than twice their longest pause before.",
            [_DEVICE, Column("silent_ms", "silent for", "span"), Column("pause_ms", "longest pause", "span"),
             Column("last", "last event", "time")],
            silent.select("device", "silent_ms", "pause_ms", "last").rows(),
            empty="No device is silent.",
        ),
        Figure(
            "drift",
            "Devices that drift",
            "How far the mean of a value moved from the first to the last quarter of a device's evaluations, against "
            f"the moves of its fleet, in standard deviations. Beyond {DRIFT_LIMIT} (the lines): {beyond:,} devices.",
            [Column("moved", "device, value", "text"), Column("first", "first quarter", "number"),
             Column("last", "last quarter", "number"), Column("score", "deviations", "number")],
            moved.select("moved", "first", "last", "score").rows(),
            points("moved", "score", len(moved), "standard deviations from the fleet", (-DRIFT_LIMIT, DRIFT_LIMIT)),
            "Nothing can be said: there are fewer than five devices, or no value that moves.",
        ),
        Figure(
            "all-devices",
            "All devices",
            f"The worst first{f'; {_LISTED_MAX:,} of {len(devices):,}' if len(devices) > _LISTED_MAX else ''}.",
            [_DEVICE, _RECORDS, *map(_count, CAUSES), *map(_count, rejected),
             Column("share", "late or rejected", "share"), Column("last", "last event", "time")],
            devices.head(_LISTED_MAX).select("device", "records", *CAUSES, *rejected, "share", "last").rows(),
        ),
    ]  # fmt: skip


def _late(outputs: Outputs) -> pl.DataFrame:
    """A row for each late event that was taken and each that was too late: its name, its instant and its delay."""
    taken = outputs.predictions.filter(pl.col("cause") == "late_event").with_columns(pl.col("cause").alias("name"))
    left = outputs.rejections.filter(pl.col("reason") == "TOO_LATE").with_columns(pl.col("reason").alias("name"))
    both = pl.concat([table.select("name", "at", "event_time") for table in (taken, left)])
    return both.with_columns((pl.col("at") - pl.col("event_time")).alias("delay"))


def _delays(late: pl.DataFrame) -> list[tuple[str, int, int]]:
    limits = [limit for limit, _ in _DELAYS]
    labels = [*(label for _, label in _DELAYS), _LONGEST]
    taken, left = (
        np.bincount(np.digitize(late.filter(pl.col("name") == name)["delay"].to_numpy(), limits), minlength=len(labels))
        for name in _LATE
    )
    return list(zip(labels, taken.tolist(), left.tolist(), strict=True))


def _behind(outputs: Outputs) -> str:
    """How far the late events that were taken lay behind the newest of their windows."""
    late = outputs.predictions.filter(pl.col("cause") == "late_event")
    if late.is_empty():
        return "No late event was taken."
    minutes = ((late["newest"] - late["event_time"]) / 60_000).to_numpy()
    half, most, all_of_them = (float(number) for number in np.quantile(minutes, (0.5, 0.9, 1)))
    return (
        f"Half of the late events that were taken lay up to {half:,.0f} minutes behind the newest of their window, "
        f"nine in ten up to {most:,.0f}, all up to {all_of_them:,.0f}."
    )


def _count(name: str) -> Column:
    return Column(name, name)
