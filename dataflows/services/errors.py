"""The errors of a call, and the consequence of each gRPC status, as a table.

| what the service says | error | what follows |
| --- | --- | --- |
| UNAVAILABLE, DEADLINE_EXCEEDED, UNAUTHENTICATED, PERMISSION_DENIED | ``AskAgainError`` | retries, then the run fails |
| UNIMPLEMENTED | ``UnimplementedError`` | the client uses another method |
| any other status | ``RefusedError`` | the question is divided; one evaluation alone is refused |
| an answer that cannot be right | ``WrongAnswerError`` | the run fails |
"""

from typing import Final

import grpc

from dataflows.services.answers import Refusal
from runtime.errors import CommandError

__all__ = [
    "AskAgainError",
    "MisfitError",
    "RefusedError",
    "ServiceError",
    "UnimplementedError",
    "WrongAnswerError",
    "another_server_may_answer",
    "may_pass",
    "status_of_number",
]

_MAY_PASS: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)

_STATUS_BY_NUMBER: Final = {status.value[0]: status for status in grpc.StatusCode}


class ServiceError(CommandError):
    """A service cannot be used: the run fails, and resumes from its state when it is started again."""


class MisfitError(ServiceError):
    """Both services answer, but not about the events of this run; the message says what does not fit."""


class AskAgainError(Exception):
    """An attempt failed in a way that may pass: the service is slow or away, or authentication failed."""

    def __init__(self, status: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{status.name}: {details}" if details else status.name)
        self.status = status


class RefusedError(Exception):
    """The service answered with a status that belongs to what it was asked."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal


class UnimplementedError(Exception):
    """The service does not know the method."""


class WrongAnswerError(Exception):
    """The service answered something that cannot be right; the message says what, without naming the service."""


def another_server_may_answer(status: grpc.StatusCode) -> bool:
    """Whether a call that failed with this status may succeed at another address at once."""
    return status in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def may_pass(status: grpc.StatusCode) -> bool:
    """Whether a call that failed with this status is retried."""
    return status in _MAY_PASS


def status_of_number(number: int) -> grpc.StatusCode:
    """The status of a row that failed; a number that is no status of a failure, such as 0, is UNKNOWN."""
    return _STATUS_BY_NUMBER.get(number or -1, grpc.StatusCode.UNKNOWN)
