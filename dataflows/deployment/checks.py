"""What is looked at before anything is applied: each lack is one line that says what to do about it."""

import json
from typing import Any, Final

from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.deployment.manifests import Manifests

__all__ = ["check_cluster"]

_OPERATOR: Final = (
    "install the Flink Kubernetes Operator 1.15 or newer, or add the component without-operator to your overlay"
)

_PROMETHEUS: Final = "install the Prometheus Operator, or leave out the component monitoring"

_DEFINITIONS: Final = {
    "FlinkDeployment": ("flinkdeployments.flink.apache.org", _OPERATOR),
    "PodMonitor": ("podmonitors.monitoring.coreos.com", _PROMETHEUS),
    "PrometheusRule": ("prometheusrules.monitoring.coreos.com", _PROMETHEUS),
}
"""Kinds that are not Kubernetes' own: their definition, and what to do where it is missing."""


def check_cluster(kubectl: Kubectl, manifests: Manifests) -> None:
    """Check that the cluster is there and has what the manifests count on.

    Raises:
        SettingsError: the context does not exist.
        DeployError: the cluster does not answer, or something is missing.
    """
    kubectl.check_reachable()
    for kind, (definition, advice) in _DEFINITIONS.items():
        wanted = manifests.of(kind)
        if not wanted:
            continue
        found = kubectl.get("customresourcedefinition", definition)
        if found is None:
            raise DeployError(f"the cluster has no {kind} (CRD {definition}): {advice}")
        if kind == "FlinkDeployment":
            _check_version(found, wanted[0])
    namespace = manifests.namespace
    is_made = any(one["metadata"]["name"] == namespace for one in manifests.of("Namespace"))
    if kubectl.get("namespace", namespace) is None:
        if not is_made:
            raise DeployError(f"there is no namespace {namespace}: kubectl create namespace {namespace}")
        missing = [f"{kind} {name}" for kind, name in _needed(manifests)]
        if missing:
            raise DeployError(
                f"the pods need {', '.join(missing)}, and there is no namespace {namespace}: create it, and these in it"
            )
        return
    for (kind, name), keys in _needed(manifests).items():
        found = kubectl.get(kind, name)
        if found is None:
            raise DeployError(f"namespace {namespace} has no {kind} {name}, which the pods need: create it first")
        lacking = keys - found.get("data", {}).keys() - found.get("binaryData", {}).keys()
        if lacking:
            raise DeployError(f"the {kind} {name} in namespace {namespace} has no {', '.join(sorted(lacking))}")


def _check_version(definition: dict[str, Any], deployment: dict[str, Any]) -> None:
    wanted = deployment["spec"]["flinkVersion"]
    for number, version in enumerate(definition["spec"]["versions"]):
        if version.get("storage"):
            schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["flinkVersion"]
            if wanted not in schema.get("enum", [wanted]):
                name = definition["metadata"]["name"]
                raise DeployError(
                    f"the CRD {name} ends at flinkVersion {schema['enum'][-1]}, and the job needs {wanted}: upgrade an "
                    "operator before 1.15; that of 1.15 can run it, but its chart brings an older CRD: add the "
                    f"version, `{_added_version(name, number, wanted)}`, and apply again"
                )


def _added_version(name: str, number: int, version: str) -> str:
    """The command that lets a CRD take one more version of Flink."""
    path = f"/spec/versions/{number}/schema/openAPIV3Schema/properties/spec/properties/flinkVersion/enum/-"
    patch = json.dumps([{"op": "add", "path": path, "value": version}], separators=(",", ":"))
    return f"kubectl patch crd {name} --type=json --patch='{patch}'"


def _needed(manifests: Manifests) -> dict[tuple[str, str], set[str]]:
    """The Secrets and ConfigMaps that pods name and no manifest makes, with the keys that they name."""
    made = {(one["kind"].lower(), one["metadata"]["name"]) for one in manifests.of("Secret", "ConfigMap")}
    needed: dict[tuple[str, str], set[str]] = {}
    for _, spec in manifests.pod_specs():
        for kind, name, keys in _named(spec):
            if (kind, name) not in made:
                needed.setdefault((kind, name), set()).update(keys)
    return needed


def _named(spec: dict[str, Any]) -> list[tuple[str, str, set[str]]]:
    """Each Secret and ConfigMap that a pod cannot start without, as kind, name, and keys."""
    found = []
    sources = list(spec.get("volumes", []))
    for volume in spec.get("volumes", []):
        sources += volume.get("projected", {}).get("sources", [])
    for source in sources:
        for field, kind in (("secret", "secret"), ("configMap", "configmap")):
            if field in source and not source[field].get("optional"):
                keys = {item["key"] for item in source[field].get("items", [])}
                found.append((kind, source[field].get("secretName") or source[field]["name"], keys))
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        for entry in container.get("envFrom", []):
            for field, kind in (("secretRef", "secret"), ("configMapRef", "configmap")):
                if field in entry and not entry[field].get("optional"):
                    found.append((kind, entry[field]["name"], set()))
        for variable in container.get("env", []):
            for field, kind in (("secretKeyRef", "secret"), ("configMapKeyRef", "configmap")):
                reference = variable.get("valueFrom", {}).get(field)
                if reference and not reference.get("optional"):
                    found.append((kind, reference["name"], {reference["key"]}))
    return found
