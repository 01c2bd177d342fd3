"""On a stream each answer has a deadline of its own, and the server alone is held to it."""

from collections.abc import Iterator
from threading import Event as Flag

import grpc
import pytest

from dataflows.services.answer_deadline import AnswerDeadline, AnswersOwed
from dataflows.services.answers import Answer
from tests.dataflows.asking import SERVICE, Bench, told
from tests.dataflows.misbehaving import Status

BATCHES = {"features": "EngineerFeatures", "inference": "Predict"}


@SERVICE
def test_a_stream_that_hangs_between_two_answers_is_left_and_the_rest_is_asked_in_batches(
    bench: Bench, right: list[Answer], service: str
) -> None:
    def hangs_at_the_second(name: str, request: object, number: int) -> Status | None:
        return getattr(bench, service).never() if name.startswith("Stream") and number == 1 else None

    assert bench.asked(**told(service, hangs_at_the_second), rpc="stream", timeout_ms=500) == right
    assert len(getattr(bench, service).called(BATCHES[service])) == 2


@SERVICE
def test_a_stream_may_take_longer_than_the_deadline_of_an_answer(
    bench: Bench, right: list[Answer], service: str
) -> None:
    def takes_its_time(name: str, request: object, number: int) -> None:
        Flag().wait(0.8)

    assert bench.asked(**told(service, takes_its_time), rpc="stream", timeout_ms=2_000) == right
    assert len(getattr(bench, service).calls) == 3  # all on the stream, in 2.4 s


class Answers:
    """So many answers at once, then nothing until the stream is ended."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.ended = Flag()

    def __next__(self) -> int:
        if not self._left:
            assert self.ended.wait(60)
            raise grpc.RpcError
        self._left -= 1
        return self._left

    def __iter__(self) -> Iterator[int]:
        return self


@pytest.mark.parametrize("requests", [3, 2])
def test_an_answer_that_does_not_come_and_an_end_that_does_not_come_are_overdue(requests: int) -> None:
    deadline, answers = AnswerDeadline(0.05), Answers(2)
    assert list(deadline.counted(range(requests))) == list(range(requests))
    with deadline.watching(answers.ended.set):
        each = deadline.each(answers)
        assert [next(each), next(each)] == [1, 0]
        with pytest.raises(grpc.RpcError) as overdue:
            next(each)
    assert overdue.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_an_answer_is_overdue_its_timeout_after_the_caller_waits_for_it() -> None:
    answers = AnswersOwed(5.0)
    answers.ask(100.0)
    assert answers.overdue_at_s is None  # nobody waits
    answers.wait(107.0)
    assert answers.overdue_at_s == 112.0


def test_a_caller_that_is_slow_to_ask_makes_no_server_late() -> None:
    answers = AnswersOwed(5.0)
    answers.wait(100.0)
    assert answers.overdue_at_s is None  # no answer is owed
    answers.ask(130.0)
    assert answers.overdue_at_s == 135.0
    answers.ask(133.0)
    assert answers.overdue_at_s == 135.0  # a further request gives the first answer no more time


def test_a_caller_that_is_slow_to_read_makes_no_server_late() -> None:
    answers = AnswersOwed(5.0)
    answers.ask(100.0)
    answers.ask(100.0)
    answers.wait(100.0)
    answers.answer()
    assert answers.overdue_at_s is None
    answers.wait(170.0)
    assert answers.overdue_at_s == 175.0
    answers.answer()
    answers.wait(180.0)
    assert answers.overdue_at_s is None


def test_a_slow_caller_has_no_stream_cancelled() -> None:
    deadline, answers = AnswerDeadline(0.05), Answers(2)
    with deadline.watching(answers.ended.set):
        each = deadline.each(answers)
        requests = deadline.counted(range(3))
        next(requests)
        next(requests)
        next(each)
        assert not answers.ended.wait(0.2)  # an answer is owed, and nobody waits for it
        next(each)
        assert not answers.ended.wait(0.2)  # no answer is owed
