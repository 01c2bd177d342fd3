"""What gRPC is told by the environment: without it, a client that rests connects again and again."""

import os
import subprocess
import sys
from typing import Final

import pytest

from dataflows.services.embedded import embedded_service
from runtime.grpc_environment import prepare_grpc
from tests.conftest import ROOT

RESTING: Final = """
import sys, time
from runtime.grpc_environment import prepare_grpc
prepare_grpc()
from dataflows.services.channels import Addresses
from dataflows.settings import ChannelSettings
host, port = sys.argv[1].rsplit(":", 1)
with Addresses([(host, int(port))], ChannelSettings()).connection() as connection:
    connection.unary("/latecomer.v1.FeatureService/Describe")(b"", timeout=10)
time.sleep(12)
"""
"""A client that asks once and rests for longer than its connection may grow old, and than a handshake may take."""


def rested(**more: str) -> str:
    """What gRPC says meanwhile."""
    with embedded_service("features", "--max-connection-age", "1s", "--max-connection-age-grace", "2s") as address:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "GRPC_VERBOSITY": "INFO"} | more
        command = [sys.executable, "-P", "-c", RESTING, address]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stderr


def test_a_client_that_rests_lets_its_connection_be_ended_in_order() -> None:
    assert "GOAWAY" not in rested()


def test_grpc_left_alone_does_not() -> None:
    assert "GOAWAY" in rested(GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS="5000")


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_VERBOSITY", "DEBUG")
    monkeypatch.delenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", raising=False)
    prepare_grpc()
    assert os.environ["GRPC_VERBOSITY"] == "DEBUG"
    assert os.environ["GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS"] == "200"
