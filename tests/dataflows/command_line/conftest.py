"""A log of three events, and the services that answer about it."""

from pathlib import Path

import pytest

__all__ = ["services", "small_log"]

SMALL = Path(__file__).parents[1] / "replay" / "small.jsonl"


@pytest.fixture
def small_log(tmp_path: Path) -> None:
    """``events.jsonl`` in the folder of the test."""
    (tmp_path / "events.jsonl").write_bytes(SMALL.read_bytes())


@pytest.fixture(scope="session")
def services(features_address: str, inference_address: str) -> tuple[str, ...]:
    """Where a command finds both."""
    return "--features", features_address, "--inference", inference_address
