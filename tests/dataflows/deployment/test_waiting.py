"""How far each workload is, of the objects that a cluster gives, and when waiting ends."""

from typing import Any

import pytest

from dataflows.deployment import waiting
from dataflows.deployment.kubectl import DeployError
from dataflows.deployment.manifests import Manifests
from dataflows.deployment.waiting import progress, wait_until_ready
from tests.dataflows.deployment.cluster_of_objects import ClusterOfObjects, pod

JOB_MANAGER = pod(
    "latecomer-jobmanager-x",
    {"ready": True, "state": {"running": {}}},
    labels={"app": "latecomer", "component": "jobmanager"},
)


def manifests(*workloads: tuple[str, str]) -> Manifests:
    documents = (f"kind: {kind}\nmetadata: {{name: {name}, namespace: here}}\n" for kind, name in workloads)
    return Manifests("---\n".join(documents))


def found(kind: str, name: str, status: dict[str, Any], replicas: int = 2, generation: int = 5) -> dict[str, Any]:
    spec = {"replicas": replicas}
    return {"kind": kind, "metadata": {"name": name, "generation": generation}, "spec": spec, "status": status}


def state_of(kind: str, status: dict[str, Any], name: str = "a") -> tuple[str, bool]:
    """How far a workload of this status is."""
    return progress(ClusterOfObjects(found(kind, name, status)), manifests((kind, name)))[name]


UP = {"observedGeneration": 5, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (UP, ("2/2", True)),
        ({**UP, "availableReplicas": 1}, ("1/2", False)),
        ({**UP, "updatedReplicas": 1}, ("1/2", False)),
        ({**UP, "replicas": 3}, ("2/2", False)),  # an old pod still ends
        ({**UP, "observedGeneration": 4}, ("2/2", False)),  # the status is of what was there before
        ({}, ("0/2", False)),
    ],
)
def test_a_deployment_is_ready_once_all_its_pods_are_new_and_available(
    status: dict[str, Any], state: tuple[str, bool]
) -> None:
    assert state_of("Deployment", status) == state


READY = {"observedGeneration": 5, "readyReplicas": 2, "currentRevision": "b", "updateRevision": "b"}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (READY, ("2/2", True)),
        ({**READY, "readyReplicas": 1}, ("1/2", False)),
        ({**READY, "currentRevision": "a"}, ("2/2", False)),
        ({**READY, "observedGeneration": 4}, ("2/2", False)),
        ({}, ("0/2", False)),
    ],
)
def test_a_stateful_set_is_ready_once_all_its_pods_are_of_its_last_revision(
    status: dict[str, Any], state: tuple[str, bool]
) -> None:
    assert state_of("StatefulSet", status) == state


def test_a_job_is_done_once_it_has_succeeded_and_one_that_is_gone_had() -> None:
    assert state_of("Job", {"active": 1}) == ("running", False)
    assert state_of("Job", {"succeeded": 1}) == ("done", True)
    assert progress(ClusterOfObjects(), manifests(("Job", "a")))["a"] == ("done", True)


def test_the_job_manager_is_a_job_that_is_up_and_never_done() -> None:
    name = "latecomer-jobmanager"
    assert state_of("Job", {"ready": 1}, name) == ("up", True)
    assert state_of("Job", {"active": 1, "ready": 0}, name) == ("starting", False)
    assert progress(ClusterOfObjects(), manifests(("Job", name)))[name] == ("missing", False)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"lifecycleState": "STABLE", "observedGeneration": 5}, ("stable", True)),
        ({"lifecycleState": "STABLE", "observedGeneration": 4}, ("stable", False)),
        ({"lifecycleState": "UPGRADING", "observedGeneration": 5}, ("upgrading", False)),
    ],
)
def test_a_job_of_the_operator_is_ready_once_it_is_stable(status: dict[str, Any], state: tuple[str, bool]) -> None:
    assert state_of("FlinkDeployment", status) == state


def test_a_job_that_no_operator_has_looked_at_is_not_ready() -> None:
    text, is_ready = state_of("FlinkDeployment", {})
    assert "operator" in text
    assert not is_ready


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "FlinkDeployment"])
def test_a_workload_that_is_not_there_is_missing(kind: str) -> None:
    assert progress(ClusterOfObjects(), manifests((kind, "a")))["a"] == ("missing", False)


def report(state: str, running: int, failure: str | None = None) -> dict[str, Any]:
    return {"job": {"state": state, "tasks": {"running": running, "total": 4}}, "failure": failure}


def job_of(said: dict[str, Any] | None) -> tuple[str, bool]:
    cluster = ClusterOfObjects(found("Deployment", "a", UP), JOB_MANAGER, report=said)
    return progress(cluster, manifests(("Deployment", "a")))["job"]


