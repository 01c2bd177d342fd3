"""No account of ours can write what another one goes by, and no network policy trusts a label of just any namespace."""

from collections.abc import Iterator
from typing import Any

import pytest

from dataflows.deployment.manifests import Manifests
from tests.deploy.manifests.rendering import COMBINATIONS, name_of, rendered_combination

WRITING = {"create", "update", "patch", "delete", "deletecollection", "*"}

CALLS_THE_API = {"latecomer", "latecomer-jobmanager", "latecomer-taskmanager"}
"""Flink's own processes: who leads, and the latest checkpoint."""


@pytest.fixture(params=COMBINATIONS, ids=name_of)
def manifests(request: pytest.FixtureRequest) -> Manifests:
    return rendered_combination(request.param)


def account_of(workload: str, spec: dict[str, Any]) -> str:
    return "latecomer-job" if workload == "latecomer" else str(spec.get("serviceAccountName", "default"))


def rules(manifests: Manifests) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each rule of each account."""
    roles = {role["metadata"]["name"]: role["rules"] for role in manifests.of("Role")}
    for binding in manifests.of("RoleBinding"):
        for subject in binding["subjects"]:
            assert subject["kind"] == "ServiceAccount"
            for rule in roles[binding["roleRef"]["name"]]:
                yield subject["name"], rule


def writable(manifests: Manifests) -> dict[str, set[str]]:
    """Kinds that each account may write: who may create and delete, may do so under any name."""
    found: dict[str, set[str]] = {}
    for account, rule in rules(manifests):
        if WRITING & set(rule["verbs"]) and not rule.get("resourceNames"):
            found.setdefault(account, set()).update(rule["resources"])
    return found


def sources(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and name of all that a pod goes by, wherever it is named."""
    names = {"configMap": "configmaps", "secret": "secrets", "configMapRef": "configmaps", "secretRef": "secrets"}
    names |= {"configMapKeyRef": "configmaps", "secretKeyRef": "secrets", "persistentVolumeClaim": "volumes"}
    todo: list[Any] = [spec]
    while todo:
        part = todo.pop()
        for key, value in part.items() if isinstance(part, dict) else ():
            if key in names and isinstance(value, dict):
                yield names[key], value.get("name") or value.get("secretName") or value["claimName"]
        todo += part.values() if isinstance(part, dict) else part if isinstance(part, list) else []


def test_no_account_can_write_what_another_one_goes_by(manifests: Manifests) -> None:
    may = writable(manifests)
    volumes: dict[str, str] = {}
    for workload, spec in manifests.pod_specs():
        account = account_of(workload, spec)
        for kind, name in sources(spec):
            writers = {other for other, kinds in may.items() if {kind, "*"} & kinds} - {account}
            assert not writers, f"{workload} goes by {name} of the {kind}, which {writers} may write"
            if kind == "volumes":
                assert volumes.setdefault(name, account) == account, f"{name} is mounted by two accounts"


def test_the_job_may_touch_configmaps_and_with_an_operator_its_pods_and_nothing_else(manifests: Manifests) -> None:
    touched = {(account, resource) for account, rule in rules(manifests) for resource in rule["resources"]}
    with_operator = {("latecomer-job", "pods"), ("latecomer-job", "services"), ("latecomer-job", "deployments")}
    assert touched == {("latecomer-job", "configmaps")} | (with_operator if manifests.uses_operator else set())
    assert not manifests.of("ClusterRole", "ClusterRoleBinding")


def test_a_pod_that_calls_no_api_gets_no_token_for_it(manifests: Manifests) -> None:
    for workload, spec in manifests.pod_specs():
        if workload not in CALLS_THE_API:
            assert spec.get("automountServiceAccountToken") is False, workload
    for account in manifests.of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is (account["metadata"]["name"] == "latecomer-job")


def test_a_label_is_trusted_in_a_namespace_that_is_named(manifests: Manifests) -> None:
    for policy in manifests.of("NetworkPolicy"):
        spec = policy["spec"]
        peers = [peer for rule in spec.get("ingress", []) for peer in rule["from"]]
        peers += [peer for rule in spec.get("egress", []) for peer in rule.get("to", [])]
        for peer in peers:
            labels = peer.get("namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": "ours"}})
            assert labels.get("matchLabels", {}).get("kubernetes.io/metadata.name"), policy["metadata"]["name"]
            assert "ipBlock" in peer or peer.get("podSelector") or "namespaceSelector" in peer
