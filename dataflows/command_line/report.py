"""``latecomer report``: what a run wrote, as one page for a browser."""

from pathlib import Path

import click

from dataflows.browser.assets import check_installation
from runtime.errors import SettingsError
from runtime.terminal import show

__all__ = ["report"]

_NAME = "report.html"


@click.command()
@click.argument("folder", default="latecomer-output", metavar="[DIR]")
@click.option(
    "--predictions", metavar="FILE", help="Predictions of the run. Default: predictions.jsonl or .parquet in DIR."
)
@click.option(
    "--rejections", metavar="FILE", help="Rejections of the run. Default: rejections.jsonl or .parquet in DIR."
)
@click.option("--to", "to", metavar="FILE", help=f"File to write. Default: {_NAME} beside the predictions.")
def report(folder: str, predictions: str | None, rejections: str | None, to: str | None) -> None:
    """Write a report of a run as one HTML file: lateness, rejections, evaluations, scores and features by device.

    DIR is the folder of the outputs; default: latecomer-output. The file holds all that it shows and draws with, and
    needs no network. It has the ids of devices, and their scores and features in steps of time.
    """
    check_installation("report")
    found = predictions or _in_folder(folder, "predictions"), rejections or _in_folder(folder, "rejections")
    for flag, path in zip(("--predictions", "--rejections"), found, strict=True):
        if not Path(path).is_file():
            raise SettingsError(f"{flag} {path} does not exist, or is no file")
    target = Path(to or Path(found[0]).with_name(_NAME))
    if target.is_dir() or not target.parent.is_dir():
        raise SettingsError(
            f"--to {target} is a folder" if target.is_dir() else f"--to {target}: there is no such folder"
        )
    from dataflows.browser.report import report_html, report_of  # polars is loaded when it is needed
    from dataflows.replay.tables import predictions_file, rejections_file

    made = report_of(predictions_file(found[0]), rejections_file(found[1]), f"Report of {Path(found[0]).parent}")
    target.write_text(report_html(made), encoding="utf-8")
    show(f"report in {target}" + (f": {made.empty}" if made.empty else ""))


def _in_folder(folder: str, name: str) -> str:
    """The output of a run in its folder, in the form that is there."""
    if not Path(folder).is_dir():
        raise SettingsError(
            f"{folder} is no folder: give that of a run's outputs; `latecomer run` makes latecomer-output"
        )
    paths = [Path(folder) / f"{name}.{ending}" for ending in ("jsonl", "parquet")]
    there = [path for path in paths if path.is_file()]
    if len(there) > 1:
        raise SettingsError(f"--{name} must be given: {folder} has both {there[0].name} and {there[1].name}")
    if not there:
        raise SettingsError(f"{folder} has no {name}.jsonl or {name}.parquet: name the file by --{name}")
    return str(there[0])
