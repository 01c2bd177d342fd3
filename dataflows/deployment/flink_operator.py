"""What the Flink Kubernetes Operator says about the job, and how the operator is asked to stop it with a savepoint."""

import json
from collections.abc import Callable
from time import monotonic, sleep, time
from typing import Any, Final

from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.deployment.manifests import JOB
from dataflows.flink_job.causes import first_cause

__all__ = ["started_from", "stopped_by_operator", "suspended_savepoint", "words_of_operator"]

_KIND: Final = "flinkdeployment"
_LOOK_AGAIN_S: Final = 1.0
_STOPPED_WITHIN_S: Final = 660
"""As long as a savepoint may take, and a minute for the operator."""

_SETTLED_LOOKS: Final = 10
"""An error that stands for so many looks is not one that the operator has yet to clear away."""

_FINAL: Final = "ValidationException"
"""The class of what the operator refuses: it goes on with the manifest of before, and tries nothing again."""


def words_of_operator(deployment: dict[str, Any] | None) -> tuple[str, bool] | None:
    """The innermost cause in ``.status.error``, in one line, and whether waiting is of no use.

    >>> words_of_operator({"status": {"error": '{"type": "a.ValidationException", "message": "no such mode"}'}})
    ('no such mode', True)
    """
    status = (deployment or {}).get("status") or {}
    said = status.get("error")
    if not said:
        return None
    is_over = status.get("lifecycleState") in {"FAILED", "ROLLED_BACK"}
    try:
        error = json.loads(said)
    except ValueError:  # an older operator's
        return first_cause(str(said)), is_over or _FINAL in said
    if not isinstance(error, dict):
        return str(said), is_over
    inner = [one.get("message") for one in error.get("throwableList") or [] if one.get("message")]
    words = str((inner or [error.get("message") or error.get("type")])[-1])
    return " ".join(words.split()), is_over or str(error.get("type", "")).endswith(_FINAL)


def started_from(document: dict[str, Any], path: str | None, *, is_running: bool) -> dict[str, Any]:
    """A FlinkDeployment that starts from a savepoint; where a job is, a nonce tells the operator to obey."""
    if document["kind"] != "FlinkDeployment" or not path:
        return document
    job = document["spec"]["job"] | {"initialSavepointPath": path}
    if is_running:
        job |= {"savepointRedeployNonce": int(time())}
    return document | {"spec": document["spec"] | {"job": job}}


def stopped_by_operator(kubectl: Kubectl, failure: Callable[[], str | None]) -> str:
    """Let the operator stop the running job with a savepoint, and say where that is.

    Args:
        kubectl: the namespace of the job.
        failure: says what is wrong with the pods, if something is.
    Raises:
        DeployError: there is no savepoint; the job is asked to run on.
    """
    _ask_for(kubectl, "suspended")
    try:
        return _savepoint_once_suspended(kubectl, failure)
    except (DeployError, KeyboardInterrupt) as error:
        _ask_for(kubectl, "running")
        cause = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        raise DeployError(f"the job did not stop with a savepoint, and is to run on: {cause}") from None


def _ask_for(kubectl: Kubectl, state: str) -> None:
    patch = json.dumps({"spec": {"job": {"state": state}}})
    kubectl.run("patch", _KIND, JOB, "--type=merge", f"--patch={patch}")


def suspended_savepoint(kubectl: Kubectl) -> str | None:
    """Where the savepoint is with which the operator has stopped the job; ``None``: the job is not suspended.

    Raises:
        DeployError: it is, and the operator names no savepoint.
    """
    status = (kubectl.get(_KIND, JOB) or {}).get("status") or {}
    if status.get("lifecycleState") != "SUSPENDED":
        return None
    job = status.get("jobStatus") or {}
    path = job.get("upgradeSavepointPath") or ((job.get("savepointInfo") or {}).get("lastSavepoint") or {}).get(
        "location"
    )
    if not path or ":/" not in path:  # it has a word of its own for "the last checkpoint, wherever that is"
        raise DeployError(f"the operator has suspended the job, and names no savepoint, but {path}")
    return str(path)


def _savepoint_once_suspended(kubectl: Kubectl, failure: Callable[[], str | None]) -> str:
    give_up_s = monotonic() + _STOPPED_WITHIN_S
    looks = 0
    while True:
        path = suspended_savepoint(kubectl)
        if path is not None:
            return path
        words = words_of_operator(kubectl.get(_KIND, JOB))
        looks = 0 if words is None else looks + 1
        if words is not None and looks >= _SETTLED_LOOKS:
            raise DeployError(failure() or words[0])
        if monotonic() >= give_up_s:
            raise DeployError(f"no savepoint within {_STOPPED_WITHIN_S} s: see `latecomer deploy status`")
        sleep(_LOOK_AGAIN_S)
