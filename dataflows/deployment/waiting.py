"""Waits until everything that was applied is ready, shows progress, and stops once something cannot become ready."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, Final

from dataflows.deployment.flink import job_report
from dataflows.deployment.flink_operator import words_of_operator
from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.deployment.manifests import JOB, JOB_MANAGER, Manifests
from dataflows.deployment.pods import CRASHES, OURS, last_warning, trouble
from dataflows.flink_job.causes import first_cause
from runtime.durations import duration_text

__all__ = ["operator_says", "progress", "wait_until_ready"]

_LOOK_AGAIN_S: Final = 2.0
_SETTLED_LOOKS: Final = 4
"""What the operator says for so many looks is about what was applied just now: it looks within seconds."""


def wait_until_ready(
    kubectl: Kubectl, manifests: Manifests, timeout_ms: int, say: Callable[[str], None], known: frozenset[str]
) -> None:
    """Wait until all workloads are ready and the job runs.

    Args:
        kubectl: the namespace of the manifests.
        manifests: what was applied.
        timeout_ms: how long to wait.
        say: takes a line whenever something has changed.
        known: the pods that were there before: what is wrong with them may be what was put right just now.
    Raises:
        DeployError: something cannot come up, or did not in time; it names the pod and the reason.
    """
    give_up_s = monotonic() + timeout_ms / 1000
    said, looks = "", 0
    while True:
        states = progress(kubectl, manifests)
        line = ", ".join(f"{name} {state}" for name, (state, _) in states.items())
        if line != said:
            say(line)
            said = line
        waiting = [name for name, (_, is_ready) in states.items() if not is_ready]
        if not waiting:
            return
        pods = kubectl.labelled("pods", OURS)
        fresh = [pod for pod in pods if pod["metadata"]["name"] not in known]
        words, is_final = operator_says(kubectl, manifests) or ("", False)
        looks = looks + 1 if is_final else 0
        reason = trouble(kubectl, fresh, 1 if looks else CRASHES) or (words if looks >= _SETTLED_LOOKS else None)
        if reason:
            raise DeployError(reason)
        if monotonic() >= give_up_s:
            reason = (
                trouble(kubectl, pods) or words or last_warning(kubectl, waiting) or "see `latecomer deploy status`"
            )
            raise DeployError(f"{', '.join(waiting)} not ready after {duration_text(timeout_ms)}: {reason}")
        sleep(_LOOK_AGAIN_S)


def progress(kubectl: Kubectl, manifests: Manifests) -> dict[str, tuple[str, bool]]:
    """Each workload, in a word how far it is, and whether that is far enough; the job itself comes last."""
    workloads = manifests.of(*_STATES)
    kinds = ",".join(sorted({one["kind"].lower() for one in workloads}))
    found = {(one["kind"], one["metadata"]["name"]): one for one in kubectl.json("get", kinds)["items"]}
    states = {}
    for wanted in workloads:
        kind, name = wanted["kind"], wanted["metadata"]["name"]
        state = _job_manager if name == JOB_MANAGER else _STATES[kind]
        states[name] = state(found.get((kind, name)))
    if all(is_ready for _, is_ready in states.values()):
        states["job"] = _job_state(job_report(kubectl))
    return states


def _deployment(found: dict[str, Any] | None) -> tuple[str, bool]:
    if found is None:
        return "missing", False
    status, wanted = found["status"], found["spec"]["replicas"]
    fresh = status.get("updatedReplicas", 0)
    available = min(fresh, status.get("availableReplicas", 0))
    is_current = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    return f"{available}/{wanted}", is_current and available == wanted == status.get("replicas", 0)


def _stateful_set(found: dict[str, Any] | None) -> tuple[str, bool]:
    if found is None:
        return "missing", False
    status, wanted = found["status"], found["spec"]["replicas"]
    is_current = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    is_updated = status.get("currentRevision") == status.get("updateRevision")
    return f"{status.get('readyReplicas', 0)}/{wanted}", is_current and is_updated and status.get(
        "readyReplicas", 0
    ) == wanted


def _job(found: dict[str, Any] | None) -> tuple[str, bool]:
    """Of any Job but the job manager's, which never ends while it is wanted."""
    if found is None:
        return "done", True  # those that end are removed by the cluster some time after
    return ("done", True) if found["status"].get("succeeded") else ("running", False)


def _job_manager(found: dict[str, Any] | None) -> tuple[str, bool]:
    if found is None:
        return "missing", False
    return ("up", True) if found["status"].get("ready") else ("starting", False)


def _flink_deployment(found: dict[str, Any] | None) -> tuple[str, bool]:
    if found is None:
        return "missing", False
    status = found.get("status") or {}
    state = status.get("lifecycleState", "not looked at by an operator yet")
    is_current = status.get("observedGeneration", found["metadata"]["generation"]) >= found["metadata"]["generation"]
    return state.lower(), is_current and state == "STABLE"


_STATES: Final[dict[str, Callable[[dict[str, Any] | None], tuple[str, bool]]]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "Job": _job,
    "FlinkDeployment": _flink_deployment,
}


def _job_state(report: dict[str, Any] | None) -> tuple[str, bool]:
    """What Flink says. A job that fails and starts again says why."""
    if report is None or report["job"] is None:
        return "starting", False
    state, tasks = report["job"]["state"].lower(), report["job"]["tasks"]
    if state == "running" and tasks["running"] == tasks["total"]:
        return "running", True
    because = f" ({first_cause(report['failure'])})" if report["failure"] else ""
    return f"{state}{because}", False


def operator_says(kubectl: Kubectl, manifests: Manifests) -> tuple[str, bool] | None:
    """What the operator complains of, in one line, and whether it has given up."""
    if not manifests.uses_operator:
        return None
    said = words_of_operator(kubectl.get("flinkdeployment", JOB))
    return None if said is None else (f"the operator says of the FlinkDeployment {JOB}: {said[0]}", said[1])
