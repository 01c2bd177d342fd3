"""How a job is stopped, of what Flink answers in the pod of the job manager, or of what that pod logged last."""

import json
from typing import Any

import pytest

from dataflows.deployment.flink import disposed, job_manager_pod, job_report, stopped_with_savepoint
from dataflows.deployment.kubectl import DeployError
from tests.dataflows.deployment.cluster_of_objects import ClusterOfObjects, pod

LABELS = {"app": "latecomer", "component": "jobmanager"}
RUNNING = {"state": {"running": {}}, "ready": True}
WAITING = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}


class Stopping(ClusterOfObjects):
    """A cluster whose job manager answers so when it is told to stop; it is gone where it answers nothing."""

    def __init__(self, answer: dict[str, Any] | None, logs: str = "") -> None:
        super().__init__(pod("manager-x", RUNNING, labels=LABELS), logs={"manager-x": logs})
        self._answer = answer

    def run(self, *arguments: str, given: str | None = None, within_s: float = 60) -> str:
        if arguments[0] == "exec" and self._answer is not None:
            assert arguments[-1] in ("stop", "s3://a/old")
            assert "urllib" in str(given)
            return json.dumps(self._answer)
        return super().run(*arguments, given=given, within_s=within_s)


def refused(cluster: ClusterOfObjects) -> str:
    with pytest.raises(DeployError) as error:
        stopped_with_savepoint(cluster)
    return str(error.value)


def test_the_pod_of_the_job_manager_is_the_one_that_runs_and_stays() -> None:
    cluster = ClusterOfObjects(
        pod("other", RUNNING),
        pod("crashed", WAITING, labels=LABELS),
        pod("going", RUNNING, labels=LABELS, deletionTimestamp="2026-11-29T06:00:00Z"),
        pod("manager", RUNNING, labels=LABELS),
    )
    assert job_manager_pod(cluster) == "manager"
    assert job_manager_pod(ClusterOfObjects(*cluster.objects[:3])) is None


def test_a_job_manager_that_is_away_gives_no_report() -> None:
    manager = pod("manager", RUNNING, labels=LABELS)
    assert job_report(ClusterOfObjects(manager, report={"job": None})) == {"job": None}
    assert job_report(ClusterOfObjects(manager, report={"away": "connection refused"})) is None
    assert job_report(ClusterOfObjects(manager)) is None  # kubectl fails: the pod went meanwhile
    assert job_report(ClusterOfObjects(report={"job": None})) is None


def test_a_job_that_was_stopped_says_where_its_savepoint_is() -> None:
    assert stopped_with_savepoint(Stopping({"savepoint": "s3://a/savepoint-1-2", "failure": None})) == (
        "s3://a/savepoint-1-2"
    )


def test_a_savepoint_that_failed_is_told_with_its_cause() -> None:
    trace = "java.lang.Exception: outer one\nCaused by: java.io.IOException: disk is full\n\tat a.b(C.java:1)\n"
    assert refused(Stopping({"savepoint": None, "failure": trace})).endswith(": disk is full")


@pytest.mark.parametrize(("state", "says"), [("RESTARTING", "RESTARTING"), (None, " yet")])
def test_only_a_job_that_runs_is_stopped(state: str | None, says: str) -> None:
    line = refused(Stopping({"state": state}))
    assert says in line
    assert "None" not in line
    assert "no job manager" in refused(ClusterOfObjects())


LOG = """\
INFO  Triggering savepoint.
INFO  Savepoint stored in s3://a/savepoints/savepoint-0ab1c2-3d4e5f60718a.
INFO  Shutting down.
"""


@pytest.mark.parametrize("answer", [None, {"away": "connection reset"}])
def test_a_job_manager_that_went_before_it_answered_has_logged_its_savepoint(answer: dict[str, Any] | None) -> None:
    assert stopped_with_savepoint(Stopping(answer, LOG)) == "s3://a/savepoints/savepoint-0ab1c2-3d4e5f60718a"
    earlier = LOG.replace("0ab1c2", "ffffff")
    assert "savepoint-0ab1c2" in stopped_with_savepoint(Stopping(answer, earlier + LOG))


def test_a_job_manager_that_went_without_a_word_is_named() -> None:
    line = refused(Stopping({"away": "connection reset"}, "INFO  Shutting down.\n"))
    assert "manager-x" in line
    assert "connection reset" in line


def test_a_savepoint_is_removed_by_flink_or_the_cause_is_said() -> None:
    assert disposed(Stopping({"savepoint": None, "failure": None}), "s3://a/old") is None
    assert disposed(Stopping({"failure": "java.io.IOException: no such file\n"}), "s3://a/old") == "no such file"
    assert "connection reset" in str(disposed(Stopping({"away": "connection reset"}), "s3://a/old"))
    assert disposed(Stopping(None), "s3://a/old") is not None
    assert disposed(ClusterOfObjects(), "s3://a/old") == "no job manager is running"
