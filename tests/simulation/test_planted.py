"""Errors planted into the shipped code are found soon: else the simulation sees less than it is thought to."""

import pytest

pytest.importorskip("pyflink")

from tests.planted.run import PlantedError
from tests.simulation.planted import ERRORS, engine_of, planted
from tests.simulation.seeds import outcomes

SOON = {
    "the clock does not run to the end of a bounded log": "is missing",
    "an epoch ends before the broker has acknowledged its outputs": "is missing",
    "all of a partition behind until is passed over by the next run": "is missing",
    "a topic that was made anew is taken for the old one": "another topic of the same name was read",
}
"""Errors of each kind, and what is seen of them; ``python -m tests.simulation.planted`` looks for all."""

SEEDS = 60


@pytest.mark.parametrize("error", [error for error in ERRORS if error.name in SOON], ids=lambda error: error.name)
def test_a_planted_error_is_found_soon(error: PlantedError) -> None:
    with planted(error):
        failures = (verdict.failure for _, _, verdict in outcomes(engine_of(error), range(SEEDS)))
        failure = next(filter(None, failures), "none")
    assert SOON[error.name] in failure


def test_nothing_is_left_of_an_error_that_was_planted() -> None:
    [error] = [error for error in ERRORS if error.name == "the clock does not run to the end of a bounded log"]
    with planted(error):
        assert any(verdict.failure for _, _, verdict in outcomes("bytewax", range(10)))
    assert not any(verdict.failure for _, _, verdict in outcomes("bytewax", range(10)))
