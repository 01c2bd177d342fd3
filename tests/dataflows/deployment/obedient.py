"""A cluster that does what it is told, and notes it: in which order, and where it fails."""

import json
from typing import Any

from dataflows.deployment.kubectl import DeployError
from dataflows.deployment.manifests import Manifests
from tests.dataflows.deployment.cluster_of_objects import ClusterOfObjects, pod

__all__ = [
    "CLAIM",
    "FLINK",
    "MANAGER",
    "NAMESPACE",
    "POD",
    "SAVEPOINT",
    "WORKERS",
    "Obedient",
    "flink_deployment",
    "kept",
    "manifests",
    "ready",
]

SAVEPOINT = "s3://a/savepoint-1-2"
POD = {"spec": {"template": {"spec": {"containers": [{"image": "a:1"}]}}}}
MANAGER = {"kind": "Job", "metadata": {"name": "latecomer-jobmanager", "namespace": "here"}, **POD}
WORKERS = {"kind": "Deployment", "metadata": {"name": "latecomer-taskmanager", "namespace": "here"}, **POD}
NAMESPACE = {"kind": "Namespace", "metadata": {"name": "here"}}
CLAIM = {"kind": "PersistentVolumeClaim", "metadata": {"name": "latecomer-state", "namespace": "here"}}
FLINK = {
    "kind": "FlinkDeployment",
    "metadata": {"name": "latecomer", "namespace": "here"},
    "spec": {"job": {"state": "running"}, "podTemplate": {"spec": {"containers": []}}},
}


class Obedient(ClusterOfObjects):
    """Does what it is told, and fails at one command. A Job that is applied is ready at once.

    Attributes:
        done: what it was told to change, each as the command and what it is about.
        applied: the objects that were applied, by name.
    """

    def __init__(self, *objects: dict[str, Any], fails_at: str = "", report: dict[str, Any] | None = None) -> None:
        running = {"ready": True, "state": {"running": {}}}
        manager = pod("manager-x", running, labels={"app": "latecomer", "component": "jobmanager"})
        job = {"state": "RUNNING", "tasks": {"running": 1, "total": 1}}
        super().__init__(manager, *objects, report=report or {"job": job, "failure": None})
        self.done: list[str] = []
        self.applied: dict[str, dict[str, Any]] = {}
        self._fails_at = fails_at

    def run(self, *arguments: str, given: str | None = None, within_s: float = 60) -> str:
        if arguments[0] == "get" or arguments[-1] == "report":
            return super().run(*arguments, given=given, within_s=within_s)
        about = [word for word in arguments[1:] if not word.startswith("--")]
        if arguments[0] == "exec":
            about = ["dispose"] if "dispose" in arguments else ["stop"]
        elif given is not None:
            items = json.loads(given)["items"]
            about = [one["metadata"]["name"] for one in items]
            if arguments[0] == "apply" and "--dry-run=server" not in arguments:
                self.applied |= {one["metadata"]["name"]: one for one in items}
                self.objects += tuple(ready(one) for one in items if one["kind"] == "Job")
        told = " ".join(["try" if "--dry-run=server" in arguments else arguments[0], *about])
        self.done.append(told)
        if self._fails_at and told.startswith(self._fails_at):
            raise DeployError(f"kubectl {arguments[0]}: refused")
        return json.dumps({"savepoint": SAVEPOINT if about == ["stop"] else None}) if arguments[0] == "exec" else ""


def manifests(*documents: dict[str, Any]) -> Manifests:
    return Manifests("\n---\n".join(map(json.dumps, documents)))


def ready(document: dict[str, Any], **annotations: str) -> dict[str, Any]:
    """An object of the cluster as it is once it has come up."""
    status = {"observedGeneration": 1, "ready": 1, "succeeded": 1}
    status |= dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 1)
    metadata = {**document["metadata"], "generation": 1, "annotations": annotations}
    return {**document, "metadata": metadata, "spec": {**document.get("spec", {}), "replicas": 1}, "status": status}


def flink_deployment(**status: Any) -> dict[str, Any]:
    """The job as the operator has it."""
    metadata = {**FLINK["metadata"], "generation": 1}  # type: ignore[dict-item]
    return {**FLINK, "metadata": metadata, "status": {"lifecycleState": "STABLE", "observedGeneration": 1, **status}}


def kept(**data: str) -> dict[str, Any]:
    """The ConfigMap that says where the next job starts."""
    return {"kind": "ConfigMap", "metadata": {"name": "latecomer-start"}, "data": data}
