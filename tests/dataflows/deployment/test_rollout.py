"""In which order a cluster is told what to do, so that no window is lost. It obeys here, and is always ready."""

import json
from typing import Any

import pytest

from dataflows.deployment.kubectl import DeployError
from dataflows.deployment.manifests import Manifests
from dataflows.deployment.rollout import apply, delete, upgrade
from tests.dataflows.deployment.cluster_of_objects import ClusterOfObjects, pod

SAVEPOINT = "s3://a/savepoint-1-2"
POD = {"spec": {"template": {"spec": {"containers": [{"image": "a:1"}]}}}}
MANAGER = {"kind": "Job", "metadata": {"name": "latecomer-jobmanager", "namespace": "here"}, **POD}
WORKERS = {"kind": "Deployment", "metadata": {"name": "latecomer-taskmanager", "namespace": "here"}, **POD}
NAMESPACE = {"kind": "Namespace", "metadata": {"name": "here"}}
CLAIM = {"kind": "PersistentVolumeClaim", "metadata": {"name": "state", "namespace": "here"}}
TOPICS = {"kind": "Job", "metadata": {"name": "topics", "namespace": "here"}, **POD}


class Obedient(ClusterOfObjects):
    """Does what it is told, and fails at one command.

    Attributes:
        done: what it was told to change, each as the command and what it is about.
        applied: the objects that were applied, by name.
    """

    def __init__(self, *objects: dict[str, Any], fails_at: str = "") -> None:
        running = {"ready": True, "state": {"running": {}}}
        manager = pod("manager-x", running, labels={"app": "latecomer", "component": "jobmanager"})
        job = {"state": "RUNNING", "tasks": {"running": 1, "total": 1}}
        super().__init__(manager, *objects, report={"job": job, "failure": None})
        self.done: list[str] = []
        self.applied: dict[str, dict[str, Any]] = {}
        self._fails_at = fails_at

    def run(self, *arguments: str, given: str | None = None, within_s: float = 60) -> str:
        if arguments[0] == "get" or arguments[-1] == "report":
            return super().run(*arguments, given=given, within_s=within_s)
        about = [word for word in arguments[1:] if not word.startswith("--")]
        if arguments[0] == "exec":
            about = ["stop"]
        elif given is not None:
            items = json.loads(given)["items"]
            about = [one["metadata"]["name"] for one in items]
            if arguments[0] == "apply" and "--dry-run=server" not in arguments:
                self.applied |= {one["metadata"]["name"]: one for one in items}
        told = " ".join(["try" if "--dry-run=server" in arguments else arguments[0], *about])
        self.done.append(told)
        if self._fails_at and told.startswith(self._fails_at):
            raise DeployError(f"kubectl {arguments[0]}: refused")
        return json.dumps({"savepoint": SAVEPOINT}) if arguments[0] == "exec" else ""


def manifests(*documents: dict[str, Any]) -> Manifests:
    return Manifests("\n---\n".join(map(json.dumps, documents)))


def ready(document: dict[str, Any], **annotations: str) -> dict[str, Any]:
    """An object of the cluster as it is once it has come up."""
    status = {"observedGeneration": 1, "ready": 1, "succeeded": 1}
    status |= dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 1)
    metadata = {**document["metadata"], "generation": 1, "annotations": annotations}
    return {**document, "metadata": metadata, "spec": {**document.get("spec", {}), "replicas": 1}, "status": status}


WANTED = manifests(NAMESPACE, MANAGER, WORKERS)
UPGRADE = [
    "try here latecomer-taskmanager",
    "exec stop",
    "apply latecomer-start",
    "wait job/latecomer-jobmanager",
    "delete job/latecomer-jobmanager deployment/latecomer-taskmanager",
    "apply here",
    "apply latecomer-jobmanager latecomer-taskmanager",
]
"""Each step once the one before it is done: what the cluster would refuse is known before the job is stopped."""


def upgraded(cluster: Obedient, savepoint: str | None = None) -> list[str]:
    said: list[str] = []
    upgrade(cluster, WANTED, 0, said.append, savepoint)
    return said


def test_an_upgrade_stops_the_job_with_a_savepoint_from_which_the_new_one_starts() -> None:
    cluster = Obedient(ready(MANAGER), ready(WORKERS))
    said = upgraded(cluster)
    assert cluster.done == UPGRADE
    assert cluster.applied["latecomer-start"]["data"] == {"path": SAVEPOINT}
    assert SAVEPOINT in said[0]


