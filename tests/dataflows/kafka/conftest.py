"""One real broker for all tests that need one. Where Java or Maven are missing, they are skipped, and say so."""

from collections.abc import Iterator

import pytest

from dataflows.kafka_broker.artifacts import BrokerError, broker_jars, java_command
from dataflows.kafka_broker.broker import Broker, running_broker
from dataflows.service_client import Services
from tests.dataflows.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.kafka.topics import PASSWORD, USER, Topics


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    try:
        java_command()
        broker_jars()
    except BrokerError as error:
        pytest.skip(str(error))
    with running_broker(users={USER: PASSWORD}) as broker:
        yield broker


@pytest.fixture(scope="session")
def topics(broker: Broker) -> Topics:
    return Topics(broker.address)


@pytest.fixture(scope="session")
def kafka_pipelines(
    topics: Topics, features_address: str, inference_address: str, tmp_path_factory: pytest.TempPathFactory
) -> KafkaPipelines:
    services = Services(features_address, inference_address)
    return KafkaPipelines(topics, services, tmp_path_factory.mktemp("kafka-pipelines"))
