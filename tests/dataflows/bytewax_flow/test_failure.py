"""Standard error is shut from the first failure to the end of the flow, and open before and after."""

import os

import pytest

from dataflows.bytewax_flow.failure import StandardError, fails_quietly


def say(text: str) -> None:
    os.write(2, text.encode())


def test_what_is_said_after_a_failure_is_not_heard_until_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    @fails_quietly
    def fail() -> None:
        say("before ")
        raise ValueError("the reason")

    with StandardError.opened_at_the_end():
        with pytest.raises(ValueError, match="the reason"):
            fail()
        say("not heard ")
    say("after")
    assert capfd.readouterr().err == "before after"


def test_the_failure_of_another_worker_changes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with StandardError.opened_at_the_end():
        StandardError.shut()
        StandardError.shut()
        say("not heard ")
    StandardError.shut()  # a worker that comes late
    say("heard")
    assert capfd.readouterr().err == "heard"


def test_the_end_of_an_input_is_no_failure(capfd: pytest.CaptureFixture[str]) -> None:
    @fails_quietly
    def end() -> None:
        raise StopIteration

    with StandardError.opened_at_the_end():
        with pytest.raises(StopIteration):
            end()
        say("heard")
    assert capfd.readouterr().err == "heard"
