"""Shortens a plan that fails, as long as it fails: fewer steps, then plainer ones (delta debugging)."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.plan import Append, Plan, Run, Step

__all__ = ["shortened"]


def shortened(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """A short plan that fails, of which hardly any step can be left out or made plainer.

    Args:
        plan: one that fails.
        fails: carries a plan out, and says whether it fails.
    """
    while True:
        smaller = _with_plainer_steps(_with_fewer_steps(plan, fails), fails)
        if len(smaller.steps) == len(plan.steps):
            return smaller
        plan = smaller


def _with_fewer_steps(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """The plan without all parts that can be left out, from halves down to single steps."""
    part = len(plan.steps) // 2
    while part:
        start = 0
        while start < len(plan.steps):
            smaller = replace(plan, steps=plan.steps[:start] + plan.steps[start + part :])
            if fails(smaller):
                plan = smaller
            else:
                start += part
        part //= 2
    return plan


def _with_plainer_steps(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """The plan with every value of a step made plain that can be."""
    for place in range(len(plan.steps)):
        for name, value in _plain_values(plan.steps[place]):
            step = plan.steps[place]._replace(**{name: value})
            smaller = replace(plan, steps=(*plan.steps[:place], step, *plan.steps[place + 1 :]))
            if fails(smaller):
                plan = smaller
    return plan


def _plain_values(step: Step) -> Iterator[tuple[str, object]]:
    """The values that are not plain yet, with what they may become."""
    plain: Step
    if isinstance(step, Run):
        plain = Run(step.seed, kill_before=step.kill_before, kill_kind=step.kill_kind)
    elif isinstance(step, Append):
        plain = Append(step.device, 1, 0, 0)
    else:
        return
    for name, value in plain._asdict().items():
        if getattr(step, name) != value:
            yield name, value
