"""Which statuses mean that a call is made again."""

import grpc

from dataflows.services.errors import may_pass, status_of_number


def test_a_service_that_is_slow_or_away_or_refuses_authentication_is_asked_again() -> None:
    assert {status.name for status in grpc.StatusCode if may_pass(status)} == {
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
    }


def test_a_number_that_is_no_status_of_a_failure_is_unknown() -> None:
    for status in grpc.StatusCode:
        expected = grpc.StatusCode.UNKNOWN if status is grpc.StatusCode.OK else status
        assert status_of_number(status.value[0]) is expected
    assert {status_of_number(number) for number in (-1, 17, 99)} == {grpc.StatusCode.UNKNOWN}
