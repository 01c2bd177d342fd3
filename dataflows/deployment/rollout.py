"""Applies and upgrades: in the order that loses no window."""

from dataclasses import replace
from hashlib import sha256
from json import dumps
from typing import Any, Final

from dataflows.deployment.flink_operator import started_from
from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.deployment.leftovers import remove_leftovers, remove_savepoint
from dataflows.deployment.manifests import JOB_MANAGER, Manifests
from dataflows.deployment.pods import OURS
from dataflows.deployment.start import HIGH_AVAILABILITY, kept_start, start_from, where_to_start
from dataflows.deployment.stopping import GONE_WITHIN_S, Say, stopped, wait_for_the_end
from dataflows.deployment.waiting import wait_until_ready
from dataflows.deployment.ways import check_way, running_job

__all__ = ["apply", "upgrade", "with_digest"]

_TASK_MANAGERS: Final = "latecomer-taskmanager"
_FLINK_SETTINGS: Final = ("latecomer-flink-configuration", "latecomer-flink-logging")
_DIGEST: Final = "latecomer/job"
"""Annotation of the job manager: what its job was started with."""


def apply(
    kubectl: Kubectl,
    manifests: Manifests,
    timeout_ms: int,
    say: Say,
    savepoint: str | None = None,
    *,
    from_nothing: bool = False,
) -> None:
    """Apply the manifests, and wait until everything is ready.

    Args:
        kubectl: the namespace of the manifests.
        manifests: what is to be there.
        timeout_ms: how long to wait.
        say: takes a line for the user.
        savepoint: the savepoint or checkpoint that the job starts from; ``None`` is the one that ``delete`` left.
        from_nothing: start the job without a state.
    Raises:
        DeployError: it did not become ready; the change of a running job needs an upgrade; the job runs in the other
            way; or nothing says where in an earlier job's state to start.
    """
    check_way(kubectl, manifests)
    running = running_job(kubectl, uses_operator=manifests.uses_operator)
    if running is not None:
        if savepoint is not None or from_nothing:
            raise DeployError("the job is there already: use `latecomer deploy upgrade` to change what it runs")
        path = kept_start(kubectl).path if manifests.uses_operator else None  # of a job that never came up
        started_with = running["metadata"].get("annotations", {}).get(_DIGEST)
        if not manifests.uses_operator and started_with != _digest(manifests):
            raise DeployError("the job would change, which needs a savepoint: use `latecomer deploy upgrade`")
    else:
        path = where_to_start(kubectl, savepoint, from_nothing=from_nothing, uses_operator=manifests.uses_operator)
        if path is not None:
            _note_start(kubectl, manifests, path, is_chosen=savepoint is not None or from_nothing)
            say(f"the job starts from {path or 'nothing'}")
    documents = [started_from(one, path, is_running=False) for one in with_digest(manifests)]
    if running is not None and not manifests.uses_operator:  # a Job cannot be changed
        documents = [one for one in documents if one["metadata"]["name"] != JOB_MANAGER]
    known = _pods(kubectl)
    _apply(kubectl, documents, say)
    wait_until_ready(kubectl, manifests, timeout_ms, say, known)
    _tidy(kubectl, manifests, say)


def _note_start(kubectl: Kubectl, manifests: Manifests, path: str, *, is_chosen: bool) -> None:
    """Note where the job starts. Where a user chose it, what Flink remembers goes, or it would win over it."""
    if manifests.of("Namespace"):
        kubectl.apply(manifests.of("Namespace"))
    start_from(kubectl, path)
    if is_chosen:
        kubectl.run("delete", "configmap", f"--selector={HIGH_AVAILABILITY}")


