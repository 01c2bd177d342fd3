"""Whole runs, simulated: what comes out is right whatever fails; ``LATECOMER_SEEDS=5000`` looks at more of them."""

import os
from collections import Counter

import pytest

from tests.simulation.plan import Append, Plan, Run, drawn
from tests.simulation.seeds import ENGINES, Engine, first_failing, outcomes
from tests.simulation.shrinking import shortened
from tests.simulation.world import simulated

pytest.importorskip("pyflink")

SEEDS = int(os.environ.get("LATECOMER_SEEDS", "200"))


@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_fails_and_whenever_every_output_is_there_and_right(engine: Engine) -> None:
    found = first_failing(engine, range(SEEDS))
    assert found is None, found.told(engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_seed_gives_the_same_side_effects_in_the_same_order(engine: Engine) -> None:
    for seed in range(12):
        assert simulated(drawn(seed, engine)) == simulated(drawn(seed, engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_seeds_have_runs_end_in_every_way_there_is(engine: Engine) -> None:
    endings = Counter(
        ending.split(":")[0] + (" as gone" if "are gone" in ending else " as another" if "made anew" in ending else "")
        for _, _, verdict in outcomes(engine, range(60))
        for ending in verdict.endings
    )
    assert set(endings) == {"whole", "killed", "failed with its services", "refused as gone", "refused as another"}


def test_a_plan_that_fails_is_cut_down_to_what_makes_it_fail() -> None:
    plan = drawn(1)
    events = [step for step in plan.steps if isinstance(step, Append)]

    def fails(candidate: Plan) -> bool:
        steps = candidate.steps
        return events[1] in steps and any(isinstance(step, Run) for step in steps[steps.index(events[1]) :])

    short = shortened(plan, fails)
    assert [type(step) for step in short.steps] == [Append, Run]
    assert short.steps[0] == events[1]
