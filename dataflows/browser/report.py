"""The report of a run: one HTML file that asks no network for anything."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import polars as pl

from dataflows.browser.assets import document
from dataflows.browser.figures import Figure
from dataflows.browser.fleet import Outputs, devices_of, drift_of
from dataflows.browser.sections import device_figures, evaluation_figures, lateness_figures, rejection_figures
from dataflows.browser.series import Series, chart_of_fleet, chart_over_time, series_of
from dataflows.browser.time_steps import TimeSteps
from window_core import CAUSES, REASONS

__all__ = ["Detail", "Report", "report_html", "report_of"]

_STEPS_MAX: Final = 60
"""Bars of a chart over time that a phone can show."""


class Section(msgspec.Struct, frozen=True):
    """Figures under a heading."""

    title: str
    figures: list[Figure]


class Detail(msgspec.Struct, frozen=True):
    """Scores and features by device: the reader chooses which.

    Attributes:
        values: names of results and features, the results first.
        devices: of each device what is drawn, the worst first.
        number: of devices of the run, of which these are some.
        over_time: the chart of one device.
        fleet: the chart of all of them.
    """

    values: list[str]
    devices: Mapping[str, Series]
    number: int
    over_time: dict[str, Any]
    fleet: dict[str, Any]


class Report(msgspec.Struct, frozen=True):
    """All that a report says.

    Attributes:
        title: of the page.
        facts: what comes first, each with its name.
        empty: what is said of a run without outputs.
        sections: in their order.
        detail: ``None`` where there is no prediction.
    """

    title: str
    facts: list[tuple[str, str]]
    empty: str | None
    sections: list[Section]
    detail: Detail | None


def report_of(predictions: pl.DataFrame, rejections: pl.DataFrame, title: str) -> Report:
    """The report of the outputs of a run.

    Args:
        predictions: as ``replay.tables`` gives them.
        rejections: likewise.
        title: what the outputs are called.
    """
    outputs = Outputs.of(predictions, rejections)
    facts = _facts(outputs)
    if outputs.start_ms is None or outputs.end_ms is None:
        return Report(title, facts, _emptiness(outputs), [], None)
    devices = devices_of(outputs)
    steps = TimeSteps.of(outputs.start_ms, outputs.end_ms, _STEPS_MAX)
    worst, silent, drift, all_devices = device_figures(devices, drift_of(outputs.predictions))
    return Report(
        title,
        facts,
        None,
        [
            Section("Devices to look at", [worst, silent, drift]),
            Section("Lateness", lateness_figures(outputs, devices, steps)),
            Section("Rejections", rejection_figures(outputs, steps)),
            Section("Evaluations", evaluation_figures(outputs, steps)),
            Section("Fleet", [all_devices]),
        ],
        _detail(outputs, devices["device"].to_list()),
    )


def report_html(report: Report) -> str:
    """The report as one document, with all that draws it."""
    return document("report", report.title, report)


def _detail(outputs: Outputs, devices: Sequence[str]) -> Detail | None:
    if outputs.predictions.is_empty():
        return None
    names, series = series_of(outputs, list(devices))
    return Detail(names, series, len(devices), chart_over_time(), chart_of_fleet()) if names else None


def _facts(outputs: Outputs) -> list[tuple[str, str]]:
    causes = {name: int((outputs.predictions["cause"] == name).sum()) for name in CAUSES}
    reasons = {name: int((outputs.rejections["reason"] == name).sum()) for name in REASONS}
    devices = pl.concat([outputs.predictions["device_id"], outputs.rejections["device_id"]]).drop_nulls().n_unique()
    facts = [
        ("predictions", _counts(causes)),
        ("rejections", _counts(reasons)),
        ("devices", f"{devices:,}"),
        ("models", ", ".join(sorted(outputs.predictions["model_id"].drop_nulls().unique()))),
    ]
    if outputs.start_ms is not None and outputs.end_ms is not None:
        facts.append(
            ("time of the run", f"{_instant(outputs.start_ms)} to {_instant(outputs.end_ms)} (UTC, by arrival)")
        )
    return [(name, text) for name, text in facts if text]


def _emptiness(outputs: Outputs) -> str:
    if outputs.rejections.is_empty():
        return "This run has no outputs: no prediction and no rejection."
    return "This run has no prediction, and only INVALID records: see their errors in the rejections."


def _counts(counts: Mapping[Any, int]) -> str:
    named = ", ".join(f"{name} {number:,}" for name, number in counts.items() if number)
    return f"{sum(counts.values()):,}" + (f": {named}" if named else "")


def _instant(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
