"""Every overlay and combination of components renders to what the schemas allow, and to parts that fit together."""

import json
import re
from base64 import b64decode
from copy import deepcopy
from functools import cache
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from dataflows.deployment.manifests import Manifests
from dataflows.deployment.rollout import with_digest
from tests.deploy.manifests.rendering import COMBINATIONS, COUNTED_ON, KUBERNETES, ORDER, name_of, rendered_combination

VERSIONS = ("1.31", "1.34")
"""Of Kubernetes: the oldest and the newest that the manifests are held to."""

OTHERS = {"FlinkDeployment", "PodMonitor", "PrometheusRule"}
"""Kinds that are not Kubernetes' own."""


@pytest.fixture(params=COMBINATIONS, ids=name_of)
def manifests(request: pytest.FixtureRequest) -> Manifests:
    return rendered_combination(request.param)


def test_every_component_is_tried() -> None:
    assert sorted(ORDER) == sorted(path.name for path in (KUBERNETES / "components").iterdir())


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_own_kinds_have_no_unknown_or_wrong_field(manifests: Manifests, version: str) -> None:
    checked = [document for document in manifests.documents if document["kind"] not in OTHERS]
    assert len(checked) > 10
    for document in checked:
        validate(json.dumps(document), version)


@cache
def validate(document: str, version: str) -> None:
    """Most documents are the same in all combinations."""
    kubernetes_validate.validate(json.loads(document), version, strict=True)


def test_a_flink_deployment_has_no_unknown_or_wrong_field(manifests: Manifests, flink_crd: dict[str, Any]) -> None:
    assert len(manifests.of("FlinkDeployment")) + len(
        [job for job in manifests.of("Job") if job["metadata"]["name"] == "latecomer-jobmanager"]
    ) == 1  # fmt: skip
    schema = strict(deepcopy(flink_crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))
    for document in manifests.of("FlinkDeployment"):
        body = {name: value for name, value in document.items() if name in ("spec", "status")}
        jsonschema.Draft202012Validator(schema).validate(body)


def strict(schema: Any) -> Any:
    """A schema that refuses what the API server would drop in silence."""
    if isinstance(schema, dict):
        for value in schema.values():
            strict(value)
        is_closed = "properties" in schema and schema.get("type") == "object"
        if is_closed and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
    elif isinstance(schema, list):
        for value in schema:
            strict(value)
    return schema


def test_a_wrong_field_and_a_wrong_version_are_found(flink_crd: dict[str, Any]) -> None:
    schema = strict(deepcopy(flink_crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))
    [right] = rendered_combination(()).of("FlinkDeployment")
    for path, value in (
        (("flinkVersion",), "v9_9"),
        (("jobManagr",), {}),
        (("podTemplate", "spec", "containers", 0, "volumeMount"), []),
        (("podTemplate", "spec", "enableServiceLinks"), "no"),
    ):
        wrong = deepcopy({"spec": right["spec"]})
        place: Any = wrong["spec"]
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(schema).validate(wrong)


def test_the_settings_of_the_job_can_be_run_with(manifests: Manifests) -> None:
    settings = manifests.settings
    assert settings.log.is_topic
    assert settings.calls.features == "features:10001"


def test_whatever_pods_name_is_made_or_counted_on(manifests: Manifests) -> None:
    made = {(document["kind"], document["metadata"]["name"]) for document in manifests.documents}
    for workload, spec in manifests.pod_specs():
        for kind, name in named(spec):
            is_counted_on = name in COUNTED_ON.get(kind.lower(), set())
            assert (kind, name) in made or is_counted_on, f"{workload} names {kind} {name}"


