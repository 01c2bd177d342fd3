"""What a cluster lacks is found before anything is applied, of manifests and of the objects that it has."""

import json
from typing import Any

import pytest

from dataflows.deployment.checks import check_cluster
from dataflows.deployment.kubectl import DeployError
from dataflows.deployment.manifests import Manifests
from tests.dataflows.deployment.cluster_of_objects import ClusterOfObjects


def named(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "here"}, **more}


def workload(**spec: Any) -> dict[str, Any]:
    """One whose pods are of this spec."""
    return named("Deployment", "features", spec={"template": {"spec": {"containers": [{}], **spec}}})


def check(wanted: list[dict[str, Any]], *there: dict[str, Any]) -> None:
    check_cluster(ClusterOfObjects(*there), Manifests("\n---\n".join(map(json.dumps, wanted))))


def lack(wanted: list[dict[str, Any]], *there: dict[str, Any]) -> str:
    with pytest.raises(DeployError) as refused:
        check(wanted, *there)
    line = str(refused.value)
    assert "\n" not in line
    return line


HERE = named("Namespace", "here")

FROM_VOLUME = workload(volumes=[{"secret": {"secretName": "keys", "items": [{"key": "tls.key"}, {"key": "tls.crt"}]}}])
FROM_PROJECTION = workload(volumes=[{"projected": {"sources": [{"configMap": {"name": "trust"}}]}}])
FROM_ENVIRONMENT = workload(containers=[{"envFrom": [{"secretRef": {"name": "keys"}}]}])
FROM_VARIABLE = workload(
    containers=[{"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "trust", "key": "a"}}}]}]
)
FROM_INIT_CONTAINER = workload(initContainers=[{"envFrom": [{"configMapRef": {"name": "trust"}}]}])


def test_a_cluster_that_has_all_that_pods_name_passes() -> None:
    check([FROM_VOLUME, FROM_VARIABLE], HERE, named("Secret", "keys", data={"tls.key": "", "tls.crt": ""}),
          named("ConfigMap", "trust", binaryData={"a": ""}))  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        (FROM_VOLUME, "secret keys"),
        (FROM_PROJECTION, "configmap trust"),
        (FROM_ENVIRONMENT, "secret keys"),
        (FROM_VARIABLE, "configmap trust"),
        (FROM_INIT_CONTAINER, "configmap trust"),
    ],
)
def test_what_a_pod_cannot_start_without_is_named(wanted: dict[str, Any], missing: str) -> None:
    assert f"namespace here has no {missing}" in lack([wanted], HERE)


def test_a_key_that_is_not_there_is_named() -> None:
    assert lack([FROM_VOLUME], HERE, named("Secret", "keys", data={"tls.crt": ""})).endswith("has no tls.key")


@pytest.mark.parametrize(
    "spec",
    [
        {"volumes": [{"secret": {"secretName": "keys", "optional": True}}]},
        {"containers": [{"envFrom": [{"secretRef": {"name": "keys", "optional": True}}]}]},
        {"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "keys", "key": "a", "optional": True}}}]}]},
        {"containers": [{"env": [{"name": "A", "value": "b"}]}], "volumes": [{"emptyDir": {}}]},
    ],
)
def test_what_is_optional_is_not_asked_for(spec: dict[str, Any]) -> None:
    check([workload(**spec)], HERE)


def test_what_the_manifests_make_is_not_asked_for() -> None:
    check([FROM_VOLUME, named("Secret", "keys")], HERE)


def test_a_namespace_that_nobody_makes_is_told_with_the_command_that_does() -> None:
    assert lack([workload()]).endswith("kubectl create namespace here")


def test_a_namespace_of_the_manifests_needs_not_be_there_unless_pods_need_more_of_it() -> None:
    check([workload(), named("Namespace", "here")])
    assert "secret keys" in lack([FROM_VOLUME, named("Namespace", "here")])


FLINK = named(
    "FlinkDeployment", "latecomer", spec={"flinkVersion": "v2_3", "podTemplate": {"spec": {"containers": []}}}
)


def definition(*versions: str, is_stored: bool = True) -> dict[str, Any]:
    """The kind of the operator that knows these versions of Flink."""
    field = {"flinkVersion": {"enum": list(versions)} if versions else {}}
    schema = {"openAPIV3Schema": {"properties": {"spec": {"properties": field}}}}
    spec = {"versions": [{"storage": is_stored, "schema": schema}]}
    return named("CustomResourceDefinition", "flinkdeployments.flink.apache.org", spec=spec)


def test_a_job_of_the_operator_needs_the_operator() -> None:
    line = lack([FLINK], HERE)
    assert "no FlinkDeployment" in line
    assert "install the Flink Kubernetes Operator" in line


def test_an_operator_that_does_not_know_the_version_of_flink_is_told_with_its_last_one() -> None:
    line = lack([FLINK], HERE, definition("v1_20", "v2_2"))
    assert "ends at flinkVersion v2_2, and the job needs v2_3" in line
    patch = json.loads(line.partition("--patch='")[2].partition("'")[0])
    assert patch[0]["path"].startswith("/spec/versions/0/schema/")
    assert patch[0]["value"] == "v2_3"


@pytest.mark.parametrize("known", [definition("v2_2", "v2_3"), definition(), definition("v2_2", is_stored=False)])
def test_an_operator_that_knows_the_version_or_says_nothing_passes(known: dict[str, Any]) -> None:
    check([FLINK], HERE, known)


def test_a_pod_monitor_needs_the_operator_of_prometheus() -> None:
    assert "Prometheus Operator" in lack([named("PodMonitor", "latecomer")], HERE)
