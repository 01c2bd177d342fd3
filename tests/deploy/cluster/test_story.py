"""The smallest whole story, which CI runs on a node of its own: applied, compared, killed, upgraded, deleted.

``LATECOMER_TEST_NODE`` names the commands of such a node, see ``node.py``; ``LATECOMER_TEST_CLUSTER`` a cluster.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from uuid import uuid4

import pytest

from dataflows import __version__
from tests.deploy.cluster.node import NodeError, node_trouble, started_node
from tests.deploy.cluster.pipeline import Pipeline, chosen_context

PATIENCE = ("--timeout", "8m")
"""A node of CI may be slow, and that is no failure."""


@pytest.fixture(scope="module")
def story(report: list[str]) -> Iterator[Pipeline]:
    """Nothing yet but a namespace's name, and a cluster with the images."""
    namespace = f"latecomer-test-{uuid4().hex[:6]}"
    if os.environ.get("LATECOMER_TEST_CLUSTER"):
        yield Pipeline(chosen_context(), namespace)
        return
    folder = os.environ.get("LATECOMER_TEST_NODE")
    if not folder:
        pytest.skip(
            "needs a Kubernetes cluster: set LATECOMER_TEST_CLUSTER to a context of your kubeconfig, or "
            "LATECOMER_TEST_NODE to a folder with the commands of a node, see tests/deploy/cluster/node.py"
        )
    with ExitStack() as stack:
        start_s = monotonic()
        try:
            tag = stack.enter_context(started_node(Path(folder)))
        except NodeError as error:
            pytest.skip(f"this machine cannot run a Kubernetes node with the images: {error}")
        report.append(f"the node and the images that it did not have: {monotonic() - start_s:.0f} s")
        yield Pipeline(None, namespace, tag=tag)


@contextmanager
def blamed_on_the_node() -> Iterator[None]:
    """Skip where the node itself has failed: that says nothing about the pipeline."""
    try:
        yield
    except Exception as error:
        trouble = node_trouble()
        if trouble is not None:
            pytest.skip(f"the node failed: {trouble}; seen as: {error}")
        raise


def produce(pipeline: Pipeline, seed: int) -> None:
    pipeline.tool(
        *pipeline.fleet(),
        *("--devices", "14", "--events", "10000", "--seed", str(seed)),
    )


@pytest.mark.timeout(3_600)
def test_20_000_events_survive_a_kill_an_upgrade_and_end_in_a_savepoint(story: Pipeline, report: list[str]) -> None:
    with blamed_on_the_node():
        start_s = monotonic()
        try:
            story.deploy("apply", *PATIENCE)
            story.start_tools(f"latecomer/python-services:{story.tag or __version__}")
            applied_s = monotonic() - start_s
            produce(story, 1)
            task_manager = story.pod("latecomer-job", component="taskmanager")
            story.kubectl.run("delete", "pod", task_manager, "--grace-period=0", "--force")
            killed = story.compared()
            story.deploy("upgrade", "--set", "batch-windows=64", *PATIENCE)
            produce(story, 2)
            upgraded = story.compared()
            left = story.leftovers()
            story.deploy("delete")
            kept = story.kubectl.get("configmap", "latecomer-start")
        finally:
            story.end()
        report.append(
            f"the whole story: applied in {applied_s:.0f} s, ended in {monotonic() - start_s:.0f} s; {upgraded}"
        )
    assert killed["expected"] >= 10_000
    assert killed.is_equal, killed
    assert upgraded["expected"] >= 20_000
    assert upgraded.is_equal, upgraded
    assert left == {"savepoints": 1, "settings": 1}
    assert kept is not None
    assert "/savepoints/savepoint-" in kept["data"]["path"]
