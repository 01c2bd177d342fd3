"""A real API server admits every overlay and combination, under the Pod Security standard `restricted`."""

import json
import subprocess
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import pytest

from dataflows.deployment.manifests import Manifests
from tests.deploy.manifests.rendering import COMBINATIONS, name_of, rendered_combination

NAMESPACE = f"latecomer-trial-{uuid4().hex[:6]}"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


@pytest.fixture(scope="module")
def namespace(cluster: list[str], flink_crd: dict[str, Any]) -> Iterator[str]:
    """A namespace of the test's own, and the definition of a FlinkDeployment where the cluster has none."""
    has_crd = not run(cluster, "get", "crd", flink_crd["metadata"]["name"]).returncode
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": RESTRICTED}}
    given = [made] if has_crd else [made, flink_crd]
    applied = run(cluster, "apply", "--server-side", "--filename=-", given=listed(given))
    assert applied.returncode == 0, applied.stderr
    if not has_crd:
        run(cluster, "wait", "--for=condition=Established", f"crd/{flink_crd['metadata']['name']}", "--timeout=60s")
        give_up_s = monotonic() + 60
        while run(cluster, "get", flink_crd["metadata"]["name"]).returncode and monotonic() < give_up_s:
            sleep(0.5)  # established, and not known to all yet
    yield NAMESPACE
    run(cluster, "delete", "--filename=-", "--wait=false", given=listed(given))


def run(cluster: list[str], *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*cluster, *arguments], input=given, capture_output=True, text=True, check=False, timeout=120)


def listed(documents: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})


def tried(cluster: list[str], documents: list[dict[str, Any]]) -> "subprocess.CompletedProcess[str]":
    return run(cluster, "apply", "--dry-run=server", "--validate=strict", "--filename=-", given=listed(documents))


def in_namespace(manifests: Manifests, namespace: str) -> list[dict[str, Any]]:
    """The documents with another namespace, without what the cluster may not know."""
    documents = [one for one in manifests.documents if one["kind"] not in ("Namespace", "PodMonitor", "PrometheusRule")]
    return [one | {"metadata": one["metadata"] | {"namespace": namespace}} for one in documents]


def pods_of(manifests: Manifests, namespace: str) -> list[dict[str, Any]]:
    """A pod as each workload makes them: only of pods does Pod Security say no, of what makes them it warns."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"trial-{number}", "namespace": namespace},
            "spec": as_pod(spec),
        }
        for number, (_, spec) in enumerate(manifests.pod_specs())
    ]


def as_pod(spec: dict[str, Any]) -> dict[str, Any]:
    """With what the makers of pods add: an image, and the volume of a StatefulSet."""
    kept = {name: value for name, value in spec.items() if name not in ("serviceAccountName", "restartPolicy")}
    containers = [{"image": "an-image:1", **container} for container in spec["containers"]]
    volumes = spec.get("volumes", [])
    mounted = {mount["name"] for container in containers for mount in container.get("volumeMounts", [])}
    missing = mounted - {volume["name"] for volume in volumes}
    made = [{"name": name, "emptyDir": {}} for name in sorted(missing)]
    return kept | {"containers": containers, "volumes": volumes + made}


@pytest.mark.parametrize("combination", COMBINATIONS, ids=name_of)
def test_the_api_server_takes_it_without_a_warning(
    cluster: list[str], namespace: str, combination: tuple[str, ...]
) -> None:
    manifests = rendered_combination(combination)
    documents = in_namespace(manifests, namespace) + pods_of(manifests, namespace)
    result = tried(cluster, documents)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("(server dry run)") == len(documents)


def test_a_pod_that_is_not_restricted_is_refused(cluster: list[str], namespace: str) -> None:
    [pod, *_] = pods_of(rendered_combination(()), namespace)
    del pod["spec"]["securityContext"]
    result = tried(cluster, [pod])
    assert result.returncode == 1
    assert 'violates PodSecurity "restricted' in result.stderr


def test_a_version_of_flink_that_the_operator_does_not_know_is_refused(cluster: list[str], namespace: str) -> None:
    [document] = [one for one in in_namespace(rendered_combination(()), namespace) if one["kind"] == "FlinkDeployment"]
    result = tried(cluster, [document | {"spec": document["spec"] | {"flinkVersion": "v9_9"}}])
    assert result.returncode == 1
    assert 'Unsupported value: "v9_9"' in result.stderr
