"""Finds a pod that does not become ready, and says why, in one line."""

from typing import Any, Final

from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.flink_job.causes import first_cause

__all__ = ["CRASHES", "OURS", "last_warning", "restarts", "trouble"]

OURS: Final = "app.kubernetes.io/part-of=latecomer"

_HOPELESS: Final = frozenset(
    {
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
"""States of a container that waiting does not cure; an ``ErrImagePull`` alone is tried again."""

CRASHES: Final = 3
"""So often a container may end before it counts as one that cannot run: the first ones may have waited for others."""


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    status = pod["status"]
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def restarts(pod: dict[str, Any]) -> int:
    return sum(one["restartCount"] for one in _containers(pod))


def trouble(kubectl: Kubectl, pods: list[dict[str, Any]], crashes: int = CRASHES) -> str | None:
    """The first pod that will not come up as things are, with the reason.

    Args:
        kubectl: the namespace of the pods.
        pods: to look at.
        crashes: from how many ends on a container counts; 1 where something else says already that it cannot run.
    """
    for pod in pods:
        if "deletionTimestamp" in pod["metadata"]:
            continue
        name = pod["metadata"]["name"]
        for one in _containers(pod):
            waiting = one.get("state", {}).get("waiting", {})
            if waiting.get("reason") in _HOPELESS:
                return f"pod {name}: {waiting['reason']}: {waiting.get('message', one['image'])}"
            has_succeeded = one.get("state", {}).get("terminated", {}).get("exitCode") == 0
            if one["restartCount"] >= crashes and not one["ready"] and not has_succeeded:
                often = "once" if one["restartCount"] == 1 else f"{one['restartCount']} times"
                return f"pod {name} has ended {often}: {_last_words(kubectl, pod, one)}"
    return None


def _last_words(kubectl: Kubectl, pod: dict[str, Any], container: dict[str, Any]) -> str:
    """What a crashed container said last."""
    ended = container.get("lastState", {}).get("terminated") or container.get("state", {}).get("terminated") or {}
    if ended.get("reason") == "OOMKilled":
        return "OOMKilled: it needed more memory than its limit"
    said = ended.get("message", "")
    if not said.strip():
        name = pod["metadata"]["name"]
        try:
            said = kubectl.run("logs", name, f"--container={container['name']}", "--previous", "--tail=200")
        except DeployError:
            said = ""
    lines = [line for line in said.splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith(("latecomer: ", "features: ", "inference: "))]
    if ours:
        return str(ours[-1])
    if any(line.lstrip().startswith("at ") for line in lines):  # a trace of Java: its last line says nothing
        return first_cause(said)
    return lines[-1] if lines else f"exit status {ended.get('exitCode', 'unknown')}, and not a word"


def last_warning(kubectl: Kubectl, names: list[str]) -> str | None:
    """The last warning of the cluster about objects whose names begin so."""
    warnings = [
        event
        for event in kubectl.json("get", "events", "--field-selector=type=Warning")["items"]
        if event["involvedObject"]["name"].startswith(tuple(names))
    ]
    if not warnings:
        return None
    last = max(warnings, key=lambda event: event.get("lastTimestamp") or event["metadata"]["creationTimestamp"])
    return f"{last['involvedObject']['kind'].lower()} {last['involvedObject']['name']}: {last['message']}"
