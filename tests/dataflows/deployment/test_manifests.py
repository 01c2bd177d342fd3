"""What the choices of a user change about an overlay, and what is read of rendered manifests."""

import json
from typing import Any

import pytest

from dataflows.deployment.manifests import Choice, Manifests, _kustomization
from runtime.errors import SettingsError


def manifests(*documents: dict[str, Any]) -> Manifests:
    return Manifests("\n---\n".join(map(json.dumps, documents)))


def named(kind: str, name: str, namespace: str | None = "here", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **({} if namespace is None else {"namespace": namespace})}
    return {"kind": kind, "metadata": metadata, **more}


def changes(**choice: Any) -> dict[str, Any]:
    return {
        name: value for name, value in _kustomization(Choice(**choice)).items() if name not in ("apiVersion", "kind")
    }


def test_nothing_is_changed_where_nothing_was_chosen() -> None:
    assert changes() == {}


def test_a_namespace_takes_the_place_of_the_overlays() -> None:
    assert changes(namespace="my-own-1") == {"namespace": "my-own-1"}
    assert changes(namespace="a" * 63)


@pytest.mark.parametrize("namespace", ["", "A", "a_b", "-a", "a-", "a" * 64, "a.b", "a\n"])
def test_what_is_no_name_of_a_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(SettingsError, match=r"^--namespace "):
        changes(namespace=namespace)


@pytest.mark.parametrize(
    ("image", "name", "tag"),
    [
        ("1.2.3", "latecomer/kafka", "1.2.3"),
        ("registry.example/team:1.2.3", "registry.example/team/kafka", "1.2.3"),
        ("registry.example:5000/a/b:1", "registry.example:5000/a/b/kafka", "1"),
        ("localhost:5000:1", "localhost:5000/kafka", "1"),
    ],
)
def test_every_image_gets_the_tag_and_the_registry(image: str, name: str, tag: str) -> None:
    images = changes(image=image)["images"]
    assert [one["name"] for one in images] == [
        "latecomer/flink-job", "latecomer/python-services", "latecomer/java-services", "latecomer/kafka",
    ]  # fmt: skip
    assert (images[-1]["newName"], images[-1]["newTag"]) == (name, tag)


@pytest.mark.parametrize("image", ["", ":", "a b", "a:", "/a:1", "a@sha256:00", "a" * 129, "1.2.3\n"])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(SettingsError, match=r"^--image "):
        changes(image=image)


def test_a_setting_takes_the_place_of_the_overlays_under_the_name_of_its_variable() -> None:
    [generator] = changes(settings=("tick=1m", "kafka-properties=a=b"))["configMapGenerator"]
    assert generator["literals"] == ["LATECOMER_RUN_TICK=1m", "LATECOMER_RUN_KAFKA_PROPERTIES=a=b"]
    assert generator["behavior"] == "merge"


@pytest.mark.parametrize("setting", ["tick", "tock=1m", "=1m"])
def test_what_is_no_setting_is_refused(setting: str) -> None:
    with pytest.raises(SettingsError, match=r"^--set "):
        changes(settings=(setting,))


def test_manifests_go_to_the_one_namespace_that_they_name() -> None:
    assert manifests(named("Namespace", "here", None), named("Job", "a"), named("Job", "b")).namespace == "here"
    for documents in ([named("Job", "a", None)], [named("Job", "a"), named("Job", "b", "there")]):
        with pytest.raises(SettingsError, match="--namespace"):
            _ = manifests(*documents).namespace


def test_empty_documents_are_none() -> None:
    assert Manifests("---\n---\nkind: Job\n---\n").documents == [{"kind": "Job"}]


def test_the_settings_of_the_job_are_those_of_its_config_map_whatever_its_hash() -> None:
    data = {
        "LATECOMER_RUN_INPUT": "kafka://a:1/b",
        "LATECOMER_RUN_OUTPUT": "kafka://a:1/c",
        "LATECOMER_RUN_FEATURES": "a:2",
        "LATECOMER_RUN_INFERENCE": "a:3",
        "LATECOMER_RUN_REJECTIONS": "kafka://a:1/d",
        "LATECOMER_RUN_TICK": "1m",
    }
    found = manifests(named("ConfigMap", "other", data={}), named("ConfigMap", "latecomer-settings-b7h", data=data))
    assert found.settings.window.tick_ms == 60_000
    with pytest.raises(SettingsError, match="latecomer-settings"):
        _ = manifests(named("ConfigMap", "other", data=data)).settings


def test_the_pods_of_each_kind_of_workload_are_found() -> None:
    spec = {"containers": [{"name": "main"}]}
    template = {"template": {"spec": spec}}
    found = manifests(
        named("Deployment", "a", spec=template),
        named("StatefulSet", "b", spec=template),
        named("Job", "c", spec=template),
        named("CronJob", "d", spec={"jobTemplate": {"spec": template}}),
        named("FlinkDeployment", "e", spec={"podTemplate": {"spec": spec}}),
        named("Service", "f", spec={}),
    )
    assert found.pod_specs() == [(name, spec) for name in "abcde"]
    assert found.uses_operator
    assert not manifests(named("Job", "a")).uses_operator
