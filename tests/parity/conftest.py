"""What the sample of the suite needs, started once. What the machine lacks is named, and the tests are skipped."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dataflows.flink_job.installation import check_installation
from dataflows.kafka_broker.artifacts import BrokerError, broker_jars, java_command
from dataflows.settings import SettingsError
from tests.parity.suite import Surrounding


@pytest.fixture(scope="session")
def surrounding() -> Iterator[Surrounding]:
    """Services and a broker, each started when a test first needs it."""
    with ExitStack() as stack:
        yield Surrounding(stack)


@pytest.fixture(scope="session")
def has_flink() -> None:
    try:
        check_installation()
    except SettingsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def has_broker() -> None:
    try:
        java_command()
        broker_jars()
    except BrokerError as error:
        pytest.skip(str(error))
