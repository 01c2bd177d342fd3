"""Whole runs, simulated: what comes out is right whatever fails; ``LATECOMER_SEEDS=5000`` looks at more of them."""

import os

import pytest

pytest.importorskip("pyflink")

from tests.simulation.plan import Append, Plan, Run, drawn
from tests.simulation.seeds import ENGINES, Engine, looked_at
from tests.simulation.shrinking import shortened
from tests.simulation.world import simulated

SEEDS = int(os.environ.get("LATECOMER_SEEDS", "100"))

ENDINGS = {"whole", "killed", "failed with its services", "refused as gone", "refused as another"}


@pytest.mark.timeout(300 + 3 * SEEDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_fails_and_whenever_every_output_is_there_and_right(engine: Engine) -> None:
    endings = set()
    for looked in looked_at(engine, range(SEEDS)):
        assert looked.failing is None, looked.failing.told(engine)
        endings.update(map(in_short, looked.endings))
    assert endings == ENDINGS  # else some of what can happen was never looked at


def in_short(ending: str) -> str:
    """How a run ended, without the words of its message."""
    cause = " as gone" if "are gone" in ending else " as another" if "made anew" in ending else ""
    return ending.partition(":")[0] + cause


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_seed_gives_the_same_side_effects_in_the_same_order(engine: Engine) -> None:
    for seed in range(12):
        assert simulated(drawn(seed, engine)) == simulated(drawn(seed, engine))


def test_a_plan_that_fails_is_cut_down_to_what_makes_it_fail() -> None:
    plan = drawn(1)
    events = [step for step in plan.steps if isinstance(step, Append)]

    def fails(candidate: Plan) -> bool:
        steps = candidate.steps
        return events[1] in steps and any(isinstance(step, Run) for step in steps[steps.index(events[1]) :])

    short = shortened(plan, fails)
    assert [type(step) for step in short.steps] == [Append, Run]
    assert short.steps[0] == events[1]
