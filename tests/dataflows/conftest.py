"""Both real services, in this process and on free ports, once for all tests of the pipeline."""

from collections.abc import Iterator

import pytest

from dataflows.service_client import Services
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from tests.dataflows.pipelines import Pipelines


@pytest.fixture(scope="session")
def features_address() -> Iterator[str]:
    server = start(ServerSettings("features", port=0))
    yield server.address
    server.stop(0.0)


@pytest.fixture(scope="session")
def inference_address() -> Iterator[str]:
    server = start(ServerSettings("inference", port=0))
    yield server.address
    server.stop(0.0)


@pytest.fixture(scope="session")
def pipelines(features_address: str, inference_address: str, tmp_path_factory: pytest.TempPathFactory) -> Pipelines:
    """Runs the shipped flow in this process."""
    return Pipelines(Services(features_address, inference_address), tmp_path_factory.mktemp("pipelines"))
