"""The tests on a cluster: they need one, with the images of the project in it, and make a namespace of their own.

``LATECOMER_TEST_CLUSTER`` names a context of the user's kubeconfig; ``1`` is the current one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from dataflows import __version__
from dataflows.deployment.kubectl import Kubectl
from tests.deploy.cluster.pipeline import Pipeline, chosen_context
from window_core import DEMO_SENSORS, Sensors

IMAGES = [f"latecomer/{name}:{__version__}" for name in ("flink-job", "python-services", "kafka")]

_tables: list[str] = []


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    if not os.environ.get("LATECOMER_TEST_CLUSTER"):
        pytest.skip(
            "needs a Kubernetes cluster: set LATECOMER_TEST_CLUSTER to a context of your kubeconfig, and load "
            f"{', '.join(IMAGES)} into it, which deploy/docker makes"
        )
    kubectl = Kubectl(chosen_context())
    kubectl.check_reachable()
    return kubectl


@pytest.fixture(scope="session")
def pipeline(kubectl: Kubectl) -> Iterator[Pipeline]:
    """The local overlay, running."""
    pipeline = Pipeline(chosen_context(), f"latecomer-test-{uuid4().hex[:6]}")
    try:
        try:
            pipeline.deploy("apply", "--timeout", "8m")
        except AssertionError as error:
            pods = pipeline.kubectl.run("get", "pods")
            pytest.fail(f"{error}\nAre {', '.join(IMAGES)} in the cluster?\n{pods}", pytrace=False)
        pipeline.start_tools(IMAGES[1])
        yield pipeline
    finally:
        if not os.environ.get("LATECOMER_TEST_CLUSTER_KEEP"):
            pipeline.end()


@contextmanager
def applied(overlay: Path, *before: dict[str, object], sensors: Sensors = DEMO_SENSORS) -> Iterator[Pipeline]:
    """Another overlay, running in a namespace of its own that has these objects before."""
    pipeline = Pipeline(chosen_context(), f"latecomer-test-{uuid4().hex[:6]}", sensors)
    try:
        pipeline.make_namespace()
        if before:
            pipeline.kubectl.apply(list(before))
        pipeline.deploy("apply", "--overlay", str(overlay), "--timeout", "8m")
        pipeline.start_tools(IMAGES[1])
        yield pipeline
    finally:
        pipeline.end()


@pytest.fixture(scope="session")
def report() -> "list[str]":
    """Lines for the end of the run."""
    return _tables


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _tables:
        terminalreporter.section("on the cluster")
        for line in _tables:
            terminalreporter.write_line(line)
