"""Scores and features by device, over time: means, least and largest of steps, with marks where late events came."""

from typing import Any, Final

import msgspec
import polars as pl

from dataflows.browser.figures import TIME_AXIS
from dataflows.browser.fleet import Outputs, values_of
from dataflows.browser.time_steps import TimeSteps

__all__ = ["Series", "chart_of_fleet", "chart_over_time", "series_of"]

_STEPS_MAX: Final = 120
_NUMBERS_MAX: Final = 60_000
_DEVICES_MIN: Final = 10
"""A step is some pixels wide; all numbers together are a megabyte of a report."""

_DIGITS: Final = 6


class Series(msgspec.Struct, frozen=True):
    """What is drawn of one device.

    Attributes:
        time: the start of each step with an evaluation, ms.
        evaluations: in each.
        late: how many of them were of late events.
        values: of each value, in the order of their names: mean, least and largest in each step.
        overall: of each value the mean, least and largest of all evaluations.
    """

    time: list[int]
    evaluations: list[int]
    late: list[int]
    values: list[tuple[list[float | None], list[float | None], list[float | None]]]
    overall: list[tuple[float | None, float | None, float | None]]


def series_of(outputs: Outputs, devices: list[str]) -> tuple[list[str], dict[str, Series]]:
    """The names of the values, and the series of the first devices: of as many as fit in a report, ten at least.

    Args:
        outputs: of a run with at least one prediction.
        devices: in the order in which they are wanted.
    """
    names = values_of(outputs.predictions)
    number = max(_DEVICES_MIN, _NUMBERS_MAX // (_STEPS_MAX * max(len(names), 1)))
    wanted = devices[:number]
    assert outputs.start_ms is not None
    assert outputs.end_ms is not None
    steps = TimeSteps.of(outputs.start_ms, outputs.end_ms, _STEPS_MAX)
    found = outputs.predictions.filter(pl.col("device_id").is_in(wanted))
    cut = found.group_by("device_id", steps.start_of("at")).agg(
        pl.len().alias("evaluations"), (pl.col("cause") == "late_event").sum().alias("late"), *_three(names)
    )
    by_device = cut.sort("device_id", "time").partition_by("device_id", as_dict=True)
    overall = {row[0]: row[1:] for row in found.group_by("device_id").agg(_three(names)).iter_rows()}
    return names, {
        device: _series(by_device[(device,)], overall[device], len(names)) for device in wanted if device in overall
    }


def chart_over_time() -> dict[str, Any]:
    """The mean as a line, the least and the largest as a band, and marks in the colour of late events, by size."""
    x = {"field": "time", "type": "temporal", "scale": {"type": "utc"}, "axis": {**TIME_AXIS, "tickCount": 8}}
    y = {"type": "quantitative", "title": None, "scale": {"zero": False}, "axis": {"tickCount": 5}}
    return {
        "width": "container",
        "height": 240,
        "data": {"name": "rows"},
        "transform": [{"calculate": "utcFormat(datum.time, '%Y-%m-%d %H:%M:%S')", "as": "start"}],
        "encoding": {"x": x},
        "layer": [
            {
                "mark": {"type": "area", "color": "var(--blue)", "opacity": 0.2},
                "encoding": {"y": {**y, "field": "least"}, "y2": {"field": "largest"}},
            },
            {
                "mark": {"type": "line", "color": "var(--blue)", "strokeWidth": 1.5},
                "encoding": {"y": {**y, "field": "mean"}},
            },
            {
                "mark": {"type": "point", "color": "var(--blue)", "size": 12, "filled": True, "tooltip": True},
                "encoding": {"y": {**y, "field": "mean"}, "tooltip": _tooltip()},
            },
            {
                "transform": [{"filter": "datum.late > 0"}],
                "mark": {"type": "point", "color": "var(--orange)", "shape": "triangle-down", "filled": True},
                "encoding": {
                    "y": {**y, "field": "mean"},
                    "size": {"field": "late", "type": "quantitative", "legend": None,
                             "scale": {"range": [50, 160], "domainMin": 1}},
                    "tooltip": _tooltip(),
                },
            },
        ],
    }  # fmt: skip


def chart_of_fleet() -> dict[str, Any]:
    """A line from the least to the largest of each device, with a point at the mean; its height is yet to be given."""
    y = {"field": "device", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 130}}
    x = {"type": "quantitative", "title": None, "scale": {"zero": False}, "axis": {"tickCount": 5, "orient": "top"}}
    return {
        "width": "container",
        "data": {"name": "rows"},
        "encoding": {"y": y},
        "layer": [
            {
                "mark": {"type": "rule", "color": "var(--grey)", "strokeWidth": 2},
                "encoding": {"x": {**x, "field": "least"}, "x2": {"field": "largest"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 50, "color": "var(--blue)", "tooltip": True},
                "encoding": {"x": {**x, "field": "mean"}},
            },
        ],
    }


def _tooltip() -> list[dict[str, str]]:
    return [
        {"field": "start", "title": "from"},
        {"field": "mean", "title": "mean"},
        {"field": "least", "title": "least"},
        {"field": "largest", "title": "largest"},
        {"field": "evaluations", "title": "evaluations"},
        {"field": "late", "title": "of late events"},
    ]


def _three(names: list[str]) -> list[pl.Expr]:
    """Mean, least and largest of each value; of what is not finite nothing is said."""
    values = [pl.when(pl.col(name).is_finite()).then(pl.col(name).cast(pl.Float64)) for name in names]
    return [
        expression.round_sig_figs(_DIGITS).alias(f"{place}.{which}")
        for place, value in enumerate(values)
        for which, expression in enumerate((value.mean(), value.min(), value.max()))
    ]


def _series(table: pl.DataFrame, overall: tuple[float | None, ...], values: int) -> Series:
    columns = [tuple(table[f"{place}.{which}"].to_list() for which in range(3)) for place in range(values)]
    return Series(
        table["time"].to_list(),
        table["evaluations"].to_list(),
        table["late"].to_list(),
        columns,  # type: ignore[arg-type]  # three each
        [overall[3 * place : 3 * place + 3] for place in range(values)],  # type: ignore[misc]
    )
