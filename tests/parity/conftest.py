"""What the sample of the suite needs, started once. What the machine lacks is named, and the tests are skipped."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.machine import has_broker, has_flink
from tests.parity.surroundings import Surrounding

__all__ = ["has_broker", "has_flink", "surrounding"]


@pytest.fixture(scope="session")
def surrounding() -> Iterator[Surrounding]:
    """Services and a broker, each started when a test first needs it."""
    with ExitStack() as stack:
        yield Surrounding(stack)
