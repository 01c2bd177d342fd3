"""Many seeds, one after another, up to the first that fails."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, get_args

from tests.simulation.plan import Plan, drawn
from tests.simulation.shrinking import shortened
from tests.simulation.world import Verdict, simulated

__all__ = ["ENGINES", "Engine", "Failing", "first_failing", "outcomes"]

Engine = Literal["bytewax", "flink"]
ENGINES: tuple[Engine, ...] = get_args(Engine)


class Failing(NamedTuple):
    """A seed whose simulation failed.

    Attributes:
        seed: which.
        failure: what is wrong.
        plan: of the seed.
        short: the shortest plan found that fails too, and what is wrong there.
    """

    seed: int
    failure: str
    plan: Plan
    short: tuple[Plan, str]

    def told(self, engine: Engine) -> str:
        plan, failure = self.short
        return (
            f"seed {self.seed} on {engine}: {self.failure}\n"
            f"{len(self.plan.steps)} steps, {len(plan.steps)} of them are enough: {failure}\n{plan.told()}"
        )


def outcomes(engine: Engine, seeds: Iterable[int]) -> Iterator[tuple[int, Plan, Verdict]]:
    """What comes of each seed."""
    for seed in seeds:
        plan = drawn(seed, engine)
        yield seed, plan, simulated(plan)


def first_failing(engine: Engine, seeds: Iterable[int]) -> Failing | None:
    """The first seed that fails, with a short plan; ``None``: none does."""
    for seed, plan, verdict in outcomes(engine, seeds):
        if verdict.failure:
            short = shortened(plan, lambda one: bool(simulated(one).failure))
            return Failing(seed, verdict.failure, plan, (short, simulated(short).failure))
    return None
