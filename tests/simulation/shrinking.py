"""Shortens a plan that fails, as long as it fails: fewer steps, then plainer ones (delta debugging)."""

from collections.abc import Callable, Iterator

from tests.simulation.plan import Append, Plan, Run, Step

__all__ = ["shortened"]


def shortened(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """The shortest plan found of which no step can be left out or made plainer.

    Args:
        plan: one that fails.
        fails: carries a plan out, and says whether it fails.
    """
    while True:
        smaller = next((one for one in _smaller(plan) if fails(one)), None)
        if smaller is None:
            return plan
        plan = smaller


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Plans with a part left out, from halves down to single steps; then plans with one step made plainer."""
    size = len(plan.steps)
    part = size // 2
    while part:
        for start in range(0, size, part):
            yield Plan(plan.setup, plan.steps[:start] + plan.steps[start + part :])
        part //= 2
    for place, step in enumerate(plan.steps):
        for plainer in _plainer(step):
            yield Plan(plan.setup, (*plan.steps[:place], plainer, *plan.steps[place + 1 :]))


def _plainer(step: Step) -> Iterator[Step]:
    """The step with less in it. Each value goes one way only, so that this ends."""
    plain: Step
    if isinstance(step, Run):
        plain = Run(step.seed, kill_before=step.kill_before, kill_kind=step.kill_kind)
    elif isinstance(step, Append):
        plain = Append(step.device, 1, 0, 0)
    else:
        return
    for name, value in plain._asdict().items():
        if getattr(step, name) != value:
            yield step._replace(**{name: value})