def test_an_upgrade_from_a_savepoint_stops_nothing_and_forgets_what_flink_remembers() -> None:
    cluster = Obedient(ready(MANAGER), ready(WORKERS))
    upgraded(cluster, "s3://a/other")
    assert cluster.done == [UPGRADE[2], UPGRADE[4], "delete configmap", *UPGRADE[5:]]
    assert cluster.applied["latecomer-start"]["data"] == {"path": "s3://a/other"}


def test_what_a_cluster_would_refuse_is_heard_of_before_the_job_is_stopped() -> None:
    cluster = Obedient(ready(MANAGER), ready(WORKERS), fails_at="try")
    with pytest.raises(DeployError):
        upgraded(cluster)
    assert cluster.done == UPGRADE[:1]


@pytest.mark.parametrize("step", UPGRADE[2:])
def test_an_upgrade_that_fails_once_the_job_is_stopped_says_how_to_go_on(step: str) -> None:
    cluster = Obedient(ready(MANAGER), ready(WORKERS), fails_at=step)
    with pytest.raises(DeployError, match=f"--from-savepoint {SAVEPOINT}"):
        upgraded(cluster)
    assert cluster.done[-1] == step


def test_an_upgrade_needs_a_job() -> None:
    cluster = Obedient(ready(WORKERS))
    with pytest.raises(DeployError, match="latecomer deploy apply"):
        upgraded(cluster)
    assert cluster.done == []


def applied(cluster: Obedient, wanted: Manifests = WANTED, savepoint: str | None = None) -> list[str]:
    said: list[str] = []
    apply(cluster, wanted, 0, said.append, savepoint)
    return said


def of_this_version() -> str:
    """The digest that the job manager of these manifests is given."""
    cluster = Obedient(ready(WORKERS))
    applied(cluster, manifests(MANAGER, WORKERS))
    return str(cluster.applied["latecomer-jobmanager"]["metadata"]["annotations"]["latecomer/job"])


def test_a_namespace_is_applied_before_what_is_in_it() -> None:
    cluster = Obedient(ready(WORKERS))
    applied(cluster)
    assert cluster.done == UPGRADE[5:]


def test_a_job_that_ends_is_made_anew_since_none_can_be_changed() -> None:
    cluster = Obedient(ready(WORKERS))
    applied(cluster, manifests(TOPICS, WORKERS))
    assert cluster.done == ["delete job topics", "apply topics latecomer-taskmanager"]


def test_the_job_starts_from_a_savepoint_where_none_is_there() -> None:
    cluster = Obedient(ready(WORKERS))
    applied(cluster, savepoint=SAVEPOINT)
    assert cluster.done == [UPGRADE[2], *UPGRADE[5:]]


def test_a_running_job_that_would_not_change_is_left_alone() -> None:
    cluster = Obedient(ready(MANAGER, **{"latecomer/job": of_this_version()}), ready(WORKERS))
    applied(cluster)
    assert cluster.done == ["apply here", "apply latecomer-taskmanager"]


@pytest.mark.parametrize("savepoint", [None, SAVEPOINT])
def test_a_running_job_is_changed_by_an_upgrade_alone(savepoint: str | None) -> None:
    digest = of_this_version() if savepoint else "other"
    cluster = Obedient(ready(MANAGER, **{"latecomer/job": digest}), ready(WORKERS))
    with pytest.raises(DeployError, match="latecomer deploy upgrade"):
        applied(cluster, savepoint=savepoint)
    assert cluster.done == []


def test_deleting_keeps_the_state_and_a_savepoint_to_resume_from() -> None:
    cluster, said = Obedient(ready(MANAGER)), []
    delete(cluster, manifests(NAMESPACE, CLAIM, MANAGER), said.append, with_state=False)
    assert cluster.done == [*UPGRADE[1:4], "delete latecomer-jobmanager"]
    assert SAVEPOINT in said[-1]


def test_deleting_with_the_state_stops_nothing_and_leaves_nothing() -> None:
    cluster = Obedient(ready(MANAGER))
    delete(cluster, manifests(NAMESPACE, CLAIM, MANAGER), [].append, with_state=True)
    assert cluster.done == [
        "delete here state latecomer-jobmanager",
        *["delete persistentvolumeclaim"] * 2,
        "delete configmap",
        "delete configmap latecomer-start",
    ]
