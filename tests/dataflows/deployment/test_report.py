"""The lines of ``latecomer deploy status``, of what Flink and a cluster say."""

from typing import Any

import pytest

from dataflows.deployment.kubectl import DeployError
from dataflows.deployment.manifests import Manifests
from dataflows.deployment.report import status_lines
from tests.dataflows.deployment.cluster_of_objects import ClusterOfObjects, pod

MANIFESTS = Manifests("kind: Job\nmetadata: {name: latecomer-jobmanager, namespace: here}\n")
NOW_MS = 1_764_396_000_000


def job_manager(**more: Any) -> dict[str, Any]:
    labels = {"app": "latecomer", "component": "jobmanager"}
    return pod("manager-x", {"ready": True, "state": {"running": {}}, **more}, labels=labels)


def checkpoint(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, **more}


COMPLETED = checkpoint(
    7, latest_ack_timestamp=NOW_MS - 30_000, state_size=2_500_000, end_to_end_duration=400, external_path="s3://a/chk-7"
)


def report(
    lag: float | None = 0.0, failure: str | None = None, metrics: dict[str, str] | None = None, **latest: Any
) -> dict[str, Any]:
    return {
        "job": {"state": "RUNNING", "tasks": {"running": 4, "total": 4}},
        "parallelism": 2,
        "metrics": {"numRestarts": "3", "uptime": "7200000", **(metrics or {})},
        "lag": lag,
        "checkpoints": {"counts": {"failed": 3}, "latest": latest},
        "failure": failure,
        "now": NOW_MS,
    }


def told(said: dict[str, Any] | None, *pods: dict[str, Any]) -> tuple[dict[str, str], bool]:
    """The text of each line by its name, and whether all is well."""
    manager = {"kind": "Job", "metadata": {"name": "latecomer-jobmanager"}, "status": {"ready": 1}}
    cluster = ClusterOfObjects(manager, *(pods or [job_manager()]), report=said)
    lines, is_well = status_lines(cluster, MANIFESTS)
    width = len("latecomer-jobmanager")
    assert all(line[width : width + 2] == "  " for line in lines)
    return {line[:width].rstrip(): line[width + 2 :] for line in lines}, is_well


def test_a_job_that_is_well_is_told_in_a_line_each() -> None:
    lines, is_well = told(report(lag=1_234.0, completed=COMPLETED))
    assert is_well
    assert lines == {
        "latecomer-jobmanager": "up",
        "job": "running",
        "Flink": "RUNNING for 2 h, parallelism 2, restarted 3 times",
        "lag": "1,234 records not read yet",
        "checkpoint": "30.0 s ago, 2.5 MB in 0.4 s, 3 failed; s3://a/chk-7",
        "restarts": "none",
    }


def test_what_is_not_known_yet_is_said_to_be_so() -> None:
    lines, _ = told(report(lag=None, metrics={"numRestarts": "", "uptime": ""}))
    assert lines["lag"] == "not known yet"
    assert told(report(lag=0.0))[0]["lag"].startswith("0 records")
    assert lines["checkpoint"].startswith("none yet")
    assert lines["Flink"] == "RUNNING for 0.0 s, parallelism 2, restarted 0 times"


def test_an_older_flinks_name_of_the_restarts_is_read_too() -> None:
    assert told(report(metrics={"numRestarts": "", "fullRestarts": "9"}))[0]["Flink"].endswith("restarted 9 times")


def test_a_failed_checkpoint_is_told_until_a_later_one_completes() -> None:
    failed = checkpoint(8, failure_message="disk is full")
    assert told(report(completed=COMPLETED, failed=failed))[0]["failed"] == "checkpoint 8: disk is full"
    assert "failed" in told(report(failed=failed))[0]
    assert "failed" not in told(report(completed=COMPLETED, failed=checkpoint(6)))[0]


def test_the_last_failure_is_told_in_one_line() -> None:
    trace = "java.lang.Exception: outer one\nCaused by: java.io.IOException: disk is full\n\tat a.b(C.java:1)\n"
    assert told(report(failure=trace))[0]["last failure"] == "disk is full"


def test_pods_that_were_restarted_are_named_with_how_often() -> None:
    lines, is_well = told(report(), job_manager(restartCount=2), pod("features-1", {"restartCount": 1, "ready": True}))
    assert lines["restarts"] == "manager-x 2, features-1 1"
    assert is_well


def test_a_pod_in_trouble_is_told_and_nothing_is_well() -> None:
    broken = pod("features-1", {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}})
    lines, is_well = told(report(), job_manager(), broken)
    assert lines["trouble"] == "pod features-1: ImagePullBackOff: no such image"
    assert not is_well


def test_without_a_job_manager_that_answers_nothing_is_well() -> None:
    lines, is_well = told(None)
    assert lines["job"] == "starting  NOT READY"
    assert "no job manager" in lines["Flink"]
    assert not is_well


def test_what_the_operator_says_is_told_and_nothing_is_well() -> None:
    wanted = Manifests("kind: FlinkDeployment\nmetadata: {name: latecomer, namespace: here}\n")
    status = {"lifecycleState": "STABLE", "error": "a.ValidationException: no such mode"}
    metadata = {"name": "latecomer", "generation": 1}
    cluster = ClusterOfObjects(
        {"kind": "FlinkDeployment", "metadata": metadata, "status": status}, job_manager(), report=report()
    )
    lines, is_well = status_lines(cluster, wanted)
    assert any(line.split() == ["operator", *f"{SAYS} no such mode".split()] for line in lines)
    assert not is_well


SAYS = "the operator says of the FlinkDeployment latecomer:"


def test_a_pod_that_ended_once_and_is_not_ready_says_why() -> None:
    ended = job_manager(restartCount=1, ready=False, lastState={"terminated": {"message": "latecomer: no such topic"}})
    lines, is_well = told(report(), ended)
    assert lines["trouble"] == "pod manager-x has ended once: latecomer: no such topic"
    assert not is_well


def test_a_job_of_the_other_way_is_not_shown_as_missing() -> None:
    other = Manifests("kind: FlinkDeployment\nmetadata: {name: latecomer, namespace: here}\n")
    manager = {"kind": "Job", "metadata": {"name": "latecomer-jobmanager"}, "status": {"ready": 1}}
    with pytest.raises(DeployError, match="--overlay DIR"):
        status_lines(ClusterOfObjects(manager), other)
