"""Overlays and combinations of components, rendered once each."""

import json
import os
from functools import cache
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

from dataflows.deployment.kubectl import Kubectl
from dataflows.deployment.manifests import Choice, Manifests, rendered
from tests.conftest import ROOT

__all__ = ["COMBINATIONS", "COUNTED_ON", "NEEDS", "OVERLAYS", "name_of", "rendered_combination"]

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())

ORDER = (
    "kafka",
    "heartbeats",
    "kafka-properties",
    "exactly-once",
    "java-services",
    "tls",
    "mutual-tls",
    "tokens",
    "monitoring",
    "traces",
    "autoscaling",
    "operator-in-namespace",
    "without-operator",
    "autoscaled-task-managers",
)
"""All components, in an order in which they can be listed."""

NEEDS = {"mutual-tls": "tls", "tokens": "tls"}

COUNTED_ON = {
    "secret": {"features-tls", "inference-tls", "latecomer-job-tls", "latecomer-kafka", "latecomer-token-issuer"},
}
"""What the user makes, for the components that say so."""


def _combinations() -> list[tuple[str, ...]]:
    """None, each alone, every pair, and all together; with the operator, which may be beside the job, and without."""
    features = list(ORDER[: ORDER.index("operator-in-namespace")])
    chosen = {frozenset(pair) for size in (0, 1, 2) for pair in combinations(features, size)} | {frozenset(features)}
    whole = {names | {NEEDS[name] for name in names if name in NEEDS} for names in chosen}
    whole |= {names | {"without-operator"} for names in whole}
    whole |= {frozenset({"operator-in-namespace"}), frozenset({*features, "operator-in-namespace"})}
    whole |= {frozenset({"without-operator", "autoscaled-task-managers"}), frozenset({*features, *ORDER[-2:]})}
    return sorted((tuple(name for name in ORDER if name in names) for names in whole), key=lambda one: (len(one), one))


COMBINATIONS = [*((overlay,) for overlay in OVERLAYS), *_combinations()]
"""An overlay alone, or the base with components."""


def name_of(combination: tuple[str, ...]) -> str:
    return "+".join(combination) or "base"


@cache
def rendered_combination(combination: tuple[str, ...]) -> Manifests:
    if combination and combination[0] in OVERLAYS:
        return rendered(Choice(combination[0]), Kubectl())
    with TemporaryDirectory() as folder:
        top = Path(folder).resolve()
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": "latecomer-trial",
            "resources": [os.path.relpath(KUBERNETES / "base", top)],
            "components": [os.path.relpath(KUBERNETES / "components" / name, top) for name in combination],
        }
        (top / "kustomization.yaml").write_text(json.dumps(kustomization))
        return rendered(Choice(str(top)), Kubectl())
