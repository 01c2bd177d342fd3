"""A deadline for each answer on a stream: gRPC's own covers the whole call, however many batches it carries."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread
from time import monotonic
from typing import Final, TypeVar

import grpc

__all__ = ["AnswerDeadline", "AnswersOwed"]

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class _OverdueError(grpc.RpcError):
    """The client has cancelled the stream: an answer was overdue."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.DEADLINE_EXCEEDED


class AnswersOwed:
    """The answers that a server owes on a stream, and the instant at which the next one is overdue.

    Time counts only while the caller waits for an answer that is owed: a caller that is slow to ask or slow to read
    makes no server late. Every ``now_s`` is in s, from any fixed instant.

    Attributes:
        overdue_at_s: the instant; ``None`` while nobody waits for an answer, or none is owed.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s: Final = timeout_s
        self._owed = 0
        self._is_awaited = False
        self.overdue_at_s: float | None = None

    def ask(self, now_s: float) -> None:
        """A request is sent, or the end of the requests: the server owes one answer more, or the end of the stream."""
        self._owed += 1
        if self._owed == 1:
            self._count_from(now_s)

    def wait(self, now_s: float) -> None:
        """The caller begins to wait for the next answer."""
        self._is_awaited = True
        self._count_from(now_s)

    def answer(self) -> None:
        """The server has answered."""
        self._owed -= 1
        self._is_awaited = False
        self.overdue_at_s = None

    def _count_from(self, now_s: float) -> None:
        self.overdue_at_s = now_s + self._timeout_s if self._is_awaited and self._owed else None


class AnswerDeadline:
    """Cancels a stream when the server owes an answer, or the end of the stream, for too long."""

    def __init__(self, timeout_s: float) -> None:
        self._changed: Final = Condition()
        self._answers = AnswersOwed(timeout_s)  # under the condition
        self._is_over = self._has_passed = False

    def counted(self, requests: Iterable[Request]) -> Iterator[Request]:
        """The requests, each counted when it is sent, and their end."""
        for request in requests:
            self._change(self._answers.ask)
            yield request
        self._change(self._answers.ask)

    @contextmanager
    def watching(self, cancel: Callable[[], object]) -> Iterator[None]:
        """Within the context, ``cancel`` is called once the deadline has passed."""
        thread = Thread(target=self._watch, args=(cancel,), name="answer-deadline", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify()
            thread.join()

    def each(self, answers: Iterator[Answer]) -> Iterator[Answer]:
        """The answers as they come.

        Raises:
            grpc.RpcError: the stream failed; with DEADLINE_EXCEEDED if ``watching`` has cancelled it.
        """
        while True:
            self._change(self._answers.wait)
            try:
                answer = next(answers)
            except StopIteration:
                return
            except grpc.RpcError:
                if self._has_passed:
                    raise _OverdueError from None
                raise
            finally:
                self._change(lambda _: self._answers.answer())
            yield answer

    def _change(self, change: Callable[[float], None]) -> None:
        with self._changed:
            change(monotonic())
            self._changed.notify()

    def _watch(self, cancel: Callable[[], object]) -> None:
        with self._changed:
            while not self._is_over and not self._has_passed:
                overdue_at_s = self._answers.overdue_at_s
                left_s = None if overdue_at_s is None else overdue_at_s - monotonic()
                self._has_passed = left_s is not None and left_s <= 0
                if not self._has_passed:
                    self._changed.wait(left_s)
        if self._has_passed:
            cancel()
