"""Both real services, in this process and on free ports, and a real broker, once for all tests that need them.

Where Java, Maven or Flink are missing, the tests that need them are skipped, and say so. What imports an engine or a
client of Kafka is imported in the fixture that needs it: ``latecomer test --fast`` loads none of them.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Answer, Prediction
from dataflows.services.client import ServiceClient, Services
from dataflows.settings import RunSettings
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from tests.dataflows.asking import EVALUATIONS, Bench
from tests.machine import has_broker, has_flink, has_registry

if TYPE_CHECKING:
    from dataflows.kafka_broker.broker import Broker
    from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
    from tests.dataflows.connectors.kafka.registry import Registry
    from tests.dataflows.connectors.kafka.topics import Topics
    from tests.dataflows.pipelines import Pipelines

__all__ = [
    "bench",
    "broker",
    "features_address",
    "has_broker",
    "has_flink",
    "has_registry",
    "inference_address",
    "kafka_pipelines",
    "pipelines",
    "registry",
    "right",
    "topics",
]


@pytest.fixture(scope="session")
def features_address() -> Iterator[str]:
    server = start(ServerSettings.of("features", port=0))
    yield server.address
    server.stop(0.0)


@pytest.fixture(scope="session")
def inference_address() -> Iterator[str]:
    server = start(ServerSettings.of("inference", port=0))
    yield server.address
    server.stop(0.0)


@pytest.fixture(scope="session")
def pipelines(
    features_address: str, inference_address: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["Pipelines"]:
    """Runs the shipped flow in this process."""
    from tests.dataflows.pipelines import Pipelines

    with ExitStack() as stack:
        yield Pipelines(stack, Services(features_address, inference_address), tmp_path_factory.mktemp("pipelines"))


@pytest.fixture
def bench(features_address: str, inference_address: str) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(stack, features_address, inference_address)


@pytest.fixture(scope="session")
def right(features_address: str, inference_address: str) -> list[Answer]:
    """The answers of services that behave."""
    services = Services(features_address, inference_address)
    with closing(ServiceClient(services, RunSettings.of(timeout_ms=60_000), Metrics())) as client:
        answers = client.answers(EVALUATIONS)
    assert all(isinstance(answer, Prediction) for answer in answers)
    assert len({answer.result["logistic_regression_result"] for answer in answers}) > 20  # an exchange would show
    return answers


@pytest.fixture(scope="session")
def broker(has_broker: None) -> Iterator["Broker"]:
    from dataflows.kafka_broker.broker import running_broker
    from tests.dataflows.connectors.kafka.topics import PASSWORD, USER

    with running_broker(users={USER: PASSWORD}) as broker:
        yield broker


@pytest.fixture(scope="session")
def topics(broker: "Broker") -> "Topics":
    from tests.dataflows.connectors.kafka.topics import Topics

    return Topics(broker.address)


@pytest.fixture(scope="session")
def registry(has_registry: Path) -> Iterator["Registry"]:
    from tests.dataflows.connectors.kafka.registry import running_registry

    with running_registry(has_registry) as registry:
        yield registry


@pytest.fixture(scope="session")
def kafka_pipelines(
    topics: "Topics", features_address: str, inference_address: str, tmp_path_factory: pytest.TempPathFactory
) -> "KafkaPipelines":
    from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines

    services = Services(features_address, inference_address)
    return KafkaPipelines(topics, services, tmp_path_factory.mktemp("kafka-pipelines"))
