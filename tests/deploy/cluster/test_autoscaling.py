"""Under a load that grows fourfold and falls back the autoscalers add pods and take them away, and no output is lost.

Needs metrics-server in the cluster. The autoscalers decide by what it measures; how long they wait between two steps
is shorter here than in the components, and a task manager asks for more of a processor, which a small load leaves idle.
"""

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from dataflows.deployment.flink import job_report
from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.deployment.manifests import copied_to
from tests.deploy.cluster.conftest import applied
from tests.deploy.cluster.pipeline import Pipeline, write_overlay
from tests.deploy.cluster.watching import watched

SCALED = {"features": 2, "inference": 2, "latecomer-taskmanager": 1}
"""The autoscalers, and how many pods each keeps at least."""

RATE = 100
FASTER = 4 * RATE
"""Events per second of a fleet, and of that with the one that joins it."""

BUSY_S = 300
"""Autoscalers decide every 15 s, by what was measured up to 15 s before."""

LAG_S = 60
"""A task manager more stops the job for some seconds; then it has to catch up."""

QUICK = {
    "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 30}]},
    "scaleDown": {"stabilizationWindowSeconds": 60, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}]},
}


def patch(target: dict[str, str], path: str, value: object) -> dict[str, object]:
    return {"target": target, "patch": yaml.safe_dump([{"op": "replace", "path": path, "value": value}])}


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The local one, with both autoscaling components."""
    kubernetes = tmp_path_factory.mktemp("scaled") / "kubernetes"
    copied_to(kubernetes)
    components = ("kafka", "autoscaling", "without-operator", "autoscaled-task-managers")
    overlay = write_overlay(kubernetes, "scaled", *components)
    kustomization = yaml.safe_load((overlay / "kustomization.yaml").read_text())
    processor = "/spec/template/spec/containers/0/resources/requests/cpu"
    kustomization["patches"] = [
        patch({"kind": "HorizontalPodAutoscaler"}, "/spec/behavior", QUICK),
        patch({"kind": "Deployment", "name": "latecomer-taskmanager"}, processor, "600m"),
    ]
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return overlay


@pytest.fixture(scope="module")
def scaled(kubectl: Kubectl, overlay: Path) -> Iterator[Pipeline]:
    try:
        kubectl.run("get", "--raw=/apis/metrics.k8s.io/v1beta1/nodes")
    except DeployError as error:
        pytest.skip(f"the cluster has no metrics-server, by which autoscalers measure: {error}")
    with applied(overlay) as pipeline:
        yield pipeline


def replicas(pipeline: Pipeline) -> dict[str, int]:
    """How many pods each autoscaler has."""
    scalers = pipeline.kubectl.json("get", "horizontalpodautoscalers")["items"]
    return {one["metadata"]["name"]: one["status"].get("currentReplicas", 0) for one in scalers}


def lag(pipeline: Pipeline) -> float:
    report = job_report(pipeline.kubectl)
    return (report or {}).get("lag") or 0.0


@pytest.mark.timeout(3_600)
def test_pods_come_and_go_with_the_load_and_no_output_is_lost(scaled: Pipeline, report: list[str]) -> None:
    most = dict(SCALED)
    lags: list[float] = []

    def look() -> None:
        for name, number in replicas(scaled).items():
            most[name] = max(most[name], number)
        lags.append(lag(scaled))

    def is_over(producing: subprocess.Popen[str]) -> bool:
        look()
        return producing.poll() is not None

    def is_less_everywhere() -> bool:
        return all(number < most[name] for name, number in replicas(scaled).items())

    with watched(scaled, RATE) as watch:
        faster = FASTER - RATE  # nearly all of it of other devices: what is sent twice is TOO_LATE
        more = ("--devices", "2000", "--seed", "3", "--rate", str(faster), "--events", str(faster * BUSY_S))
        with scaled.running_in_tools(*scaled.fleet(0), *more) as producing:
            began_ms = watch.now_ms
            watch.wait_until(partial(is_over, producing), "the end of the heavier load")
        assert all(most[name] > least for name, least in SCALED.items()), most
        watch.wait_until(lambda: lag(scaled) < LAG_S * RATE, "a lag as before")
        watch.wait_until(is_less_everywhere, "fewer pods of each autoscaler")
        watch.wait_until(scaled.is_settled, "the end of the pods too many")
        fewer, pause_s = replicas(scaled), watch.longest_pause_s(began_ms)
    comparison = scaled.compared()
    report.append(
        f"autoscaled from {SCALED} to {most} and back to {fewer}: largest lag {max(lags):.0f} records, {pause_s:.1f} s"
    )
    report.append(f"  without output; {comparison}")
    assert max(lags) < LAG_S * FASTER
    assert comparison.is_equal, comparison
