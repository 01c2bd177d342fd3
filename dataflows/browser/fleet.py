"""What the outputs of a run say about each device: how many events came late, how far it moved, if it is silent."""

from typing import Final, NamedTuple

import polars as pl

from window_core import CAUSES, REASONS

__all__ = ["DRIFT_LIMIT", "Outputs", "devices_of", "drift_of", "values_of"]

DRIFT_LIMIT: Final = 3.5
"""Of a modified z-score: B. Iglewicz and D. Hoaglin, "How to Detect and Handle Outliers", 1993."""

_MAD_TO_SD: Final = 1.4826
"""What makes the median absolute deviation of normal values their standard deviation."""

_EVALUATIONS_MIN: Final = 8
_DEVICES_MIN: Final = 5
"""For a first and a last quarter, and for a fleet that one of its devices can differ from."""

_LONGER_THAN: Final = 2
"""A device is silent that has been so for more than this many times its longest pause before."""


class Outputs(NamedTuple):
    """The outputs of a run, as ``replay.tables`` gives them, with their instants as ms in place of datetimes.

    Attributes:
        predictions: with ``at``, the arrival of the event or the instant of the tick.
        rejections: with ``at``, the arrival or the instant of the evaluation; null where an INVALID has none that is in
            the time of the run.
        start_ms: the first instant of the run; ``None`` where there is none.
        end_ms: its last.
    """

    predictions: pl.DataFrame
    rejections: pl.DataFrame
    start_ms: int | None
    end_ms: int | None

    @classmethod
    def of(cls, predictions: pl.DataFrame, rejections: pl.DataFrame) -> "Outputs":
        """The outputs of two tables, each once, should they have been delivered again."""
        predictions = predictions.unique("evaluation_id", keep="first", maintain_order=True)
        rejections = rejections.unique(["position", "reason", "evaluation_id"], keep="first", maintain_order=True)
        predictions = _in_ms(predictions).with_columns(pl.col("as_of").alias("at"))
        rejections = _in_ms(rejections).with_columns(pl.coalesce("arrival", "as_of").alias("at"))
        valid = rejections.filter(pl.col("reason") != "INVALID")["at"]
        instants = pl.concat([predictions["at"], valid]).drop_nulls()
        start, end = (int(instants.min()), int(instants.max())) if len(instants) else (None, None)  # type: ignore[arg-type]
        in_time = pl.col("at").is_between(start, end) if start is not None else pl.lit(False)
        at = pl.when(in_time).then("at").alias("at")
        return cls(predictions, rejections.with_columns(at), start, end)


def values_of(predictions: pl.DataFrame) -> list[str]:
    """The names of the results and the features that are numbers: the results first, a double each."""
    kinds = (pl.Float64, pl.Float32)
    return [name for kind in kinds for name, dtype in predictions.schema.items() if dtype == kind]


def devices_of(outputs: Outputs) -> pl.DataFrame:
    """A row for each device, the worst first: with the largest share of late and rejected records.

    Returns:
        ``device``, ``records``, a number for each cause and each reason, ``share``, ``late_share``, ``last`` (arrival
        of its last accepted event, or null), ``silent_ms`` (from there to the end of the run), ``pause_ms`` (its
        longest before), ``is_silent``.
    """
    counts = _counted(outputs)
    rejected = [name for name in REASONS if name not in ("INVALID", "REFUSED")]
    pauses = (
        _accepted(outputs)
        .sort("at")
        .group_by("device_id")
        .agg(pl.col("at").last().alias("last"), pl.col("at").diff().max().alias("pause_ms"))
    )
    usual_pause = pauses["pause_ms"].median()
    silent_for = pl.lit(outputs.end_ms, pl.Int64) - pl.col("last")
    return (
        counts.join(pauses, on="device_id", how="left")
        .with_columns(
            pl.sum_horizontal("accepted", *rejected).alias("records"),
            silent_for.alias("silent_ms"),
            pl.col("pause_ms").fill_null(pl.lit(usual_pause, pl.Float64).cast(pl.Int64)),
        )
        .with_columns(
            (pl.sum_horizontal("late_event", *rejected) / pl.col("records")).fill_nan(0).alias("share"),
            (pl.sum_horizontal("late_event", "TOO_LATE") / pl.col("records")).fill_nan(0).alias("late_share"),
            (pl.col("silent_ms") > _LONGER_THAN * pl.col("pause_ms")).fill_null(False).alias("is_silent"),
        )
        .rename({"device_id": "device"})
        .sort("share", "records", "device", descending=[True, True, False])
    )