def test_the_job_runs_once_all_its_tasks_do() -> None:
    assert job_of(report("RUNNING", 4)) == ("running", True)
    assert job_of(report("RUNNING", 3)) == ("running", False)
    assert job_of(report("CREATED", 0)) == ("created", False)


def test_a_job_that_starts_again_says_why() -> None:
    trace = "java.lang.Exception: outer one\n\tat a.b(C.java:1)\nCaused by: java.io.IOException: disk is full\n"
    assert job_of(report("RESTARTING", 0, trace)) == ("restarting (disk is full)", False)


@pytest.mark.parametrize("said", [None, {"job": None}, {"away": "connection refused"}])
def test_a_job_of_which_nothing_is_known_is_starting(said: dict[str, Any] | None) -> None:
    assert job_of(said) == ("starting", False)


def test_the_job_is_asked_for_once_all_workloads_are_ready() -> None:
    cluster = ClusterOfObjects(found("Deployment", "a", {}), JOB_MANAGER, report=report("RUNNING", 4))
    assert "job" not in progress(cluster, manifests(("Deployment", "a")))


def waited(*objects: dict[str, Any], known: frozenset[str] = frozenset(), timeout_ms: int = 0) -> list[str]:
    """What is said until everything is ready."""
    said: list[str] = []
    cluster = ClusterOfObjects(*objects, report=report("RUNNING", 4))
    wait_until_ready(cluster, manifests(("Deployment", "a"), ("Deployment", "b")), timeout_ms, said.append, known)
    return said


A, B = (found("Deployment", name, UP) for name in "ab")
FAILING = pod("b-1", {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}})


def test_waiting_ends_once_everything_is_ready() -> None:
    assert waited(A, B, JOB_MANAGER) == ["a 2/2, b 2/2, job running"]


def test_waiting_ends_at_once_where_a_new_pod_cannot_come_up() -> None:
    with pytest.raises(DeployError, match=r"^pod b-1: ImagePullBackOff: no such image$"):
        waited(A, FAILING, timeout_ms=600_000)


def test_what_is_wrong_with_a_pod_of_before_is_told_when_time_is_up() -> None:
    with pytest.raises(DeployError, match=r"^b not ready after .*: pod b-1: ImagePullBackOff: no such image$"):
        waited(A, FAILING, known=frozenset({"b-1"}))


def test_when_time_is_up_the_last_warning_about_what_is_not_ready_is_told() -> None:
    warning = {
        "kind": "Event",
        "involvedObject": {"kind": "ReplicaSet", "name": "b-77"},
        "message": "exceeded quota",
        "metadata": {"creationTimestamp": "2026-11-29T06:00:00Z"},
    }
    with pytest.raises(DeployError, match=r"^b not ready after .*: replicaset b-77: exceeded quota$"):
        waited(A, warning)


def test_a_line_is_said_when_something_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    status = {**UP, "availableReplicas": 0}
    looks: list[float] = []

    def look_again(seconds: float) -> None:
        looks.append(seconds)
        status["availableReplicas"] = len(looks) - 1  # 0, 1, 2

    monkeypatch.setattr(waiting, "sleep", look_again)
    said = waited(A, found("Deployment", "b", status), JOB_MANAGER, timeout_ms=600_000)
    assert said == ["a 2/2, b 0/2", "a 2/2, b 1/2", "a 2/2, b 2/2, job running"]
    assert len(looks) == 3


def refused_by_operator(*objects: dict[str, Any], timeout_ms: int = 600_000, **status: Any) -> None:
    deployment = found("FlinkDeployment", "latecomer", {"error": "a.ValidationException: no such mode", **status})
    cluster = ClusterOfObjects(deployment, *objects, logs={"latecomer-x": "latecomer: --tick: not a duration\n"})
    wait_until_ready(cluster, manifests(("FlinkDeployment", "latecomer")), timeout_ms, [].append, frozenset())


@pytest.mark.parametrize("state", ["STABLE", "FAILED"])
def test_what_the_operator_refuses_is_told_once_it_stands(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    monkeypatch.setattr(waiting, "sleep", looks.append)
    with pytest.raises(DeployError, match=r"^the operator says of the FlinkDeployment latecomer: no such mode$"):
        refused_by_operator(lifecycleState=state)
    assert 0 < sum(looks) <= 10


def test_of_a_job_that_the_operator_gave_up_the_last_line_of_its_pod_is_told_at_once() -> None:
    crashed = pod("latecomer-x", {"restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}})
    with pytest.raises(DeployError, match=r"^pod latecomer-x has ended once: latecomer: --tick: not a duration$"):
        refused_by_operator(crashed, lifecycleState="FAILED")


def test_an_error_that_the_operator_still_works_on_is_waited_for() -> None:
    with pytest.raises(DeployError, match=r"^latecomer not ready after .*: the operator says .*: one more try$"):
        refused_by_operator(timeout_ms=0, lifecycleState="DEPLOYED", error="a.OtherException: one more try")