def named(spec: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    for volume in spec.get("volumes", []):
        if "secret" in volume:
            found.append(("Secret", volume["secret"]["secretName"]))
        if "configMap" in volume:
            found.append(("ConfigMap", volume["configMap"]["name"]))
        if "persistentVolumeClaim" in volume:
            found.append(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
    for container in spec["containers"]:
        found += map(source_of, container.get("envFrom", []))
    if "serviceAccountName" in spec:
        found.append(("ServiceAccount", spec["serviceAccountName"]))
    return found


def source_of(entry: dict[str, Any]) -> tuple[str, str]:
    """The ConfigMap or Secret that is taken into the environment."""
    [(reference, named_one)] = entry.items()
    return {"configMapRef": "ConfigMap", "secretRef": "Secret"}[reference], named_one["name"]


def data_of(document: dict[str, Any]) -> dict[str, str]:
    data = document.get("data", {})
    return {key: b64decode(text).decode() for key, text in data.items()} if document["kind"] == "Secret" else data


def test_files_that_settings_name_are_mounted(manifests: Manifests) -> None:
    """A setting of a component, and the volume that it counts on, come together."""
    maps = {(one["kind"], one["metadata"]["name"]): data_of(one) for one in manifests.of("ConfigMap", "Secret")}
    for workload, spec in manifests.pod_specs():
        for container in spec["containers"]:
            mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
            if workload == "heartbeats":
                continue  # it takes one of the job's settings, and its input
            for entry in container.get("envFrom", []):
                for variable, value in maps[source_of(entry)].items():
                    if value.startswith("/"):
                        assert any(value.startswith(f"{mount}/") for mount in mounts), f"{workload}: {variable}"


def test_what_is_scraped_is_there(manifests: Manifests) -> None:
    labelled = [pods for pods in map(pod_template, manifests.documents) if pods is not None]
    for monitor in manifests.of("PodMonitor"):
        chosen = [spec for labels, spec in labelled if selected(labels, monitor["spec"]["selector"])]
        ports = {port.get("name") for spec in chosen for one in spec["containers"] for port in one.get("ports", [])}
        assert ports >= {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}


def pod_template(document: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]] | None:
    spec = document.get("spec", {})
    template = spec.get("podTemplate") or (spec.get("template") if document["kind"] != "CronJob" else None)
    if template is None:
        return None
    labels = dict(template["metadata"]["labels"])
    if document["kind"] == "FlinkDeployment":  # the operator's own label
        labels["component"] = "taskmanager"
    return labels, template["spec"]


def selected(labels: dict[str, str], selector: dict[str, Any]) -> bool:
    exact = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    among = all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", []))
    return exact and among


@pytest.mark.parametrize("service", ["features", "inference"])
def test_whether_a_service_is_ready_is_asked_of_its_health_and_not_of_its_port(
    manifests: Manifests, service: str
) -> None:
    [container] = dict(manifests.pod_specs())[service]["containers"]
    probe = container["readinessProbe"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    if "httpGet" in probe:
        assert probe["httpGet"] == {"path": "/health", "port": "metrics"}
        assert "metrics" in ports
    else:
        assert probe["grpc"]["port"] == ports["grpc"]


def test_every_pod_may_resolve_names_and_no_pod_is_open_to_all(manifests: Manifests) -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in manifests.of("NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies["names"]["podSelector"] == {}
    for name, policy in policies.items():
        for rule in policy.get("ingress", []):
            assert rule.get("from"), f"{name} lets everybody in"


def test_whoever_sends_traces_may_reach_the_collector(manifests: Manifests) -> None:
    maps = {(one["kind"], one["metadata"]["name"]): data_of(one) for one in manifests.of("ConfigMap", "Secret")}
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in manifests.of("NetworkPolicy")}
    senders = set()
    for template in filter(None, map(pod_template, manifests.documents)):
        labels, spec = template
        if labels["app.kubernetes.io/name"] == "heartbeats":
            continue  # they read the settings of the run, and trace nothing
        entries = [entry for container in spec["containers"] for entry in container.get("envFrom", [])]
        named = [
            value for entry in entries for name, value in maps[source_of(entry)].items() if name.endswith("TRACES")
        ]
        for url in named:
            senders.add(labels["app.kubernetes.io/name"])
            host, _, port = url.removeprefix("http://").partition(":")
            [rule] = policies["traces"]["egress"]
            [peer] = rule["to"]
            assert selected(labels, policies["traces"]["podSelector"])
            assert rule["ports"] == [{"protocol": "TCP", "port": int(port)}]
            assert host.endswith(f".{peer['namespaceSelector']['matchLabels']['kubernetes.io/metadata.name']}")
    assert senders >= {"features", "inference"} if "traces" in policies else not senders


def test_what_is_scaled_is_there_and_its_number_is_left_to_the_scaler(manifests: Manifests) -> None:
    deployments = {one["metadata"]["name"]: one["spec"] for one in manifests.of("Deployment")}
    scalers = {one["metadata"]["name"]: one["spec"] for one in manifests.of("HorizontalPodAutoscaler")}
    for name, scaler in scalers.items():
        assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        assert "cpu" in deployments[name]["template"]["spec"]["containers"][0]["resources"]["requests"]
    for name, spec in deployments.items():
        assert ("replicas" in spec) == (name not in scalers), name


def test_the_job_manager_alone_tells_what_its_job_is_started_with(manifests: Manifests) -> None:
    told = [one for one in with_digest(manifests) if "latecomer/job" in one["metadata"].get("annotations", {})]
    assert [one["kind"] for one in told] == ([] if manifests.uses_operator else ["Job"])


def test_nothing_scales_the_job_above_the_partitions_of_the_components_topic(manifests: Manifests) -> None:
    [topics] = [one for one in rendered_combination(("kafka",)).of("Job") if one["metadata"]["name"] == "kafka-topics"]
    command = topics["spec"]["template"]["spec"]["containers"][0]["command"]
    partitions = int(command[command.index("--partitions") + 1])
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        if scaler["metadata"]["name"] == "latecomer-taskmanager":
            assert scaler["spec"]["maxReplicas"] <= partitions
    for job in manifests.of("FlinkDeployment"):
        options = job["spec"]["flinkConfiguration"]
        if options.get("job.autoscaler.enabled") == "true":
            assert int(options["job.autoscaler.vertex.max-parallelism"]) <= partitions
            assert options["jobmanager.scheduler"] == "adaptive"


def test_images_are_those_of_the_release(manifests: Manifests) -> None:
    from dataflows import __version__

    images = re.findall(r"image: (\S+)", manifests.text)
    assert images
    for image in images:
        assert re.fullmatch(rf"latecomer/[a-z-]+:{re.escape(__version__)}", image)
