"""Who may not talk to the pipeline cannot, and what is set wrong is said in one line by the pod itself."""

import json
from collections.abc import Iterator

import pytest

from tests.deploy.cluster.conftest import IMAGES
from tests.deploy.cluster.pipeline import Pipeline, helper_pod

PORTS = {
    "features": [9250, 10001],
    "inference": [9250, 10011],
    "kafka": [9092],
    "latecomer-job": [6121, 6122, 6123, 6124, 6125, 8081, 9249, 9250],
}
"""What listens in the pods, by name."""

DENY_ALL = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "closed"},
    "spec": {"podSelector": {"matchLabels": {"is": "closed"}}, "policyTypes": ["Ingress"]},
}


@pytest.fixture(scope="module")
def strangers(pipeline: Pipeline) -> Iterator[Pipeline]:
    """A namespace whose pods may talk to everybody, as far as it goes by that namespace."""
    name = f"{pipeline.namespace}-strangers"
    beside = Pipeline(pipeline.context, name)
    kubectl = beside.kubectl
    kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
    listens = ["python3", "-m", "http.server", "9092"]
    kubectl.apply([
        DENY_ALL,
        helper_pod("stranger", IMAGES[1], {"is": "stranger"}),
        helper_pod("open", IMAGES[1], {"is": "open"}, listens),
        helper_pod("closed", IMAGES[1], {"is": "closed"}, listens),
    ])  # fmt: skip
    beside.wait_for("Ready", "pod", "--all")
    yield beside
    kubectl.run("delete", "namespace", name, "--wait=false")


def _reached(where: Pipeline, pod: str, addresses: list[str]) -> list[str]:
    """What of it a pod can connect to."""
    [reached] = where.asked("connects", *addresses, pod=pod)
    return list(reached)


def _addresses(where: Pipeline, selector: str, ports: list[int]) -> list[str]:
    pods = [pod for pod in where.kubectl.labelled("pods", selector) if pod["status"]["phase"] == "Running"]
    return [f"{pod['status']['podIP']}:{port}" for pod in pods for port in ports]


def _all_addresses(pipeline: Pipeline) -> list[str]:
    found = {name: _addresses(pipeline, f"app.kubernetes.io/name={name}", ports) for name, ports in PORTS.items()}
    assert all(found.values())
    return [address for addresses in found.values() for address in addresses]


def _skip_unless_enforced(strangers: Pipeline) -> None:
    """Where no policy holds, these tests could not fail for the right reason."""
    is_open, is_closed = _addresses(strangers, "is=open", [9092]), _addresses(strangers, "is=closed", [9092])
    if _reached(strangers, "stranger", is_open + is_closed) != is_open:
        pytest.skip("this cluster's network enforces no NetworkPolicy: use one that does, such as Calico or Cilium")


def test_a_stranger_reaches_no_port_of_the_pipeline(pipeline: Pipeline, strangers: Pipeline) -> None:
    _skip_unless_enforced(strangers)
    assert _reached(strangers, "stranger", _all_addresses(pipeline)) == []


def test_a_pod_of_the_namespace_reaches_only_what_its_labels_say(pipeline: Pipeline, strangers: Pipeline) -> None:
    _skip_unless_enforced(strangers)
    pipeline.kubectl.apply([helper_pod("unlabelled", IMAGES[1], {})])
    pipeline.wait_for("Ready", "pod/unlabelled")
    everything = _all_addresses(pipeline)
    assert _reached(pipeline, "unlabelled", everything) == []
    assert _reached(pipeline, "tools", everything) == _addresses(pipeline, "app.kubernetes.io/name=kafka", [9092])
    job_manager = pipeline.pod("latecomer-job", component="jobmanager")
    features = _addresses(pipeline, "app.kubernetes.io/name=features", PORTS["features"])
    reached = _reached(pipeline, job_manager, features)
    assert reached == [address for address in features if address.endswith(":10001")]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"LATECOMER_RUN_TICK": "5 minutes"}, "latecomer: Invalid value for '--tick': '5 minutes' is not a duration"),
        ({"LATECOMER_RUN_TICKS": "5m"}, "latecomer: LATECOMER_RUN_TICKS is not a setting"),
        ({"LATECOMER_RUN_INPUT": "kafka://kafka:9092/nothing"}, "there is no such topic"),
        ({"LATECOMER_RUN_KAFKA_PROPERTIES": "/nowhere"}, "--kafka-properties /nowhere: No such file or directory"),
    ],
    ids=["a_wrong_value", "an_unknown_setting", "a_missing_topic", "a_missing_file"],
)
def test_the_job_says_in_one_line_what_is_wrong(pipeline: Pipeline, variables: dict[str, str], said: str) -> None:
    command = ["python3", "-m", "dataflows.flink_job.job"]
    pod = helper_pod("wrong", IMAGES[0], {"latecomer/kafka-client": "true"}, command)
    settings = {
        "LATECOMER_RUN_INPUT": "kafka://kafka:9092/raw-events",
        "LATECOMER_RUN_OUTPUT": "kafka://kafka:9092/predictions",
        "LATECOMER_RUN_FEATURES": "features:10001",
        "LATECOMER_RUN_INFERENCE": "inference:10011",
    }
    pod["spec"]["containers"][0]["env"] = [{"name": k, "value": v} for k, v in (settings | variables).items()]
    pipeline.kubectl.apply([pod])
    try:
        pipeline.wait_for("jsonpath={.status.phase}=Failed", "pod/wrong")
        [status] = json.loads(pipeline.kubectl.run("get", "pod", "wrong", "--output=json"))["status"][
            "containerStatuses"
        ]
        message = status["state"]["terminated"]["message"]
        assert said in message
        assert "\n" not in message
        assert status["state"]["terminated"]["exitCode"] == 2
    finally:
        pipeline.kubectl.run("delete", "pod", "wrong", "--now")
