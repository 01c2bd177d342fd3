"""Each fault of an answer and what follows from it, without a service."""

from array import array
from math import inf, nan

import pytest

from dataflows.services.answer_checks import Answered, checked
from dataflows.services.answers import Refusal
from dataflows.services.errors import AskAgainError, WrongAnswerError
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import RowError

ASKED = 3


def features(values: list[float], names: tuple[str, ...] = ("a/v1", "b/v1"), *errors: RowError) -> Answered:
    return Answered("features", ASKED, ASKED, names, len(values), errors, array("f", values).tobytes())


def refused(answered: Answered) -> dict[int, tuple[str, str, str]]:
    """Status, service and message by row."""
    return {row: (one.status, one.service, one.message) for row, one in checked(answered).refusals.items()}


def test_an_answer_that_fits_passes() -> None:
    assert checked(features([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])) == ({}, set())
    assert checked(Answered("inference", ASKED, ASKED, ["key"], 3, ())) == ({}, set())


def test_an_answer_without_columns_passes() -> None:
    assert checked(features([], ())) == ({}, set())


@pytest.mark.parametrize("code", [14, 4, 16, 7])
def test_a_row_that_may_pass_has_the_whole_request_asked_again(code: int) -> None:
    with pytest.raises(AskAgainError, match="busy"):
        checked(features([0.0] * 6, ("a/v1", "b/v1"), RowError(row=1, code=code, message="busy")))


@pytest.mark.parametrize(
    ("answered", "message"),
    [
        (features([0.0] * 5), "3 rows of features with other than 6 values"),
        (features([0.0] * 7), "3 rows of features with other than 6 values"),
        (features([0.0] * 6)._replace(cells=None), "3 rows of features with other than 6 values"),
        (Answered("features", ASKED, 2, ["a/v1"], 2, ()), "2 rows of features to 3 windows"),
        (Answered("inference", ASKED, ASKED, ["key"], 2, ()), "3 predictions with other than 3 values"),
        (Answered("inference", ASKED, 4, ["key"], 4, ()), "4 predictions to 3 rows of features"),
    ],
)
def test_rows_or_values_that_are_missing_or_too_many_fail_the_run(answered: Answered, message: str) -> None:
    with pytest.raises(WrongAnswerError, match=message):
        checked(answered)


def test_an_error_in_a_row_that_does_not_exist_fails_the_run() -> None:
    with pytest.raises(WrongAnswerError, match="an error in row 3 to 3 windows"):
        checked(features([0.0] * 6, ("a/v1", "b/v1"), RowError(row=3, code=3)))


def test_a_row_that_failed_is_refused_with_its_own_status() -> None:
    errors = RowError(row=0, code=3, message="sensor2: not finite"), RowError(row=2, code=0)
    assert refused(features([0.0] * 6, ("a/v1", "b/v1"), *errors)) == {
        0: ("INVALID_ARGUMENT", "features", "sensor2: not finite"),
        2: ("UNKNOWN", "features", ""),
    }


def test_a_name_that_is_there_twice_refuses_every_row() -> None:
    refusal = ("INTERNAL", "features", "feature: a/v1 is repeated")
    assert refused(features([0.0] * 6, ("a/v1", "a/v1"))) == dict.fromkeys(range(3), refusal)
    results = Answered("inference", ASKED, ASKED, ["key", "key"], 6, ())
    assert refused(results) == dict.fromkeys(range(3), ("INTERNAL", "inference", "result: key is repeated"))


@pytest.mark.parametrize("wrong", [nan, inf, -inf])
def test_a_feature_that_is_not_finite_refuses_its_row_and_the_first_one_is_named(wrong: float) -> None:
    assert refused(features([1.0, 2.0, 3.0, wrong, wrong, wrong])) == {
        1: ("INTERNAL", "features", "feature: b/v1 is not finite"),
        2: ("INTERNAL", "features", "feature: a/v1 is not finite"),
    }


def test_of_several_faults_of_a_row_the_first_of_the_table_counts() -> None:
    answered = features([nan] * 6, ("a/v1", "a/v1"), RowError(row=1, code=9, message="its own"))
    assert [refused(answered)[row][2] for row in range(3)] == [
        "feature: a/v1 is repeated",
        "its own",
        "feature: a/v1 is repeated",
    ]
    assert checked(answered).refusals[1] == Refusal("FAILED_PRECONDITION", "features", "its own")


def test_a_row_that_a_stream_does_not_hold_is_asked_about_whole_and_one_of_a_call_is_refused() -> None:
    answered = features(
        [nan] * 2 + [0.0] * 4, ("a/v1", "b/v1"), RowError(row=0, code=5, message="column: 7 is not held")
    )
    assert checked(answered._replace(is_streamed=True)) == ({}, {0})
    assert refused(answered) == {0: ("NOT_FOUND", "features", "column: 7 is not held")}
    with pytest.raises(WrongAnswerError, match="an error in row 3"):
        checked(features([0.0] * 6, ("a/v1", "b/v1"), RowError(row=3, code=5))._replace(is_streamed=True))
