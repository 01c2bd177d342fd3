"""In which order a cluster is told what to do, so that no window is lost. It obeys here, and is always ready."""

from typing import Any

import pytest

from dataflows.deployment.kubectl import DeployError
from dataflows.deployment.manifests import Manifests
from dataflows.deployment.rollout import apply, upgrade
from tests.dataflows.deployment.obedient import (
    CLAIM,
    FLINK,
    MANAGER,
    NAMESPACE,
    POD,
    SAVEPOINT,
    WORKERS,
    Obedient,
    flink_deployment,
    kept,
    manifests,
    ready,
)

TOPICS = {"kind": "Job", "metadata": {"name": "topics", "namespace": "here"}, **POD}
WANTED = manifests(NAMESPACE, MANAGER, WORKERS)
UPGRADE = [
    "try here latecomer-taskmanager",
    "exec stop",
    "apply latecomer-start",
    "wait job/latecomer-jobmanager",
    "delete job/latecomer-jobmanager deployment/latecomer-taskmanager",
    "apply here",
    "apply latecomer-jobmanager latecomer-taskmanager",
]
"""Each step once the one before it is done: what the cluster would refuse is known before the job is stopped."""


def upgraded(cluster: Obedient, savepoint: str | None = None) -> list[str]:
    said: list[str] = []
    upgrade(cluster, WANTED, 0, said.append, savepoint)
    return said


def test_an_upgrade_stops_the_job_with_a_savepoint_from_which_the_new_one_starts() -> None:
    cluster = Obedient(ready(MANAGER), ready(WORKERS))
    said = upgraded(cluster)
    assert cluster.done == UPGRADE
    assert cluster.applied["latecomer-start"]["data"]["path"] == SAVEPOINT
    assert SAVEPOINT in said[0]


def test_an_upgrade_from_a_savepoint_stops_nothing_and_forgets_what_flink_remembers() -> None:
    cluster = Obedient(ready(MANAGER), ready(WORKERS))
    upgraded(cluster, "s3://a/other")
    assert cluster.done == [UPGRADE[2], UPGRADE[4], "delete configmap", *UPGRADE[5:]]
    assert cluster.applied["latecomer-start"]["data"] == {"path": "s3://a/other"}


def test_what_a_cluster_would_refuse_is_heard_of_before_the_job_is_stopped() -> None:
    cluster = Obedient(ready(MANAGER), ready(WORKERS), fails_at="try")
    with pytest.raises(DeployError):
        upgraded(cluster)
    assert cluster.done == UPGRADE[:1]


@pytest.mark.parametrize("step", UPGRADE[2:])
def test_an_upgrade_that_fails_once_the_job_is_stopped_says_how_to_go_on(step: str) -> None:
    cluster = Obedient(ready(MANAGER), ready(WORKERS), fails_at=step)
    with pytest.raises(DeployError, match=f"--from-savepoint {SAVEPOINT}"):
        upgraded(cluster)
    assert cluster.done[-1] == step


def test_an_upgrade_needs_a_job() -> None:
    cluster = Obedient(ready(WORKERS))
    with pytest.raises(DeployError, match="latecomer deploy apply"):
        upgraded(cluster)
    assert cluster.done == []


def applied(cluster: Obedient, wanted: Manifests = WANTED, savepoint: str | None = None) -> list[str]:
    said: list[str] = []
    apply(cluster, wanted, 0, said.append, savepoint)
    return said


def of_this_version() -> str:
    """The digest that the job manager of these manifests is given."""
    cluster = Obedient(ready(WORKERS))
    applied(cluster, manifests(MANAGER, WORKERS))
    return str(cluster.applied["latecomer-jobmanager"]["metadata"]["annotations"]["latecomer/job"])


def test_a_namespace_is_applied_before_what_is_in_it() -> None:
    cluster = Obedient(ready(WORKERS))
    applied(cluster)
    assert cluster.done == UPGRADE[5:]


def test_a_job_that_ends_is_made_anew_since_none_can_be_changed() -> None:
    cluster = Obedient(ready(WORKERS))
    applied(cluster, manifests(TOPICS, WORKERS))
    assert cluster.done == ["delete job topics", "apply topics latecomer-taskmanager"]


def test_the_job_starts_from_a_savepoint_where_none_is_there() -> None:
    cluster = Obedient(ready(WORKERS))
    applied(cluster, savepoint=SAVEPOINT)
    assert cluster.done == ["apply here", UPGRADE[2], "delete configmap", *UPGRADE[5:]]


def test_a_running_job_that_would_not_change_is_left_alone() -> None:
    cluster = Obedient(ready(MANAGER, **{"latecomer/job": of_this_version()}), ready(WORKERS))
    applied(cluster)
    assert cluster.done == ["apply here", "apply latecomer-taskmanager"]


@pytest.mark.parametrize("savepoint", [None, SAVEPOINT])
def test_a_running_job_is_changed_by_an_upgrade_alone(savepoint: str | None) -> None:
    digest = of_this_version() if savepoint else "other"
    cluster = Obedient(ready(MANAGER, **{"latecomer/job": digest}), ready(WORKERS))
    with pytest.raises(DeployError, match="latecomer deploy upgrade"):
        applied(cluster, savepoint=savepoint)
    assert cluster.done == []


