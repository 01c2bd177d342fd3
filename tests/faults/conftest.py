"""A broker, both services, and a file system that can be filled."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dataflows.conftest import broker, features_address, has_broker, inference_address, kafka_pipelines, topics
from tests.faults.figures import ON_DEMAND
from tests.machine import has_flink

__all__ = [
    "broker",
    "disk",
    "engine",
    "features_address",
    "has_broker",
    "has_flink",
    "inference_address",
    "kafka_pipelines",
    "topics",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Some start a JVM several times, which takes a minute each on a busy machine; on demand, hundreds of times."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(0 if ON_DEMAND else 1_800))


@pytest.fixture(params=["bytewax", "flink"])
def engine(request: pytest.FixtureRequest) -> str:
    """Flink starts anew after each fault: in CI the tests that kill it and hand it over are its sample."""
    if request.param == "flink":
        if not ON_DEMAND:
            pytest.skip("on demand, by python -m tests.faults")
        request.getfixturevalue("has_flink")
    name: str = request.param
    return name


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The folder of a small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no tmpfs can be mounted here: run the tests as root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
