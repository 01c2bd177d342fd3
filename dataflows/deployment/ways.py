"""The two ways to run the job, and which of them a cluster uses now: two jobs would share one state."""

from typing import Any, Final

from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.deployment.manifests import JOB, JOB_MANAGER, Manifests

__all__ = ["check_way", "running_job"]

_WAYS: Final = {
    True: ("flinkdeployment", JOB, "with the Flink Kubernetes Operator"),
    False: ("job", JOB_MANAGER, "without an operator"),
}
"""By whether the operator runs it: the object that stands for the job, and how to say so."""


def running_job(kubectl: Kubectl, *, uses_operator: bool) -> dict[str, Any] | None:
    """The object that stands for the job, if the job is run in this way."""
    kind, name, _ = _WAYS[uses_operator]
    return kubectl.get(kind, name)


def check_way(kubectl: Kubectl, manifests: Manifests) -> None:
    """Refuse an overlay of the other way than the one in which the job runs.

    Raises:
        DeployError: the job runs, and not as the overlay has it.
    """
    wanted = manifests.uses_operator
    try:
        other = running_job(kubectl, uses_operator=not wanted)
    except DeployError as error:
        if "forbidden" in str(error):  # who may not see jobs of the other way has none to share a namespace with
            return
        raise
    if other is None:
        return
    kind, name, way = _WAYS[not wanted]
    raise DeployError(
        f"the job in namespace {manifests.namespace} runs {way} ({kind} {name}), and this overlay runs it "
        f"{_WAYS[wanted][2]}: give the overlay that it was applied from, --overlay DIR; to change ways, "
        "`latecomer deploy delete` with that overlay, then `latecomer deploy apply` with this one"
    )