def test_the_job_starts_from_where_a_deletion_stopped_it() -> None:
    cluster = Obedient(CLAIM, ready(WORKERS), kept(path=SAVEPOINT))
    said = applied(cluster)
    assert f"the job starts from {SAVEPOINT}" in said
    assert "latecomer-start" not in cluster.applied  # it stands there already


def test_the_operator_is_told_where_a_deletion_stopped_the_job_until_it_runs() -> None:
    cluster = Obedient(CLAIM, kept(path=SAVEPOINT, **{"taken-for-this-start": "true"}))
    with pytest.raises(DeployError):  # this cluster never makes it ready
        applied(cluster, manifests(FLINK))
    assert cluster.applied["latecomer"]["spec"]["job"]["initialSavepointPath"] == SAVEPOINT
    assert "savepointRedeployNonce" not in cluster.applied["latecomer"]["spec"]["job"]
    assert "latecomer-start" not in cluster.applied
    cluster = Obedient(CLAIM, flink_deployment(), kept(path=SAVEPOINT, **{"taken-for-this-start": "true"}))
    applied(cluster, manifests(FLINK))
    assert cluster.applied["latecomer"]["spec"]["job"]["initialSavepointPath"] == SAVEPOINT
    assert cluster.applied["latecomer-start"]["data"] == {"replaced": SAVEPOINT}


@pytest.mark.parametrize("wanted", [manifests(FLINK), WANTED], ids=["operator", "plain"])
def test_a_job_does_not_begin_from_nothing_in_silence_beside_the_state_of_another(wanted: Manifests) -> None:
    cluster = Obedient(CLAIM, ready(WORKERS))
    with pytest.raises(DeployError, match=r"--from-savepoint PATH, or --from-nothing"):
        applied(cluster, wanted)
    assert cluster.done == []


def test_a_job_begins_from_nothing_where_the_user_says_so() -> None:
    cluster, said = Obedient(CLAIM, ready(WORKERS)), []
    apply(cluster, WANTED, 0, said.append, from_nothing=True)
    assert cluster.applied["latecomer-start"]["data"] == {"path": ""}
    assert "delete configmap" in cluster.done
    assert "the job starts from nothing" in said


def test_an_upgrade_leaves_the_kafka_of_the_component_alone() -> None:
    kafka = {"kind": "StatefulSet", "metadata": {"name": "kafka", "namespace": "here"}, **POD}
    status = {"observedGeneration": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "a"}
    cluster = Obedient(ready(MANAGER), ready(WORKERS), {**ready(kafka), "status": status})
    upgrade(cluster, manifests(MANAGER, WORKERS, kafka), 0, [].append)
    assert set(cluster.applied) == {"latecomer-start", "latecomer-jobmanager", "latecomer-taskmanager"}


def test_an_upgrade_removes_the_savepoint_of_the_start_before_once_the_new_job_runs() -> None:
    before = kept(path="s3://a/earlier", replaced="s3://a/older", **{"taken-for-this-start": "true"})
    cluster = Obedient(ready(MANAGER), ready(WORKERS), before)
    upgraded(cluster)
    assert cluster.done[-2:] == ["exec dispose", "apply latecomer-start"]


def test_the_operator_upgrades_a_job_that_is_there_and_obeys_a_savepoint_by_a_nonce() -> None:
    with pytest.raises(DeployError, match="latecomer deploy apply"):
        upgrade(Obedient(), manifests(FLINK), 0, [].append)
    cluster = Obedient(flink_deployment())
    upgrade(cluster, manifests(FLINK), 0, [].append, SAVEPOINT)
    job = cluster.applied["latecomer"]["spec"]["job"]
    assert job["initialSavepointPath"] == SAVEPOINT
    assert job["savepointRedeployNonce"] > 0


@pytest.mark.parametrize("step", [apply, upgrade])
def test_an_overlay_of_the_other_way_changes_nothing(step: Any) -> None:
    for cluster, wanted in ((Obedient(flink_deployment()), WANTED), (Obedient(ready(MANAGER)), manifests(FLINK))):
        with pytest.raises(DeployError, match="--overlay DIR"):
            step(cluster, wanted, 0, [].append)
        assert cluster.done == []


def test_a_start_from_nothing_serves_no_other_job() -> None:
    cluster = Obedient(CLAIM, ready(WORKERS), kept(path=""))
    applied(cluster)
    assert cluster.applied["latecomer-start"]["data"] == {}


def test_an_autoscaler_has_the_name_of_what_it_scales() -> None:
    scaler = {"kind": "HorizontalPodAutoscaler", "metadata": WORKERS["metadata"], "spec": {"maxReplicas": 4}}
    cluster = Obedient(ready(WORKERS))
    apply(cluster, manifests(NAMESPACE, MANAGER, WORKERS, scaler), 0, print, None)
    assert cluster.done[-1] == "apply latecomer-jobmanager latecomer-taskmanager latecomer-taskmanager"
