"""The deadline of each answer on a stream: gRPC's own is one for the whole call, however many batches go over it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread
from time import monotonic
from typing import Final, TypeVar

import grpc

__all__ = ["AnswerDeadline"]

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class _OverdueError(grpc.RpcError):
    """The stream was ended by us."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.DEADLINE_EXCEEDED


class AnswerDeadline:
    """Ends a stream whose server owes an answer, or the end of the stream, for too long.

    Counted is the time in which somebody waits for the answer, from when it was owed: neither who is slow to ask nor
    who is slow to take the answers makes a server late.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s: Final = timeout_s
        self._changed: Final = Condition()
        self._owed = 0
        self._ends_s: float | None = None  # while somebody waits for what is owed
        self._waiting = self._left = self._passed = False

    def counted(self, requests: Iterable[Request]) -> Iterator[Request]:
        """The requests, each counted when it goes out, and their end."""
        for request in requests:
            self._owe()
            yield request
        self._owe()

    @contextmanager
    def watching(self, end: Callable[[], object]) -> Iterator[None]:
        """For the time of the context, ``end`` is called once the deadline has passed."""
        thread = Thread(target=self._watch, args=(end,), name="answer-deadline", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._left = True
                self._changed.notify()
            thread.join()

    def each(self, answers: Iterator[Answer]) -> Iterator[Answer]:
        """The answers as they come.

        Raises:
            grpc.RpcError: the stream failed; with DEADLINE_EXCEEDED if that was our doing.
        """
        while True:
            self._wait(True)
            try:
                answer = next(answers)
            except StopIteration:
                return
            except grpc.RpcError:
                if self._passed:
                    raise _OverdueError from None
                raise
            finally:
                self._wait(False)
            with self._changed:
                self._owed -= 1
            yield answer

    def _owe(self) -> None:
        with self._changed:
            self._owed += 1
            if self._owed == 1:
                self._start()

    def _wait(self, waiting: bool) -> None:
        with self._changed:
            self._waiting = waiting
            self._start()

    def _start(self) -> None:
        """The time runs from now, if it has to."""
        self._ends_s = monotonic() + self._timeout_s if self._waiting and self._owed else None
        self._changed.notify()

    def _watch(self, end: Callable[[], object]) -> None:
        with self._changed:
            while not self._left and not self._passed:
                left_s = None if self._ends_s is None else self._ends_s - monotonic()
                self._passed = left_s is not None and left_s <= 0
                if not self._passed:
                    self._changed.wait(left_s)
        if self._passed:
            end()
