"""The report of a run, as what is drawn and as a command."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

from dataflows.browser.report import report_html, report_of
from dataflows.replay.tables import predictions_file, predictions_table, rejections_file, rejections_table
from tests.dataflows.browser.test_fleet import prediction, rejection
from tests.dataflows.commands import latecomer, latecomer_here, one_line
from window_core import CAUSES, REASONS


def test_every_output_of_a_run_is_counted_in_the_report(folder: Path) -> None:
    predictions = predictions_file(str(folder / "predictions.jsonl"))
    rejections = rejections_file(str(folder / "rejections.jsonl"))
    report = report_of(predictions, rejections, "a run")
    figures = {figure.name: figure for section in report.sections for figure in section.figures}
    for name, names, column in (
        ("evaluations-over-time", CAUSES, predictions["cause"]),
        (
            "rejections-over-time",
            [reason for reason in REASONS if reason in rejections["reason"]],
            rejections["reason"],
        ),
    ):
        sums = [sum(numbers) for numbers in list(zip(*figures[name].rows, strict=True))[1:]]
        assert sums == [(column == one).sum() for one in names]
        assert all(sums)
    late = sum(row[1] for row in figures["delays"].rows), sum(row[2] for row in figures["delays"].rows)
    assert late == ((predictions["cause"] == "late_event").sum(), (rejections["reason"] == "TOO_LATE").sum())
    assert {row[0] for row in figures["all-devices"].rows} == set(predictions["device_id"])
    assert report.detail is not None
    for series in report.detail.devices.values():
        assert len(series.time) == len(series.late) == len(series.values[0][0])
    assert sum(sum(series.evaluations) for series in report.detail.devices.values()) == len(predictions)


def test_means_least_and_largest_are_those_of_the_predictions(folder: Path) -> None:
    predictions = predictions_file(str(folder / "predictions.jsonl"))
    detail = report_of(predictions, rejections_table([]), "a run").detail
    assert detail is not None
    for device, series in detail.devices.items():
        of_device = predictions.filter(pl.col("device_id") == device)
        for place, name in enumerate(detail.values):
            values = of_device[name].cast(pl.Float64)
            wanted = (values.mean(), values.min(), values.max())
            assert series.overall[place] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("rejections", [[], [rejection(None, 0, 5, "INVALID", error="not_an_event")]])
def test_a_run_without_predictions_is_said_to_be_one(rejections: list[bytes]) -> None:
    report = report_of(predictions_table([]), rejections_table(rejections), "a run")
    assert report.empty is not None
    assert report.empty.startswith("This run has no")
    assert (report.sections, report.detail) == ([], None)


def test_a_run_of_rejections_alone_has_figures_of_them() -> None:
    lines = [rejection("a", 1, 5, "AHEAD_OF_CLOCK", event={"time": 99})]
    report = report_of(predictions_table([]), rejections_table(lines), "a run")
    assert report.empty is None
    assert report.detail is None
    assert report.sections[2].figures[0].rows == [(5, 1)]


def test_a_run_without_a_late_event_says_so_in_place_of_charts_of_nothing() -> None:
    report = report_of(
        predictions_table([prediction("a", seq, seq) for seq in range(3)]), rejections_table([]), "a run"
    )
    lateness = next(section for section in report.sections if section.title == "Lateness")
    assert [(list(figure.rows), figure.empty) for figure in lateness.figures] == [([], "No event was late.")] * 3


def test_names_of_others_cannot_end_the_data_of_the_document() -> None:
    name = "</script><script>alert(1)</script><!--"
    lines = [prediction(name, seq, seq, features={name: 1.0}) for seq in range(3)]
    document = report_html(report_of(predictions_table(lines), rejections_table([]), name))
    [data] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', document, re.DOTALL)
    assert json.loads(data)["title"] == name
    assert "<script>alert" not in document
    assert document.count("</script>") == 3


def test_the_command_writes_one_file_and_says_where(folder: Path, tmp_path: Path) -> None:
    finished = latecomer("report", folder, "--to", "page.html", cwd=tmp_path)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, b"report in page.html\n", b"")
    assert (tmp_path / "page.html").stat().st_size < 5_000_000


def test_a_report_on_parquet_is_the_report_on_lines(folder: Path, tmp_path: Path) -> None:
    for name in ("predictions", "rejections"):
        lines = folder / f"{name}.jsonl"
        pl.read_ndjson(lines, infer_schema_length=None).write_parquet(tmp_path / f"{name}.parquet")
    for place in (folder, tmp_path):
        assert latecomer_here("report", place, cwd=tmp_path).returncode == 0
    reports = [(place / "report.html").read_text().replace(str(place), "DIR") for place in (folder, tmp_path)]
    assert reports[0] == reports[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "nowhere is no folder: give that of a run's outputs; `latecomer run` makes latecomer-output"),
        ((".",), ". has no predictions.jsonl or predictions.parquet: name the file by --predictions"),
        (("two",), "--predictions must be given: two has both predictions.jsonl and predictions.parquet"),
        (("--predictions", "x", "--rejections", "y"), "--predictions x does not exist, or is no file"),
        (("one", "--to", "one"), "--to one is a folder"),
        (("one", "--to", "no/report.html"), "--to no/report.html: there is no such folder"),
    ],
)
def test_a_wrong_argument_is_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    for name in ("one/predictions.jsonl", "one/rejections.jsonl", "two/predictions.jsonl", "two/predictions.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    finished = latecomer_here("report", *arguments, cwd=tmp_path)
    assert (finished.returncode, one_line(finished.stderr)) == (2, f"latecomer: {said}")


def test_a_file_that_is_no_output_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "predictions.jsonl").write_text("no line of a run\n")
    (tmp_path / "rejections.jsonl").touch()
    finished = latecomer_here("report", tmp_path, cwd=tmp_path)
    assert finished.returncode == 1
    assert "holds no outputs of a run, or was cut" in one_line(finished.stderr)


def test_an_empty_run_gives_a_report_that_says_so(tmp_path: Path) -> None:
    for name in ("predictions.jsonl", "rejections.jsonl"):
        (tmp_path / name).touch()
    finished = latecomer_here("report", tmp_path, cwd=tmp_path)
    said = f"report in {tmp_path}/report.html: This run has no outputs: no prediction and no rejection.\n"
    assert (finished.returncode, finished.stdout.decode()) == (0, said)
