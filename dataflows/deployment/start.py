"""Where the next job starts: from the savepoint that the last one left, whichever way the two are run.

A ConfigMap says so. The plain manifests read it by themselves; the operator is told with the FlinkDeployment.
"""

from dataclasses import dataclass, replace
from typing import Final

from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.deployment.manifests import JOB

__all__ = ["HIGH_AVAILABILITY", "START", "Start", "has_checkpoint", "kept_start", "start_from", "where_to_start"]

START: Final = "latecomer-start"
"""The ConfigMap."""

HIGH_AVAILABILITY: Final = f"app={JOB},configmap-type=high-availability"
"""The labels of the ConfigMaps in which Flink notes its leader and its latest checkpoint."""

_STATE: Final = "latecomer-state"
_CHECKPOINT: Final = "checkpointID-"
"""How Flink's keys for completed checkpoints begin."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the ConfigMap says.

    Attributes:
        path: the savepoint or checkpoint to start from; empty is a start from nothing, ``None`` says nothing.
        is_ours: it was taken for this start alone, and is of no use after the next one.
        replaced: savepoints taken for earlier starts, to be removed once the job runs.
    """

    path: str | None = None
    is_ours: bool = False
    replaced: tuple[str, ...] = ()

    def write(self, kubectl: Kubectl) -> None:
        data = {"replaced": "\n".join(self.replaced)} if self.replaced else {}
        data |= {"taken-for-this-start": "true"} if self.is_ours else {}
        data |= {"path": self.path} if self.path is not None else {}
        metadata = {"name": START, "labels": {"app.kubernetes.io/part-of": "latecomer"}}
        kubectl.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}])

    def used(self) -> "Start":
        """Once the operator has noted it with a running job: this start serves no other job."""
        return Start(None, False, (self.path,) if self.path and self.is_ours else ())


def kept_start(kubectl: Kubectl) -> Start:
    data = (kubectl.get("configmap", START) or {}).get("data") or {}
    return Start(data.get("path"), "taken-for-this-start" in data, tuple(data.get("replaced", "").split()))


def start_from(kubectl: Kubectl, path: str, *, is_ours: bool = False) -> None:
    """Tell the next job where to start.

    Args:
        kubectl: the namespace of the job.
        path: of the savepoint or checkpoint; empty for a start from nothing.
        is_ours: it was taken for this start; one that a user names replaces none, so that the way back stays open.
    """
    before = kept_start(kubectl)
    if path == before.path:
        return
    is_superseded = is_ours and before.is_ours and before.path is not None
    replaced = (*before.replaced, str(before.path)) if is_superseded else before.replaced
    replace(before, path=path, is_ours=is_ours, replaced=replaced).write(kubectl)


def has_checkpoint(kubectl: Kubectl) -> bool:
    """Whether Flink knows of a checkpoint that a job can resume from."""
    return any(
        key.startswith(_CHECKPOINT)
        for one in kubectl.labelled("configmaps", HIGH_AVAILABILITY)
        for key in one.get("data") or {}
    )


def where_to_start(kubectl: Kubectl, savepoint: str | None, *, from_nothing: bool, uses_operator: bool) -> str | None:
    """Where a job starts that is not there yet.

    Args:
        kubectl: the namespace of the job.
        savepoint: what the user names.
        from_nothing: the user wants no state.
        uses_operator: it starts every job under an id of its own, so that it finds no earlier one's checkpoints.
    Returns:
        A path; empty for a start from nothing; ``None`` where nothing has to be said.
    Raises:
        DeployError: there is a state, and nothing says where in it to start.
    """
    if from_nothing:
        return ""
    if savepoint is not None:
        return savepoint
    knows_checkpoint = has_checkpoint(kubectl)
    if knows_checkpoint and not uses_operator:
        return None  # Flink resumes from it, whatever it is told
    kept = kept_start(kubectl).path
    if kept is not None:
        return kept
    if knows_checkpoint or kubectl.get("persistentvolumeclaim", _STATE) is not None:
        raise DeployError(
            f"the volume {_STATE} is there, perhaps with the state of an earlier job, and nothing says where to "
            "resume: give --from-savepoint PATH, or --from-nothing to start without it"
        )
    return None
