"""A cluster that is a list of objects: what kubectl would print of them, without kubectl."""

import json
from typing import Any

from dataflows.deployment.kubectl import DeployError, Kubectl

__all__ = ["ClusterOfObjects", "pod"]


class ClusterOfObjects(Kubectl):
    """Answers ``get``, ``logs`` and ``exec`` as the one method that starts kubectl would.

    Attributes:
        objects: what is in the cluster; of events and pods too.
        logs: what the last process of each pod printed; of another pod, kubectl fails.
        report: what Flink says in the pod of the job manager.
    """

    def __init__(
        self, *objects: dict[str, Any], logs: dict[str, str] | None = None, report: dict[str, Any] | None = None
    ) -> None:
        self.objects = objects
        self.logs = logs or {}
        self.report = report

    def run(self, *arguments: str, given: str | None = None, within_s: float = 60) -> str:
        command, *rest = arguments
        if command == "get":
            return self._found([one for one in rest if one != "--output=json"])
        if command == "logs" and rest[0] in self.logs:
            return self.logs[rest[0]]
        if command == "exec" and self.report is not None and rest[-1] == "report":
            return json.dumps(self.report)
        raise DeployError(f"kubectl {command}: previous terminated container not found")

    def _found(self, arguments: list[str]) -> str:
        kinds, *rest = arguments
        found = [one for one in self.objects if one["kind"].lower() in {kind.rstrip("s") for kind in kinds.split(",")}]
        if "--ignore-not-found" in rest:
            named = [one for one in found if one["metadata"]["name"] == rest[0]]
            return json.dumps(named[0]) if named else ""
        for option in rest:
            name, _, labels = option.partition("=")
            if name == "--selector":
                wanted = {tuple(label.split("=")) for label in labels.split(",")}
                found = [one for one in found if wanted <= one["metadata"].get("labels", {}).items()]
        return json.dumps({"items": found})


def pod(
    name: str, *containers: dict[str, Any], labels: dict[str, str] | None = None, **metadata: str
) -> dict[str, Any]:
    """A pod of ours, with the statuses of its containers."""
    statuses = [
        {"name": "main", "image": "latecomer/flink-job:1", "ready": False, "restartCount": 0, **one}
        for one in containers
    ]
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "latecomer", **(labels or {})}, **metadata},
        "status": {"containerStatuses": statuses},
    }
