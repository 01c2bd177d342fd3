"""What Flink says about the job, and the one thing that is asked of it: to stop with a savepoint."""

import json
import re
from pathlib import Path
from typing import Any, Final

from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.flink_job.causes import first_cause

__all__ = ["JOB_MANAGERS", "disposed", "job_manager_pod", "job_report", "stopped_with_savepoint"]

JOB_MANAGERS: Final = "app=latecomer,component=jobmanager"
"""The labels that the operator gives to the pods of a job manager, and the plain manifests too."""

_CONTAINER: Final = "flink-main-container"
_SCRIPT: Final = Path(__file__).with_name("in_job_manager.py")
_SAVEPOINT: Final = re.compile(r"[a-z0-9]+:/\S*/savepoint-[0-9a-f]+-[0-9a-f]+")
_STOP_WITHIN_S: Final = 660


def job_manager_pod(kubectl: Kubectl) -> str | None:
    """The pod in which a job manager runs now."""
    for pod in kubectl.labelled("pods", JOB_MANAGERS):
        running = [one for one in pod["status"].get("containerStatuses", []) if "running" in one.get("state", {})]
        if running and "deletionTimestamp" not in pod["metadata"]:
            return str(pod["metadata"]["name"])
    return None


def _asked(kubectl: Kubectl, pod: str, *what: str, within_s: float) -> dict[str, Any]:
    command = ("exec", "--stdin", pod, f"--container={_CONTAINER}", "--", "python3", "-", *what)
    answer: dict[str, Any] = json.loads(kubectl.run(*command, given=_SCRIPT.read_text(), within_s=within_s))
    return answer


def job_report(kubectl: Kubectl) -> dict[str, Any] | None:
    """Flink's own words about the job: see ``in_job_manager.report``. ``None``: no job manager answers."""
    pod = job_manager_pod(kubectl)
    if pod is None:
        return None
    try:
        report = _asked(kubectl, pod, "report", within_s=60)
    except DeployError:  # the pod went meanwhile
        return None
    return None if "away" in report else report


def stopped_with_savepoint(kubectl: Kubectl) -> str:
    """Stop the job, and say where its savepoint is.

    Raises:
        DeployError: it does not run, or could not be stopped; then it goes on.
    """
    pod = job_manager_pod(kubectl)
    if pod is None:
        raise DeployError("no job manager is running")
    try:
        answer = _asked(kubectl, pod, "stop", within_s=_STOP_WITHIN_S)
    except DeployError as error:
        answer = {"away": str(error)}
    if answer.get("savepoint"):
        return str(answer["savepoint"])
    if answer.get("failure"):
        raise DeployError(f"the job did not stop, and is still running: {first_cause(answer['failure'])}")
    if "state" in answer:
        raise DeployError(f"the job is {answer['state'] or 'not started yet'}")
    # It was gone before it answered: it has written where its savepoint is.
    found = _SAVEPOINT.findall(kubectl.run("logs", pod, f"--container={_CONTAINER}", "--tail=300"))
    if not found:
        raise DeployError(f"the job manager {pod} ended before it named its savepoint: {answer.get('away')}")
    return str(found[-1])


def disposed(kubectl: Kubectl, savepoint: str) -> str | None:
    """Let Flink remove a savepoint that no job needs; why it could not, if so."""
    pod = job_manager_pod(kubectl)
    if pod is None:
        return "no job manager is running"
    try:
        answer = _asked(kubectl, pod, "dispose", savepoint, within_s=_STOP_WITHIN_S)
    except DeployError as error:
        return str(error)
    failure = answer.get("failure") or answer.get("away")
    return first_cause(failure) if failure else None
