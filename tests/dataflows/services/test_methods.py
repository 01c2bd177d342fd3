"""A question that is refused is divided until the refused row stands alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.services.answers import Answer, Refusal
from dataflows.services.chunks import Chunk, FeatureRows
from dataflows.services.errors import RefusedError, UnimplementedError, WrongAnswerError
from dataflows.services.methods import Method, decoded, divided
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureBatch
from tests.dataflows.asking import EVALUATIONS

REFUSAL = Refusal("INVALID_ARGUMENT", "inference", "as told")


def method(takes_many: bool) -> Method[FeatureRows, str | Answer]:
    return Method(
        "/a/method", lambda _: b"", lambda _, answer: [answer.decode()], lambda _, refusal: refusal, takes_many
    )


def rows(number: int) -> FeatureRows:
    return FeatureRows(Chunk(EVALUATIONS[:number]), ("a/v1",), bytes(4 * number))


@given(st.integers(1, 24), st.sets(st.integers(0, 23)), st.booleans())
def test_only_the_rows_that_cause_it_are_refused_and_the_order_is_kept(
    number: int, bad: set[int], takes_many: bool
) -> None:
    bad_ids = {EVALUATIONS[row].evaluation_id for row in bad}
    sizes = []

    def call(question: FeatureRows) -> list[str | Answer]:
        sizes.append(len(question))
        if bad_ids & {one.evaluation_id for one in question.chunk.evaluations}:
            raise RefusedError(REFUSAL)
        return [one.evaluation_id for one in question.chunk.evaluations]

    answers = list(divided(method(takes_many), rows(number), call))
    expected = [REFUSAL if one in bad_ids else one for one in [one.evaluation_id for one in EVALUATIONS[:number]]]
    assert answers == expected
    assert takes_many or sizes == [1] * number


def test_one_bad_row_of_many_costs_few_calls() -> None:
    questions: list[FeatureRows] = []

    def call(question: FeatureRows) -> list[str | Answer]:
        questions.append(question)
        if EVALUATIONS[5] in question.chunk.evaluations:
            raise RefusedError(REFUSAL)
        return [one.evaluation_id for one in question.chunk.evaluations]

    list(divided(method(True), rows(16), call))
    assert len(questions) == 9  # 1, and 2 for each of the 4 times that the bad half is divided


@pytest.mark.parametrize("error", [UnimplementedError(), WrongAnswerError("nonsense")])
def test_what_is_no_refusal_is_not_divided(error: Exception) -> None:
    def call(question: FeatureRows) -> list[str | Answer]:
        assert len(question) == 4
        raise error

    with pytest.raises(type(error)):
        list(divided(method(True), rows(4), call))


def test_bytes_that_are_no_message_are_no_answer() -> None:
    with pytest.raises(WrongAnswerError, match="3 bytes that are no FeatureBatch"):
        decoded(b"\xff\xff\xff", FeatureBatch)
