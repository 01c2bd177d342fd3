"""Stops and deletes, so that what is applied next resumes from there, in whichever way the two jobs are run."""

from collections.abc import Callable
from json import dumps
from typing import Final

from dataflows.deployment.flink import job_manager_pod, job_report, stopped_with_savepoint
from dataflows.deployment.flink_operator import stopped_by_operator, suspended_savepoint
from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.deployment.manifests import JOB_MANAGER, Manifests
from dataflows.deployment.pods import OURS, trouble
from dataflows.deployment.start import HIGH_AVAILABILITY, START, has_checkpoint, kept_start, start_from
from dataflows.deployment.waiting import operator_says
from dataflows.deployment.ways import check_way, running_job
from dataflows.flink_job.causes import first_cause

__all__ = ["GONE_WITHIN_S", "Say", "delete", "stopped", "wait_for_the_end"]

Say = Callable[[str], None]

GONE_WITHIN_S: Final = 180
_KEPT: Final = ("Namespace", "PersistentVolumeClaim")
"""What holds the state. With the namespace everything in it would go."""


def stopped(kubectl: Kubectl, manifests: Manifests) -> str:
    """Stop the running job, and say where its savepoint is.

    Raises:
        DeployError: it does not run, or goes on; with the cause.
    """
    savepoint = suspended_savepoint(kubectl) if manifests.uses_operator else None
    if savepoint is not None:
        return savepoint
    cause = _why_it_does_not_run(kubectl, manifests)
    if cause is not None:
        checkpoint = _newest_checkpoint(kubectl) or "PATH"
        raise DeployError(
            f"the job does not run, and can take no savepoint: {cause}; when that is fixed, start from its newest "
            f"checkpoint, `latecomer deploy upgrade --from-savepoint {checkpoint}`"
        )
    if manifests.uses_operator:
        return stopped_by_operator(kubectl, lambda: _of_the_pods(kubectl))
    return stopped_with_savepoint(kubectl)


def _newest_checkpoint(kubectl: Kubectl) -> str | None:
    completed = ((job_report(kubectl) or {}).get("checkpoints") or {}).get("latest", {}).get("completed")
    return None if completed is None else str(completed["external_path"])


def _of_the_pods(kubectl: Kubectl) -> str | None:
    return trouble(kubectl, kubectl.labelled("pods", OURS), crashes=1)


def _why_it_does_not_run(kubectl: Kubectl, manifests: Manifests) -> str | None:
    """The cause, in the words of a pod, of Flink or of the operator; ``None``: the job runs."""
    report = job_report(kubectl) if job_manager_pod(kubectl) is not None else None
    job = None if report is None else report["job"]
    if report is not None and job is not None and job["state"] == "RUNNING":
        return None
    words = operator_says(kubectl, manifests)
    cause = _of_the_pods(kubectl) or (words and words[0])
    if cause is None and report is not None and report.get("failure"):
        cause = first_cause(report["failure"])
    state = "no job manager is running" if report is None else f"it is {job['state'] if job else 'not started yet'}"
    return cause or state


def delete(kubectl: Kubectl, manifests: Manifests, say: Say, *, with_state: bool) -> None:
    """Remove what the manifests made: all but the state, or everything.

    If the state stays, the job is first stopped with a savepoint, and the next ``apply`` resumes from it.

    Raises:
        DeployError: the job runs in the other way, or has state and cannot take a savepoint: nothing was removed.
    """
    check_way(kubectl, manifests)
    if not with_state:
        _keep(kubectl, manifests, say)
    documents = [one for one in manifests.documents if with_state or one["kind"] not in _KEPT]
    whole = {"apiVersion": "v1", "kind": "List", "items": documents}
    command = ("delete", "--filename=-", "--ignore-not-found", "--wait", f"--timeout={GONE_WITHIN_S}s")
    for line in kubectl.run(*command, given=dumps(whole), within_s=2 * GONE_WITHIN_S).splitlines():
        say(line)
    if with_state:
        _remove_state(kubectl)


def _keep(kubectl: Kubectl, manifests: Manifests, say: Say) -> None:
    """Stop the job with a savepoint, and note it for the next one; a job without any state has none to keep."""
    if running_job(kubectl, uses_operator=manifests.uses_operator) is None:
        return  # stopped before, or never there
    if _has_nothing_to_keep(kubectl, manifests):
        kept = kept_start(kubectl).path
        if kept is None:
            start_from(kubectl, "")
        say(f"the job does not run, and has no checkpoint: the next apply starts from {kept or 'nothing'}")
        return
    savepoint = stopped(kubectl, manifests)
    start_from(kubectl, savepoint, is_ours=True)
    if not manifests.uses_operator:
        wait_for_the_end(kubectl)
    say(f"the job has stopped; the next `latecomer deploy apply` resumes from {savepoint}")


def _has_nothing_to_keep(kubectl: Kubectl, manifests: Manifests) -> bool:
    """Whether the job does not run and never has: what stops it from starting does not stop it from being removed."""
    if _why_it_does_not_run(kubectl, manifests) is None or has_checkpoint(kubectl):
        return False
    return not manifests.uses_operator or suspended_savepoint(kubectl) is None


def _remove_state(kubectl: Kubectl) -> None:
    """What no manifest names: the volumes of a StatefulSet, and what Flink wrote down in ConfigMaps."""
    for kind, selector in (
        ("persistentvolumeclaim", OURS),
        ("persistentvolumeclaim", "app.kubernetes.io/name=kafka"),
        ("configmap", HIGH_AVAILABILITY),
    ):
        kubectl.run("delete", kind, f"--selector={selector}", "--wait=false")
    kubectl.run("delete", "configmap", START, "--ignore-not-found")


def wait_for_the_end(kubectl: Kubectl) -> None:
    """Let the job manager finish: at last it removes what says that this job has ended."""
    ended = ("wait", f"job/{JOB_MANAGER}", "--for=condition=complete", f"--timeout={GONE_WITHIN_S}s")
    kubectl.run(*ended, within_s=2 * GONE_WITHIN_S)