def drift_of(predictions: pl.DataFrame) -> pl.DataFrame:
    """How far each device moved, in each value, from the first to the last quarter of its evaluations.

    Returns:
        ``device``, ``value``, ``first``, ``last`` (the means of the quarters), ``score``: how many standard deviations
        its move is away from the fleet's, robustly estimated; the farthest first. No row where nothing can be said.
    """
    names = values_of(predictions)
    if predictions["device_id"].n_unique() < _DEVICES_MIN or not names:
        return pl.DataFrame(schema={"device": pl.String, "value": pl.String, "first": pl.Float64, "last": pl.Float64,
                                    "score": pl.Float64})  # fmt: skip
    place = pl.int_range(pl.len()).over("device_id") * 4 // pl.len().over("device_id")
    quarters = (
        predictions.sort("at", maintain_order=True)
        .with_columns(place.alias("quarter"))
        .filter(pl.len().over("device_id") >= _EVALUATIONS_MIN, pl.col("quarter").is_in([0, 3]))
        .group_by("device_id", "quarter")
        .agg(pl.col(name).cast(pl.Float64).mean() for name in names)
    )
    first, last = (
        quarters.filter(pl.col("quarter") == quarter)
        .drop("quarter")
        .unpivot(index="device_id", variable_name="value", value_name=name)
        for quarter, name in ((0, "first"), (3, "last"))
    )
    moved = first.join(last, on=["device_id", "value"]).with_columns((pl.col("last") - pl.col("first")).alias("move"))
    apart = (pl.col("move") - pl.col("move").median()).over("value")
    return (
        moved.with_columns(apart.alias("apart"))
        .with_columns(pl.col("apart").abs().median().over("value").alias("mad"))
        .filter(pl.col("mad") > 0)
        .with_columns((pl.col("apart") / (_MAD_TO_SD * pl.col("mad"))).alias("score"))
        .filter(pl.col("score").is_finite())
        .select(pl.col("device_id").alias("device"), "value", "first", "last", "score")
        .sort(pl.col("score").abs(), "device", "value", descending=[True, False, False])
    )


def _counted(outputs: Outputs) -> pl.DataFrame:
    """Of each device the number of each cause and each reason, and of its accepted events."""
    found = pl.concat(
        [
            outputs.predictions.select("device_id", pl.col("cause").alias("name")),
            outputs.rejections.select("device_id", pl.col("reason").alias("name")),
        ]
    ).drop_nulls("device_id")
    numbers = [(pl.col("name") == name).sum().alias(name) for name in (*CAUSES, *REASONS)]
    accepted = _accepted(outputs).group_by("device_id").agg(pl.len().alias("accepted"))
    return (
        found.group_by("device_id")
        .agg(numbers)
        .join(accepted, on="device_id", how="left")
        .with_columns(pl.col("accepted").fill_null(0))
    )


def _accepted(outputs: Outputs) -> pl.DataFrame:
    """The device and the arrival of each accepted event, one whose evaluation was refused among them."""
    refused = outputs.rejections.filter(pl.col("reason") == "REFUSED")
    both = [table.select("device_id", "at", "position") for table in (outputs.predictions, refused)]
    return pl.concat(both).drop_nulls("position")


def _in_ms(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(
        pl.col(name).dt.epoch("ms") for name, dtype in table.schema.items() if dtype.is_temporal()
    )
