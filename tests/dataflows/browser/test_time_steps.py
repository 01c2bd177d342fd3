"""Time in steps: none is lost, none is counted twice, and there are not too many."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dataflows.browser.time_steps import TimeSteps
from window_core import MAX_TIME_MS

INSTANTS = st.lists(st.integers(0, MAX_TIME_MS) | st.integers(10**12, 10**12 + 10**6), min_size=1, max_size=20)


@given(instants=INSTANTS)
def test_each_instant_is_counted_in_the_step_that_holds_it(instants: list[int]) -> None:
    steps = TimeSteps.of(min(instants), max(instants), at_most=60)
    table = pl.DataFrame({"at": instants, "kind": ["a"] * len(instants)}, schema_overrides={"at": pl.Int64})
    counts = dict(steps.counts(table, "kind", ["a"]).rows())
    assert len(counts) == steps.number
    assert counts == {start: sum(start <= instant < start + steps.step_ms for instant in instants) for start in counts}
    assert sum(counts.values()) == len(instants)


@given(first=st.integers(0, 10**13), length=st.integers(0, 10**11))
def test_there_are_not_too_many_steps_and_as_many_as_may_be(first: int, length: int) -> None:
    steps = TimeSteps.of(first, first + length, at_most=60)
    assert 1 <= steps.number <= 60
    assert steps.first_ms <= first < steps.first_ms + steps.step_ms
    assert steps.step_ms == 1 or length >= steps.step_ms * 60 // 7 // 2  # the next shorter is at most 13 times shorter
