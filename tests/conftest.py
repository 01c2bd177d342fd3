"""How thorough the drawn tests are: ``LATECOMER_HYPOTHESIS=thorough`` draws anew and more, ``fast`` draws less.

The default never varies.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings

if TYPE_CHECKING:
    from tests.collector import Collector

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # plain ``pytest`` does not put the checkout on the path, ``python -m pytest`` does
    sys.path.insert(0, str(ROOT))

# A slow or busy machine is no failure: the only limit on time is that of the whole run.
_SLOW_IS_FINE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}

_DRAWN = {"derandomize": True, "max_examples": 80, "stateful_step_count": 50, **_SLOW_IS_FINE}

settings.register_profile("ci", **_DRAWN)
settings.register_profile("fast", **{**_DRAWN, "max_examples": 25, "stateful_step_count": 30})
# Where red is all that is asked for, the smallest example is not looked for.
settings.register_profile("planted", phases=[Phase.explicit, Phase.generate], **_DRAWN)
settings.register_profile("thorough", max_examples=500, stateful_step_count=80, print_blob=True, **_SLOW_IS_FINE)
settings.load_profile(os.environ.get("LATECOMER_HYPOTHESIS", "ci"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """The name of a parameter: packed bytes hold the time, and each of several processes names its tests itself."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


@pytest.fixture
def collector() -> "Iterator[Collector]":
    """What receives traces."""
    from tests.collector import collecting  # its libraries are loaded for the tests of traces alone

    with collecting() as collector:
        yield collector
