"""What a machine may lack: tests that need it are skipped, and say what to install. A ``conftest.py`` takes its own."""

import pytest

from dataflows.flink_job.installation import check_installation
from dataflows.kafka_broker.artifacts import BrokerError, broker_jars, java_command
from runtime.errors import SettingsError

__all__ = ["has_broker", "has_flink"]


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
