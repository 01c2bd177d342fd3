"""What earlier versions left is removed, unless something names it still."""

from typing import Any

from dataflows.deployment.leftovers import remove_leftovers, remove_savepoint
from tests.dataflows.deployment.obedient import Obedient, manifests

LABELS = {"app.kubernetes.io/part-of": "latecomer"}


def made(kind: str, name: str, **labels: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "here", "labels": {**LABELS, **labels}}}


NOW = manifests(made("ConfigMap", "latecomer-settings-2tct9kg67c"), made("Secret", "latecomer-services-fdccdkdcdt"))
USER = {
    "kind": "ReplicaSet",
    "metadata": {"name": "features-1"},
    "spec": {"envFrom": [{"secretRef": {"name": "latecomer-services-bbbbbbbbbb"}}]},
}


def test_what_was_made_for_an_earlier_version_goes_and_what_can_be_rolled_back_to_stays() -> None:
    cluster, said = (
        Obedient(
            made("ConfigMap", "latecomer-settings-2tct9kg67c"),
            made("ConfigMap", "latecomer-settings-aaaaaaaaaa"),
            made("ConfigMap", "latecomer-start"),
            made("ConfigMap", "latecomer-flink-logging"),
            made("ConfigMap", "other-settings-aaaaaaaaaa"),
            made("Secret", "latecomer-services-bbbbbbbbbb"),
            made("Secret", "latecomer-services-cccccccccc"),
            USER,
        ),
        [],
    )
    remove_leftovers(cluster, NOW, said.append)
    assert cluster.done == [
        "delete configmap latecomer-settings-aaaaaaaaaa", "delete secret latecomer-services-cccccccccc",
    ]  # fmt: skip
    assert len(said) == 1


def test_where_no_name_has_a_hash_nothing_is_removed() -> None:
    cluster, said = Obedient(made("ConfigMap", "settings-aaaaaaaaaa")), []
    remove_leftovers(cluster, manifests(made("ConfigMap", "settings")), said.append)
    assert (cluster.done, said) == ([], [])


def test_a_savepoint_that_cannot_be_removed_is_named_with_the_cause() -> None:
    cluster, said = Obedient(), []
    remove_savepoint(cluster, "s3://a/old", said.append)
    cluster = Obedient(fails_at="exec dispose")
    remove_savepoint(cluster, "s3://a/old", said.append)
    assert said[0] == "removed the savepoint of the start before, s3://a/old"
    assert "s3://a/old is of no more use, but could not be removed: kubectl exec: refused" in said[1]
