"""What is made of the answers of Flink's REST interface, which here are a table by path."""

from types import SimpleNamespace
from typing import Any

import pytest

from dataflows.deployment import in_job_manager
from dataflows.deployment.in_job_manager import current_job, dispose, pending_records, report, stop

OLD, NEW = ({"jid": jid, "state": "RUNNING", "start-time": start} for jid, start in (("old", 999), ("new", 1_000)))
OVERVIEW = {"/jobs/overview": {"jobs": [NEW, OLD]}}
METRICS = "/jobs/new/vertices/{}/subtasks/metrics"
PENDING = "0.Source__events.pendingRecords"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The answer to each path, and to that of a savepoint one after the other, while the clock goes on to 600 s."""
    table: dict[str, Any] = {}

    def asked(path: str, body: Any = None) -> Any:
        answer = table[path]
        return answer.pop(0) if path.endswith("trigger") else answer

    monkeypatch.setattr(in_job_manager, "asked", asked)
    clock = SimpleNamespace(
        time=lambda: 1_764_396_000.5, monotonic=iter((0, 1, 599, 600)).__next__, sleep=lambda _: None
    )
    monkeypatch.setattr(in_job_manager, "time", clock)
    return table


def test_the_job_that_started_last_is_the_current_one(answers: dict[str, Any]) -> None:
    answers |= OVERVIEW
    assert current_job() == NEW


def test_without_a_job_nothing_is_reported_and_nothing_stopped(answers: dict[str, Any]) -> None:
    answers["/jobs/overview"] = {"jobs": []}
    assert report() == {"job": None}
    assert stop() == {"state": None}


def test_pending_records_are_summed_over_all_sources(answers: dict[str, Any]) -> None:
    for vertex, pending in (("a", 3.0), ("b", 4.0)):
        answers[METRICS.format(vertex)] = [{"id": PENDING}, {"id": "numLateRecords"}]
        answers[f"{METRICS.format(vertex)}?agg=sum&get={PENDING}"] = [{"id": PENDING, "sum": pending}]
    answers[METRICS.format("sink")] = [{"id": "numRecordsIn"}]
    assert pending_records("new", [{"id": "a"}, {"id": "sink"}, {"id": "b"}]) == 7.0


def test_pending_records_that_no_source_knows_yet_are_none_and_not_zero(answers: dict[str, Any]) -> None:
    answers[METRICS.format("a")] = []
    assert pending_records("new", [{"id": "a"}]) is None
    answers[METRICS.format("a")] = [{"id": PENDING}]
    answers[f"{METRICS.format('a')}?agg=sum&get={PENDING}"] = [{"id": PENDING, "sum": 0.0}]
    assert pending_records("new", [{"id": "a"}]) == 0.0


def test_a_report_holds_what_status_tells(answers: dict[str, Any]) -> None:
    answers |= OVERVIEW | {
        "/jobs/new/exceptions?maxExceptions=1": {"exceptionHistory": {"entries": [{"stacktrace": "java.lang.E: a"}]}},
        "/jobs/new/metrics?get=numRestarts,fullRestarts,uptime": [{"id": "uptime", "value": "5"}],
        "/jobs/new": {"vertices": [{"id": "a", "parallelism": 1}, {"id": "b", "parallelism": 4}]},
        "/jobs/new/checkpoints": {"counts": {"failed": 0}},
        METRICS.format("a"): [],
        METRICS.format("b"): [],
    }
    found = report()
    assert found == {
        "job": NEW,
        "parallelism": 4,
        "checkpoints": {"counts": {"failed": 0}},
        "lag": None,
        "metrics": {"uptime": "5"},
        "failure": "java.lang.E: a",
        "now": 1_764_396_000_500,
    }


def test_a_job_that_does_not_run_is_not_stopped(answers: dict[str, Any]) -> None:
    answers["/jobs/overview"] = {"jobs": [{**NEW, "state": "RESTARTING"}]}
    assert stop() == {"state": "RESTARTING"}


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"location": "s3://a/savepoint-1"}, {"savepoint": "s3://a/savepoint-1", "failure": None}),
        (
            {"failure-cause": {"stack-trace": "java.io.IOException: full"}},
            {"savepoint": None, "failure": "java.io.IOException: full"},
        ),
    ],
)
def test_stopping_waits_until_the_savepoint_is_done_or_has_failed(
    answers: dict[str, Any], operation: dict[str, Any], said: dict[str, Any]
) -> None:
    answers |= OVERVIEW | {"/jobs/new/stop": {"request-id": "trigger"}}
    done = {"status": {"id": "COMPLETED"}, "operation": operation}
    answers["/jobs/new/savepoints/trigger"] = [{"status": {"id": "IN_PROGRESS"}}, done]
    assert stop() == said


def test_a_savepoint_that_does_not_end_is_given_up_after_ten_minutes(answers: dict[str, Any]) -> None:
    answers |= OVERVIEW | {"/jobs/new/stop": {"request-id": "trigger"}}
    answers["/jobs/new/savepoints/trigger"] = [{"status": {"id": "IN_PROGRESS"}}] * 3
    assert "no savepoint" in str(stop()["failure"])


def test_a_savepoint_is_removed_once_flink_says_so_or_says_why_not(answers: dict[str, Any]) -> None:
    answers["/savepoint-disposal"] = {"request-id": "trigger"}
    in_progress = {"status": {"id": "IN_PROGRESS"}}
    failed = {"failure-cause": {"stack-trace": "java.io.IOException: gone"}}
    answers["/savepoint-disposal/trigger"] = [in_progress, {"status": {"id": "COMPLETED"}, "operation": failed}]
    assert dispose("s3://a/savepoint-1")["failure"] == "java.io.IOException: gone"


def test_a_savepoint_that_does_not_go_is_given_up_after_ten_minutes(answers: dict[str, Any]) -> None:
    answers["/savepoint-disposal"] = {"request-id": "trigger"}
    answers["/savepoint-disposal/trigger"] = [{"status": {"id": "IN_PROGRESS"}}] * 3
    assert "not removed" in str(dispose("s3://a/savepoint-1")["failure"])
