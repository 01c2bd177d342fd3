"""What the job's process tells the run that started it, by files beside each other."""

from pathlib import Path

import pytest

from dataflows.flink_job.report import (
    REPORT_VARIABLE,
    JobReports,
    begin_reports,
    has_read_all,
    report_file,
    report_now,
    stop_file_of,
)
from dataflows.pipeline.metrics import Metrics
from dataflows.settings import RunSettings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That of a run, whose job reports to it."""
    monkeypatch.setenv(REPORT_VARIABLE, str(report_file(tmp_path)))
    return tmp_path


def test_the_run_counts_and_warns_as_its_job_did(folder: Path) -> None:
    job, run, said = Metrics(), Metrics(), []
    job.records.inc(3)
    job.rejections.labels("TOO_LATE").inc(2)
    job.warn("kind", "a warning")
    report_now(job)
    run = Metrics(said.append)
    run.records.inc(10)
    JobReports(run, folder).take()
    assert run.value("latecomer_records_total") == 13
    assert run.by_reason()["TOO_LATE"] == 2
    assert said == ["a warning"]


def test_what_a_job_reports_while_it_goes_on_is_counted_once(folder: Path) -> None:
    job, said = Metrics(), []
    run = Metrics(said.append)
    reports = JobReports(run, folder)
    reports.take()  # nothing is there yet
    assert run.value("latecomer_records_total") == 0
    for number in range(1, 4):
        job.records.inc(5)
        job.clamped.labels("0").inc()
        job.clamped.labels("1").inc(2)
        job.caused("INVALID", "key", f"0/{number}")
        job.caused("INVALID", f"time {number}", f"1/{number}")
        job.warn("kind", "a warning")
        report_now(job)
        for _ in range(2):
            reports.take()
        assert run.value("latecomer_records_total") == 5 * number
        assert run.value("latecomer_arrivals_clamped_total", partition="1") == 2 * number
        assert run.commonest_cause("INVALID") == ("INVALID", "key", number, "0/1")
    assert run.report()["causes"] == job.report()["causes"]
    assert said == ["a warning"]


def test_the_last_report_counts_and_no_half_of_one_is_left(folder: Path) -> None:
    job, run = Metrics(), Metrics()
    for _ in range(2):
        job.records.inc(5)
        report_now(job)
    JobReports(run, folder).take()
    assert run.value("latecomer_records_total") == 10
    assert [path.name for path in folder.iterdir()] == [report_file(folder).name]


def test_a_job_that_no_local_run_started_reports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REPORT_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    report_now(Metrics())
    begin_reports(Metrics())
    assert list(tmp_path.iterdir()) == []
    assert stop_file_of(RunSettings.of(bounded=True, input="kafka://a:1/b", folder="state")) is None


def test_a_job_with_a_state_and_an_end_waits_to_be_stopped(folder: Path) -> None:
    file = stop_file_of(RunSettings.of(bounded=True, folder="state"))
    assert file is not None
    assert not has_read_all(folder)
    file.touch()
    assert has_read_all(folder)


@pytest.mark.parametrize("values", [{"bounded": True}, {"folder": "state"}])
def test_a_job_without_a_state_or_without_an_end_is_not_stopped(folder: Path, values: dict[str, object]) -> None:
    assert stop_file_of(RunSettings.of(**values)) is None
