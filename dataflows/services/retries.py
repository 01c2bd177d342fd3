"""When a call is retried: how often, after which pause, and how many retries may follow without one."""

from threading import Lock
from typing import Final

from tenacity import RetryCallState, wait_exponential, wait_random
from tenacity.wait import wait_base

from dataflows.services.errors import AskAgainError, another_server_may_answer

__all__ = ["RetryBudget", "is_worth_another_server", "pauses"]

_LONGEST_PAUSE_S: Final = 8.0

_BUDGET_MAX: Final = 10.0
_BUDGET_EARNED: Final = 0.1
"""From the example in gRPC's own specification of retry throttling (proposal A6)."""


class RetryBudget:
    """Allows attempts without a pause only while failures are few beside the successes.

    Otherwise attempts would multiply when all servers are overloaded. Attempts after a pause need no budget.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._left = _BUDGET_MAX

    def count(self, failed: bool) -> None:
        with self._lock:
            self._left = max(self._left - 1, 0.0) if failed else min(self._left + _BUDGET_EARNED, _BUDGET_MAX)

    def allows(self) -> bool:
        return self._left > _BUDGET_MAX / 2


def pauses(first_s: float) -> wait_base:
    """The pause before each attempt but the first: doubled each time up to 8 s, and up to half of the first longer."""
    return wait_exponential(first_s, max=max(first_s, _LONGEST_PAUSE_S)) + wait_random(0, first_s / 2)


def is_worth_another_server(state: RetryCallState) -> bool:
    """Whether the last attempt failed in a way in which another server may do better."""
    error = state.outcome.exception() if state.outcome else None
    return isinstance(error, AskAgainError) and another_server_may_answer(error.status)
