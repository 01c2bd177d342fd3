"""What is deleted without its state leaves a savepoint for what is applied next, or says why it cannot."""

import json
from typing import Any

import pytest

from dataflows.deployment import flink_operator
from dataflows.deployment.kubectl import DeployError
from dataflows.deployment.stopping import delete
from tests.dataflows.deployment.cluster_of_objects import pod
from tests.dataflows.deployment.obedient import (
    CLAIM,
    FLINK,
    MANAGER,
    NAMESPACE,
    SAVEPOINT,
    Obedient,
    flink_deployment,
    kept,
    manifests,
    ready,
)

PLAIN = manifests(NAMESPACE, CLAIM, MANAGER)
OPERATED = manifests(NAMESPACE, CLAIM, FLINK)
SUSPENDED = flink_deployment(lifecycleState="SUSPENDED", jobStatus={"upgradeSavepointPath": SAVEPOINT})
REFUSED = json.dumps({"type": "a.b.ValidationException", "message": "no such mode"})
CHECKPOINT = {
    "kind": "ConfigMap",
    "metadata": {"name": "ha", "labels": {"app": "latecomer", "configmap-type": "high-availability"}},
    "data": {"checkpointID-0000000000000000007": "..."},
}
FAILING = {
    "job": {"state": "RESTARTING", "tasks": {"running": 0, "total": 1}},
    "failure": "java.lang.Exception: outer one\nCaused by: java.io.IOException: disk is full\n",
    "checkpoints": {"latest": {"completed": {"external_path": "s3://a/chk-7"}}},
}


class Suspending(Obedient):
    """An operator that suspends the job when it is told to, or says why not."""

    def __init__(self, suspended: dict[str, Any], *objects: dict[str, Any], **more: Any) -> None:
        super().__init__(flink_deployment(), *objects, **more)
        self._suspended = suspended
        self.asked: list[str] = []

    def run(self, *arguments: str, given: str | None = None, within_s: float = 60) -> str:
        if arguments[0] == "patch":
            [patch] = [json.loads(one.removeprefix("--patch=")) for one in arguments if one.startswith("--patch=")]
            self.asked.append(patch["spec"]["job"]["state"])
            self.objects = tuple(self._suspended if one["kind"] == "FlinkDeployment" else one for one in self.objects)
        return super().run(*arguments, given=given, within_s=within_s)


def deleted(cluster: Obedient, wanted: Any = PLAIN, *, with_state: bool = False) -> list[str]:
    said: list[str] = []
    delete(cluster, wanted, said.append, with_state=with_state)
    return said


def test_deleting_keeps_the_state_and_a_savepoint_to_resume_from() -> None:
    cluster = Obedient(ready(MANAGER))
    said = deleted(cluster)
    assert cluster.done == [
        "exec stop", "apply latecomer-start", "wait job/latecomer-jobmanager", "delete latecomer-jobmanager",
    ]  # fmt: skip
    assert cluster.applied["latecomer-start"]["data"] == {"path": SAVEPOINT, "taken-for-this-start": "true"}
    assert SAVEPOINT in said[-1]


def test_the_operator_leaves_its_savepoint_for_the_next_job_too() -> None:
    cluster = Suspending(SUSPENDED)
    said = deleted(cluster, OPERATED)
    assert cluster.asked == ["suspended"]
    assert cluster.applied["latecomer-start"]["data"]["path"] == SAVEPOINT
    assert cluster.done[-1] == "delete latecomer"
    assert SAVEPOINT in said[-1]


def test_a_job_that_was_suspended_before_is_removed_with_its_savepoint_kept() -> None:
    cluster = Obedient(SUSPENDED)
    deleted(cluster, OPERATED)
    assert cluster.done == ["apply latecomer-start", "delete latecomer"]
    assert cluster.applied["latecomer-start"]["data"]["path"] == SAVEPOINT


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"error": REFUSED}, "no such mode"),
        ({"lifecycleState": "SUSPENDED", "jobStatus": {"upgradeSavepointPath": "KUBERNETES_HA"}}, "no savepoint"),
    ],
)
def test_a_job_that_does_not_stop_is_told_to_run_on_and_nothing_is_removed(
    status: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flink_operator, "sleep", lambda _: None)
    cluster = Suspending(flink_deployment(**status))
    with pytest.raises(DeployError, match=says):
        deleted(cluster, OPERATED)
    assert cluster.asked == ["suspended", "running"]
    assert [one for one in cluster.done if one.startswith(("delete", "apply"))] == []


@pytest.mark.parametrize(
    ("job", "wanted"), [(ready(MANAGER), PLAIN), (flink_deployment(), OPERATED)], ids=["plain", "operator"]
)
def test_a_job_with_state_that_does_not_run_is_kept_with_its_cause_and_its_checkpoint(
    job: dict[str, Any], wanted: Any
) -> None:
    cluster = Obedient(job, CHECKPOINT, report=FAILING)
    with pytest.raises(DeployError, match=r"disk is full; .*--from-savepoint s3://a/chk-7`$"):
        deleted(cluster, wanted)
    assert cluster.done == []


def test_a_job_that_never_ran_is_removed_and_the_next_one_starts_from_nothing() -> None:
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}}
    cluster = Obedient(flink_deployment(), pod("latecomer-x", waiting), report={"job": None})
    said = deleted(cluster, OPERATED)
    assert cluster.applied["latecomer-start"]["data"] == {"path": ""}
    assert said[-1].endswith("starts from nothing")
    cluster = Obedient(ready(MANAGER), kept(path=SAVEPOINT), report={"job": None})
    assert deleted(cluster)[-1].endswith(f"starts from {SAVEPOINT}")
    assert cluster.done == ["delete latecomer-jobmanager"]


def test_what_was_deleted_before_is_deleted_again_without_a_word_about_savepoints() -> None:
    cluster = Obedient(kept(path=SAVEPOINT))
    assert deleted(cluster) == []
    assert cluster.done == ["delete latecomer-jobmanager"]


def test_deleting_with_the_state_stops_nothing_and_leaves_nothing() -> None:
    cluster = Obedient(ready(MANAGER))
    deleted(cluster, with_state=True)
    assert cluster.done == [
        "delete here latecomer-state latecomer-jobmanager",
        *["delete persistentvolumeclaim"] * 2,
        "delete configmap",
        "delete configmap latecomer-start",
    ]


def test_a_job_of_the_other_way_is_not_deleted_as_if_it_were_not_there() -> None:
    cluster = Obedient(flink_deployment())
    with pytest.raises(DeployError, match="runs with the Flink Kubernetes Operator"):
        deleted(cluster, with_state=True)
    assert cluster.done == []
