"""Checks that an answer fits its question: one table of the faults that an answer may have, with their consequences.

The services may be third-party. An answer is trusted only after it has passed this table.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

import grpc
import numpy as np

from dataflows.services.answers import Refusal, ServiceName
from dataflows.services.errors import AskAgainError, WrongAnswerError, may_pass, status_of_number
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import RowError

__all__ = ["FAULTS", "Answered", "Checked", "Consequence", "checked"]


_ROWS: Final = {"features": ("rows of features", "windows"), "inference": ("predictions", "rows of features")}
"""What the rows of an answer are, and those of its question."""

_COLUMN: Final = {"features": "feature", "inference": "result"}


class Answered(NamedTuple):
    """A question and its answer, of either service, as rows and named columns.

    Attributes:
        service: which of the two.
        asked: rows in the question.
        rows: those in the answer.
        names: of the columns.
        cells: number of values in the answer; ``None`` if their bytes are no whole number of values.
        errors: the rows that failed.
        values: float32, row by row, if the values are numbers.
        is_streamed: whether it was asked about columns that a stream keeps, so that ``NOT_FOUND`` is about these.
    """

    service: ServiceName
    asked: int
    rows: int
    names: Sequence[str]
    cells: int | None
    errors: Sequence[RowError]
    values: bytes = b""
    is_streamed: bool = False


class Consequence(Enum):
    """What follows from a fault."""

    ASK_AGAIN = auto()
    FAIL_RUN = auto()
    ASK_WHOLE = auto()
    REFUSE_ROW = auto()


class Finding(NamedTuple):
    """A fault that was found. Of one that fails the run only the message is used, of one asked whole only the row."""

    message: str
    row: int = 0
    status: grpc.StatusCode = grpc.StatusCode.INTERNAL


class Fault(NamedTuple):
    found_in: Callable[[Answered], Iterator[Finding]]
    consequence: Consequence


class Checked(NamedTuple):
    """What is wrong with some rows of an answer that passes; it holds a good value in each cell of all others.

    Attributes:
        refusals: by row.
        not_held: the rows that are to be asked about with their whole windows.
    """

    refusals: dict[int, Refusal]
    not_held: set[int]


def checked(answered: Answered) -> Checked:
    """What is wrong with rows of an answer.

    Raises:
        AskAgainError: a row failed with a status that may pass.
        WrongAnswerError: the answer does not fit the question.
    """
    refusals: dict[int, Refusal] = {}
    not_held: set[int] = set()
    for fault in FAULTS:
        for finding in fault.found_in(answered):
            if fault.consequence is Consequence.ASK_AGAIN:
                raise AskAgainError(finding.status, finding.message)
            if fault.consequence is Consequence.FAIL_RUN:
                raise WrongAnswerError(finding.message)
            if fault.consequence is Consequence.ASK_WHOLE:
                not_held.add(finding.row)
            elif finding.row not in not_held:
                refusals.setdefault(finding.row, Refusal.of(finding.status.name, answered.service, finding.message))
    return Checked(refusals, not_held)


def _rows_that_may_pass(answered: Answered) -> Iterator[Finding]:
    for error in answered.errors:
        if may_pass(status := status_of_number(error.code)):
            yield Finding(error.message, error.row, status)


def _another_size(answered: Answered) -> Iterator[Finding]:
    rows, (given, asked) = answered.asked, _ROWS[answered.service]
    if answered.rows != rows:
        yield Finding(f"{answered.rows} {given} to {rows} {asked}")
    elif answered.cells != rows * len(answered.names):
        yield Finding(f"{answered.rows} {given} with other than {rows * len(answered.names)} values")


def _errors_in_no_row(answered: Answered) -> Iterator[Finding]:
    for error in answered.errors:
        if error.row >= answered.asked:
            _, asked = _ROWS[answered.service]
            yield Finding(f"an error in row {error.row} to {answered.asked} {asked}")


def _rows_not_held(answered: Answered) -> Iterator[Finding]:
    for error in answered.errors if answered.is_streamed else ():
        if status_of_number(error.code) is grpc.StatusCode.NOT_FOUND:
            yield Finding(error.message, error.row)


def _failed_rows(answered: Answered) -> Iterator[Finding]:
    for error in answered.errors:
        yield Finding(error.message, error.row, status_of_number(error.code))


def _repeated_name(answered: Answered) -> Iterator[Finding]:
    """A name that occurs twice: an output could hold only one of its values."""
    names = list(answered.names)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        for row in range(answered.asked):
            yield Finding(f"{_COLUMN[answered.service]}: {twice} is repeated", row)


def _values_not_finite(answered: Answered) -> Iterator[Finding]:
    """Values that JSON has no number for: an output would hold null in their place."""
    finite = np.isfinite(np.frombuffer(answered.values, "<f4"))
    if not finite.all():
        for row, column in zip(*np.nonzero(~finite.reshape(-1, len(answered.names))), strict=True):
            yield Finding(f"feature: {answered.names[column]} is not finite", int(row))


FAULTS: Final = (
    Fault(_rows_that_may_pass, Consequence.ASK_AGAIN),
    Fault(_another_size, Consequence.FAIL_RUN),
    Fault(_errors_in_no_row, Consequence.FAIL_RUN),
    Fault(_rows_not_held, Consequence.ASK_WHOLE),
    Fault(_failed_rows, Consequence.REFUSE_ROW),
    Fault(_repeated_name, Consequence.REFUSE_ROW),
    Fault(_values_not_finite, Consequence.REFUSE_ROW),
)
"""In this order: of several faults of a row, the first one counts."""
