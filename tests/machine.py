"""What a machine may lack: tests that need it are skipped, and say what to install. A ``conftest.py`` takes its own."""

from pathlib import Path

import pytest

from dataflows.flink_job.installation import check_installation
from dataflows.kafka_broker.artifacts import BrokerError, broker_jars, java_command
from runtime.errors import SettingsError
from tests.dataflows.connectors.kafka.registry import registry_folder

__all__ = ["has_broker", "has_flink", "has_registry"]


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


@pytest.fixture(scope="session")
def has_registry(has_broker: None) -> Path:
    """Where the schema registry of the tests is."""
    try:
        return registry_folder()
    except SettingsError as error:
        pytest.skip(str(error))
