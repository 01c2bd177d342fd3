"""The job as a FlinkDeployment, where an operator runs it: its outputs, and an upgrade by savepoint that loses none."""

from collections.abc import Iterator
from itertools import pairwise
from uuid import uuid4

import pytest

from dataflows.deployment.kubectl import Kubectl
from tests.deploy.cluster.conftest import IMAGES
from tests.deploy.cluster.pipeline import Pipeline, chosen_context

OPERATOR = "app.kubernetes.io/name=flink-kubernetes-operator"
"""The label that the operator's Helm chart gives it."""

OVERLAY = ("--overlay", "local-operator")


@pytest.fixture(scope="module")
def operated(kubectl: Kubectl) -> Iterator[Pipeline]:
    """The pipeline with its job in the operator's hands."""
    if not kubectl.json("get", "deployments", "--all-namespaces", f"--selector={OPERATOR}")["items"]:
        pytest.skip(f"no Flink Kubernetes Operator runs in the cluster: no Deployment has the label {OPERATOR}")
    pipeline = Pipeline(chosen_context(), f"latecomer-test-{uuid4().hex[:6]}")
    try:
        pipeline.deploy("apply", *OVERLAY, "--timeout", "8m")
        pipeline.start_tools(IMAGES[1])
        yield pipeline
    finally:
        pipeline.end()


def produce(pipeline: Pipeline, seed: int) -> None:
    pipeline.tool(*pipeline.fleet(), "--devices", "7", f"--seed={seed}")


@pytest.mark.timeout(1_800)
def test_an_upgrade_by_the_operator_loses_no_output(operated: Pipeline) -> None:
    produce(operated, 1)
    before = operated.compared()
    assert before["expected"] > 1_000
    assert before.is_equal, before
    operated.deploy("upgrade", *OVERLAY, "--set", "batch-windows=64", "--timeout", "8m")
    produce(operated, 2)
    after = operated.compared()
    assert after["expected"] > before["expected"]
    assert after.is_equal, after


@pytest.mark.timeout(1_800)
def test_what_is_deleted_goes_on_when_it_is_applied_again_in_either_way(operated: Pipeline) -> None:
    produce(operated, 3)
    assert operated.compared().is_equal
    ways = ["local-operator", "local-operator", "local", "local-operator"]
    for seed, (before, after) in enumerate(pairwise(ways), start=4):
        operated.deploy("delete", "--overlay", before)
        operated.deploy("apply", "--overlay", after, "--timeout", "8m")
        produce(operated, seed)
        comparison = operated.compared()
        assert comparison.is_equal, (before, after, comparison)
