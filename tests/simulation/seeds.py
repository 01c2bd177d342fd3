"""Many seeds, one after another, or on all cores, up to the first that fails."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from typing import Final, Literal, NamedTuple, get_args

from tests.simulation.plan import Plan, drawn
from tests.simulation.shrinking import shortened
from tests.simulation.world import Verdict, simulated

__all__ = ["ENGINES", "Engine", "Failing", "Looked", "first_failing", "looked_at", "outcomes"]

Engine = Literal["bytewax", "flink"]
ENGINES: tuple[Engine, ...] = get_args(Engine)

_PART: Final = 50
"""Seeds of which a process is told at once: some seconds."""


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


class Looked(NamedTuple):
    """What came of some seeds.

    Attributes:
        seeds: how many.
        failing: the first of them that failed.
        endings: how their runs ended.
    """

    seeds: int
    failing: Failing | None
    endings: set[str]


def looked_at(engine: Engine, seeds: range) -> Iterator[Looked]:
    """Carry out seeds on all cores, part by part in their order."""
    parts = [seeds[start : start + _PART] for start in range(0, len(seeds), _PART)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(_looked, repeat(engine), parts)
        finally:
            pool.shutdown(cancel_futures=True)


def _looked(engine: Engine, seeds: range) -> Looked:
    endings: set[str] = set()
    for seed, _, verdict in outcomes(engine, seeds):
        if verdict.failure:
            return Looked(len(seeds), first_failing(engine, [seed]), endings)
        endings.update(verdict.endings)
    return Looked(len(seeds), None, endings)