def upgrade(kubectl: Kubectl, manifests: Manifests, timeout_ms: int, say: Say, savepoint: str | None = None) -> None:
    """Change the job and the services, so that the job resumes from a savepoint. The component's Kafka stays as it is.

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
    check_way(kubectl, manifests)
    running = running_job(kubectl, uses_operator=manifests.uses_operator)
    if running is None and (manifests.uses_operator or savepoint is None):
        raise DeployError("there is no job to upgrade: use `latecomer deploy apply`")
    documents = [one for one in with_digest(manifests) if one["kind"] != "StatefulSet"]
    if manifests.uses_operator:
        path = savepoint or kept_start(kubectl).path
        known = _pods(kubectl)
        _apply(kubectl, [started_from(one, path, is_running=savepoint is not None) for one in documents], say)
        wait_until_ready(kubectl, manifests, timeout_ms, say, known)
        _tidy(kubectl, manifests, say)
    else:
        _upgrade_plain(kubectl, manifests, documents, timeout_ms, say, savepoint)


def _upgrade_plain(
    kubectl: Kubectl,
    manifests: Manifests,
    documents: list[dict[str, Any]],
    timeout_ms: int,
    say: Say,
    given: str | None,
) -> None:
    if given is None:
        # What the cluster would refuse is heard of before the job is stopped. A Job is made anew in any case.
        kubectl.apply([one for one in documents if one["kind"] != "Job"], "--dry-run=server")
        savepoint = stopped(kubectl, manifests)
        say(f"the job has stopped; savepoint {savepoint}")
    else:
        savepoint = given
    try:
        start_from(kubectl, savepoint, is_ours=given is None)
        if given is None:
            wait_for_the_end(kubectl)
        _remove_job(kubectl, given is not None)
        known = _pods(kubectl)
        _apply(kubectl, documents, say)
        wait_until_ready(kubectl, manifests, timeout_ms, say, known)
    except (DeployError, KeyboardInterrupt) as error:
        cause = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        raise DeployError(
            f"{cause}; the job was stopped, and its state is in {savepoint}: when that is fixed, run "
            f"`latecomer deploy upgrade --from-savepoint {savepoint}`"
        ) from None
    _tidy(kubectl, manifests, say)


def _tidy(kubectl: Kubectl, manifests: Manifests, say: Say) -> None:
    """Remove what nothing needs, now that everything runs. That it could not is no failure of the job."""
    try:
        start = kept_start(kubectl)
        for savepoint in start.replaced:
            remove_savepoint(kubectl, savepoint, say)
        if manifests.uses_operator and start != start.used():
            start.used().write(kubectl)
        elif start.replaced or start.path == "":
            replace(start, path=start.path or None, replaced=()).write(kubectl)
        remove_leftovers(kubectl, manifests, say)
    except DeployError as error:
        say(f"what earlier versions left is still there: {error}")


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


def _remove_job(kubectl: Kubectl, is_given: bool) -> None:
    """Remove job manager and task managers. A task manager takes no second job: its Python belongs to the first.

    Where the savepoint was given, what the cluster remembers of the old job goes too, or it would win over it.
    """
    command = ("delete", "--ignore-not-found", "--cascade=foreground", "--wait", f"--timeout={GONE_WITHIN_S}s")
    kubectl.run(*command, f"job/{JOB_MANAGER}", f"deployment/{_TASK_MANAGERS}", within_s=2 * GONE_WITHIN_S)
    if is_given:
        kubectl.run("delete", "configmap", f"--selector={HIGH_AVAILABILITY}")


def _digest(manifests: Manifests) -> str:
    """What the job is started with: its pods, and Flink's configuration."""
    names = (JOB_MANAGER, _TASK_MANAGERS, *_FLINK_SETTINGS)
    started = manifests.of("ConfigMap", "Job", "Deployment")  # an autoscaler has the name of what it scales
    parts = [one.get("data") or one["spec"]["template"] for one in started if one["metadata"]["name"] in names]
    return sha256(dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def with_digest(manifests: Manifests) -> list[dict[str, Any]]:
    """The manifests, with a note at the job manager of what its job is started with."""
    if manifests.uses_operator:
        return manifests.documents
    documents = []
    for one in manifests.documents:
        if (one["kind"], one["metadata"]["name"]) == ("Job", JOB_MANAGER):
            annotations = one["metadata"].get("annotations", {}) | {_DIGEST: _digest(manifests)}
            documents.append(one | {"metadata": one["metadata"] | {"annotations": annotations}})
        else:
            documents.append(one)
    return documents
