"""Applies, upgrades and deletes: in the order that loses no window."""

from collections.abc import Callable
from hashlib import sha256
from json import dumps
from time import time
from typing import Any, Final

from dataflows.deployment.flink import job_manager_pod, stopped_with_savepoint
from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.deployment.manifests import JOB, JOB_MANAGER, Manifests
from dataflows.deployment.pods import OURS
from dataflows.deployment.waiting import wait_until_ready

__all__ = ["apply", "delete", "upgrade"]

Say = Callable[[str], None]

_START: Final = "latecomer-start"
"""The ConfigMap that says from which savepoint a new job manager starts, without an operator."""

_TASK_MANAGERS: Final = "latecomer-taskmanager"
_FLINK_SETTINGS: Final = ("latecomer-flink-configuration", "latecomer-flink-logging")
_DIGEST: Final = "latecomer/job"
"""Annotation of the job manager: what its job was started with."""

_GONE_WITHIN_S: Final = 180
_KEPT: Final = ("Namespace", "PersistentVolumeClaim")
"""What holds the state. With the namespace everything in it would go."""


def apply(kubectl: Kubectl, manifests: Manifests, timeout_ms: int, say: Say, savepoint: str | None = None) -> None:
    """Apply the manifests, and wait until everything is ready.

    Args:
        kubectl: the namespace of the manifests.
        manifests: what is to be there.
        timeout_ms: how long to wait.
        say: takes a line for the user.
        savepoint: the savepoint or checkpoint that the job starts from.
    Raises:
        DeployError: it did not become ready; or the change of a running job needs an upgrade.
    """
    documents = manifests.documents
    if manifests.uses_operator:
        documents = [_started_from(one, savepoint) for one in documents]
    else:
        documents = _with_digest(manifests)
        running = kubectl.get("job", JOB_MANAGER)
        if running is not None:
            if savepoint is not None:
                raise DeployError(
                    f"the Job {JOB_MANAGER} exists: use `latecomer deploy upgrade` to change what it runs"
                )
            if running["metadata"].get("annotations", {}).get(_DIGEST) != _digest(manifests):
                raise DeployError("the job would change, which needs a savepoint: use `latecomer deploy upgrade`")
            documents = [one for one in documents if one["metadata"]["name"] != JOB_MANAGER]
        elif savepoint is not None:
            _start_from(kubectl, savepoint)
    known = _pods(kubectl)
    _apply(kubectl, documents, say)
    wait_until_ready(kubectl, manifests, timeout_ms, say, known)


def upgrade(kubectl: Kubectl, manifests: Manifests, timeout_ms: int, say: Say, savepoint: str | None = None) -> None:
    """Change the job so that it resumes from a savepoint.

    With an operator that is the operator's work (``upgradeMode: savepoint``). Without one the job is stopped with a
    savepoint, and its job manager and task managers are made anew.

    Args:
        kubectl: the namespace of the manifests.
        manifests: what is to be there.
        timeout_ms: how long to wait at each step.
        say: takes a line for the user.
        savepoint: start from this one, and take none: for a job that does not run any more.
    Raises:
        DeployError: a step failed; if the job was stopped already, the message has its savepoint and what to do.
    """
    if manifests.uses_operator:
        apply(kubectl, manifests, timeout_ms, say, savepoint)
        return
    is_given = savepoint is not None
    if savepoint is None:
        if kubectl.get("job", JOB_MANAGER) is None:
            raise DeployError("there is no job to upgrade: use `latecomer deploy apply`")
        # What the cluster would refuse is heard of before the job is stopped. A Job is made anew in any case.
        kubectl.apply([one for one in manifests.documents if one["kind"] != "Job"], "--dry-run=server")
        savepoint = stopped_with_savepoint(kubectl)
        say(f"the job has stopped; savepoint {savepoint}")
    try:
        _start_from(kubectl, savepoint)
        if not is_given:
            _wait_for_the_end(kubectl)
        _remove_job(kubectl, is_given)
        known = _pods(kubectl)
        _apply(kubectl, _with_digest(manifests), say)
        wait_until_ready(kubectl, manifests, timeout_ms, say, known)
    except (DeployError, KeyboardInterrupt) as error:
        cause = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        raise DeployError(
            f"{cause}; the job was stopped, and its state is in {savepoint}: when that is fixed, run "
            f"`latecomer deploy upgrade --from-savepoint {savepoint}`"
        ) from None


def delete(kubectl: Kubectl, manifests: Manifests, say: Say, *, with_state: bool) -> None:
    """Remove what the manifests made: all but the state, or everything.

    If the state stays, the job is first stopped with a savepoint, and the next ``apply`` resumes from it.
    """
    if not with_state and job_manager_pod(kubectl) is not None:
        _keep(kubectl, manifests, say)
    documents = [one for one in manifests.documents if with_state or one["kind"] not in _KEPT]
    whole = {"apiVersion": "v1", "kind": "List", "items": documents}
    command = ("delete", "--filename=-", "--ignore-not-found", "--wait", f"--timeout={_GONE_WITHIN_S}s")
    for line in kubectl.run(*command, given=dumps(whole), within_s=2 * _GONE_WITHIN_S).splitlines():
        say(line)
    if with_state:
        _remove_state(kubectl)


