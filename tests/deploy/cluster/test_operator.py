"""The job as a FlinkDeployment, where an operator runs it: its outputs, and an upgrade by savepoint that loses none."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from dataflows.deployment.kubectl import Kubectl
from dataflows.deployment.manifests import copied_to
from tests.deploy.cluster.conftest import IMAGES
from tests.deploy.cluster.pipeline import Pipeline, chosen_context, write_overlay

OPERATOR = "app.kubernetes.io/name=flink-kubernetes-operator"
"""The label that the operator's Helm chart gives it."""


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kubernetes = tmp_path_factory.mktemp("operator") / "kubernetes"
    copied_to(kubernetes)
    return write_overlay(kubernetes, "operator", "kafka")


@pytest.fixture(scope="module")
def operated(kubectl: Kubectl, overlay: Path) -> Iterator[Pipeline]:
    """The pipeline with its job in the operator's hands."""
    if not kubectl.json("get", "deployments", "--all-namespaces", f"--selector={OPERATOR}")["items"]:
        pytest.skip(f"no Flink Kubernetes Operator runs in the cluster: no Deployment has the label {OPERATOR}")
    pipeline = Pipeline(chosen_context(), f"latecomer-test-{uuid4().hex[:6]}")
    try:
        pipeline.make_namespace()
        pipeline.deploy("apply", "--overlay", str(overlay), "--timeout", "3m")
        pipeline.start_tools(IMAGES[1])
        yield pipeline
    finally:
        pipeline.end()


def produce(pipeline: Pipeline, seed: int) -> None:
    pipeline.tool(
        "latecomer", "produce", "--output", "kafka://kafka:9092/raw-events", "--devices", "7", f"--seed={seed}"
    )


@pytest.mark.timeout(900)
def test_an_upgrade_by_the_operator_loses_no_output(operated: Pipeline, overlay: Path) -> None:
    produce(operated, 1)
    before = operated.compared()
    assert before["expected"] > 1_000
    assert before.is_equal, before
    operated.deploy("upgrade", "--overlay", str(overlay), "--set", "batch-windows=64", "--timeout", "3m")
    produce(operated, 2)
    after = operated.compared()
    assert after["expected"] > before["expected"]
    assert after.is_equal, after
