"""Removes what earlier versions left: ConfigMaps and Secrets that nothing names any more, and used savepoints."""

import re
from collections.abc import Callable
from json import dumps

from dataflows.deployment.flink import disposed
from dataflows.deployment.kubectl import Kubectl
from dataflows.deployment.manifests import Manifests
from dataflows.deployment.pods import OURS

__all__ = ["remove_leftovers", "remove_savepoint"]

_HASH = re.compile(r"-[a-z0-9]{10}$")
"""What kustomize adds to a name for the content: another content is another object."""

_USERS = "deployments,replicasets,statefulsets,jobs,pods"
"""What names a ConfigMap or Secret. A rollout can be undone as long as the ReplicaSet of before is there."""


def remove_leftovers(kubectl: Kubectl, manifests: Manifests, say: Callable[[str], None]) -> None:
    """Remove what was made for an earlier version under another name, unless something still names it."""
    made = manifests.of("ConfigMap", "Secret")
    current = {one["metadata"]["name"] for one in made}
    stems = {_HASH.sub("", name) for name in current if _HASH.search(name)}
    if not stems:
        return
    users = _USERS + (",flinkdeployments" if manifests.uses_operator else "")
    named = dumps(kubectl.json("get", users)["items"])
    removed = []
    for kind in ("configmap", "secret"):
        for one in kubectl.labelled(f"{kind}s", OURS):
            name = one["metadata"]["name"]
            if name not in current and _HASH.sub("", name) in stems and _HASH.search(name) and f'"{name}"' not in named:
                kubectl.run("delete", kind, name, "--ignore-not-found")
                removed.append(name)
    if removed:
        say(f"removed what nothing uses any more: {', '.join(removed)}")


def remove_savepoint(kubectl: Kubectl, savepoint: str, say: Callable[[str], None]) -> None:
    """Remove a savepoint whose job has taken a newer one since."""
    failure = disposed(kubectl, savepoint)
    say(
        f"removed the savepoint of the start before, {savepoint}"
        if failure is None
        else f"the savepoint {savepoint} is of no more use, but could not be removed: {failure}"
    )