def _keep(kubectl: Kubectl, manifests: Manifests, say: Say) -> None:
    """Stop the job with a savepoint, so that another can resume from it."""
    if manifests.uses_operator:
        suspended = '{"spec":{"job":{"state":"suspended"}}}'
        kubectl.run("patch", "flinkdeployment", JOB, "--type=merge", f"--patch={suspended}")
        waiting = ("wait", f"flinkdeployment/{JOB}", "--for=jsonpath={.status.lifecycleState}=SUSPENDED")
        kubectl.run(*waiting, f"--timeout={_GONE_WITHIN_S}s", within_s=2 * _GONE_WITHIN_S)
        status = (kubectl.get("flinkdeployment", JOB) or {}).get("status", {}).get("jobStatus", {})
        path = status.get("upgradeSavepointPath") or (status.get("savepointInfo") or {}).get("lastSavepoint")
        say(f"the job has stopped; resume with `latecomer deploy apply --from-savepoint {path}`")
        return
    savepoint = stopped_with_savepoint(kubectl)
    _start_from(kubectl, savepoint)
    _wait_for_the_end(kubectl)
    say(f"the job has stopped; the next `latecomer deploy apply` resumes from {savepoint}")


def _remove_state(kubectl: Kubectl) -> None:
    """What no manifest names: the volumes of a StatefulSet, and what Flink wrote down in ConfigMaps."""
    for kind, selector in (
        ("persistentvolumeclaim", OURS),
        ("persistentvolumeclaim", "app.kubernetes.io/name=kafka"),
        ("configmap", f"app={JOB},configmap-type=high-availability"),
    ):
        kubectl.run("delete", kind, f"--selector={selector}", "--wait=false")
    kubectl.run("delete", "configmap", _START, "--ignore-not-found")


def _apply(kubectl: Kubectl, documents: list[dict[str, Any]], say: Say) -> None:
    """Apply the namespace first: what is in it cannot be without it. No Job can be changed: one that is there goes."""
    for one in documents:
        if one["kind"] == "Job" and one["metadata"]["name"] != JOB_MANAGER:
            kubectl.run("delete", "job", one["metadata"]["name"], "--ignore-not-found", "--wait")
    first = [one for one in documents if one["kind"] == "Namespace"]
    lines = (kubectl.apply(first) if first else []) + kubectl.apply([one for one in documents if one not in first])
    changed = [line for line in lines if not line.endswith(" unchanged")]
    say(f"applied {len(lines)} objects, {len(changed)} of them new or changed")


def _pods(kubectl: Kubectl) -> frozenset[str]:
    return frozenset(str(pod["metadata"]["name"]) for pod in kubectl.labelled("pods", OURS))


def _start_from(kubectl: Kubectl, savepoint: str) -> None:
    """Tell the next job manager where to start."""
    labels = {"app.kubernetes.io/part-of": "latecomer"}
    kubectl.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": _START, "labels": labels},
                "data": {"path": savepoint},
            }
        ]
    )


def _wait_for_the_end(kubectl: Kubectl) -> None:
    """Let the job manager finish: at last it removes what says that this job has ended."""
    ended = ("wait", f"job/{JOB_MANAGER}", "--for=condition=complete", f"--timeout={_GONE_WITHIN_S}s")
    kubectl.run(*ended, within_s=2 * _GONE_WITHIN_S)


def _remove_job(kubectl: Kubectl, is_given: bool) -> None:
    """Remove job manager and task managers. A task manager takes no second job: its Python belongs to the first.

    Where the savepoint was given, what the cluster remembers of the old job goes too, or it would win over it.
    """
    command = ("delete", "--ignore-not-found", "--cascade=foreground", "--wait", f"--timeout={_GONE_WITHIN_S}s")
    kubectl.run(*command, f"job/{JOB_MANAGER}", f"deployment/{_TASK_MANAGERS}", within_s=2 * _GONE_WITHIN_S)
    if is_given:
        kubectl.run("delete", "configmap", f"--selector=app={JOB},configmap-type=high-availability")


def _digest(manifests: Manifests) -> str:
    """What the job is started with: its pods, and Flink's configuration."""
    names = (JOB_MANAGER, _TASK_MANAGERS, *_FLINK_SETTINGS)
    parts = [
        one.get("data") or one["spec"]["template"] for one in manifests.documents if one["metadata"]["name"] in names
    ]
    return sha256(dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _with_digest(manifests: Manifests) -> list[dict[str, Any]]:
    documents = []
    for one in manifests.documents:
        if one["metadata"]["name"] == JOB_MANAGER:
            annotations = one["metadata"].get("annotations", {}) | {_DIGEST: _digest(manifests)}
            documents.append(one | {"metadata": one["metadata"] | {"annotations": annotations}})
        else:
            documents.append(one)
    return documents


def _started_from(document: dict[str, Any], savepoint: str | None) -> dict[str, Any]:
    """A FlinkDeployment that starts from a savepoint; the nonce tells the operator to obey also where a job is."""
    if document["kind"] != "FlinkDeployment" or savepoint is None:
        return document
    job = document["spec"]["job"] | {"initialSavepointPath": savepoint, "savepointRedeployNonce": int(time())}
    return document | {"spec": document["spec"] | {"job": job}}
