"""When an attempt may follow at once, and how long the pauses are."""

import grpc
from tenacity import Future, RetryCallState

from dataflows.services.errors import AskAgainError
from dataflows.services.retries import RetryBudget, is_worth_another_server, pauses


def failed(error: Exception, attempt: int = 1) -> RetryCallState:
    state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
    state.attempt_number = attempt
    state.outcome = Future(attempt)
    state.outcome.set_exception(error)
    return state


def test_the_budget_allows_attempts_while_failures_are_few() -> None:
    budget = RetryBudget()
    for _ in range(4):
        assert budget.allows()
        budget.count(failed=True)
    budget.count(failed=True)
    assert not budget.allows()
    for _ in range(10):
        budget.count(failed=False)
    assert budget.allows()


def test_only_a_server_that_is_away_or_slow_may_be_replaced_by_another() -> None:
    worth = {
        status.name for status in grpc.StatusCode if is_worth_another_server(failed(AskAgainError(status, "as told")))
    }
    assert worth == {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    assert not is_worth_another_server(failed(ValueError()))


def test_pauses_double_up_to_8_s_and_vary_by_half_of_the_first() -> None:
    pause = pauses(0.5)
    for attempt, shortest_s in enumerate([0.5, 1.0, 2.0, 4.0, 8.0, 8.0], 1):
        assert all(shortest_s <= pause(failed(ValueError(), attempt)) <= shortest_s + 0.25 for _ in range(20))


def test_a_first_pause_of_more_than_8_s_is_kept() -> None:
    assert pauses(20.0)(failed(ValueError(), 3)) >= 20.0
