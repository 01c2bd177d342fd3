"""One bidirectional stream to one server: requests in, answers out in the same order, for as long as it goes well.

A stream that fails is over: nothing is sent twice on it, and what it still owed is asked about in another way. gRPC's
own deadline would cover the whole stream, so each answer has one of its own here.
"""

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final

import grpc

from dataflows.services.batch_methods import with_trace_parent
from dataflows.services.channels import Hold
from dataflows.services.errors import another_server_may_answer
from runtime.traces import NO_TRACES, Span, Traces

__all__ = ["Owed", "Stream"]


class Owed:
    """The answer to one request, once it has come.

    Attributes:
        answer: its bytes; ``None`` if there will be none.
        rows: how many the request asks about.
        asked_s: when, on the monotonic clock.
    """

    __slots__ = ("_has_come", "_span", "_stream", "answer", "asked_s", "rows")

    def __init__(self, stream: "Stream", rows: int, span: Span) -> None:
        self._stream = stream
        self._span = span
        self.rows = rows
        self.asked_s = monotonic()
        self._has_come = Event()
        self.answer: bytes | None = None

    def settle(self, answer: bytes | None, status: grpc.StatusCode = grpc.StatusCode.OK) -> None:
        """It has come, or never will."""
        self._span.end(status)
        self.answer = answer
        self._has_come.set()

    def awaited(self) -> bytes | None:
        """The answer; ``None`` if the stream failed, or did not bring it in time."""
        began_s = monotonic()
        while not self._has_come.wait(self._stream.seconds_left(began_s)):
            if self._stream.seconds_left(began_s) <= 0:
                self._span.end(grpc.StatusCode.DEADLINE_EXCEEDED)
                self._stream.end(is_at_fault=True)
                self._has_come.wait()
        return self.answer


class Stream:
    """A stream; may be used by several threads at once.

    Attributes:
        answers: how many have come.
        began_s: on the monotonic clock.
        is_over: whether nothing comes any more.
    """

    def __init__(
        self,
        hold: Hold,
        path: str,
        credentials: grpc.CallCredentials | None,
        timeout_s: float,
        note: Callable[[int, float], None],
        traces: Traces = NO_TRACES,
    ) -> None:
        """Begin a stream.

        Args:
            hold: the connection; it is given back when the stream is over.
            path: the full name of the method.
            credentials: the token, if there is one.
            timeout_s: the deadline of each answer.
            note: takes of each answer the rows, and the seconds since its request.
            traces: where each request is traced.
        """
        self._hold: Final = hold
        self._path: Final = path
        self._traces: Final = traces
        self._timeout_s: Final = timeout_s
        self._note: Final = note
        self._lock: Final = Lock()
        self._requests: Final[SimpleQueue[bytes | None]] = SimpleQueue()
        self._owed: Final[deque[Owed]] = deque()  # under the lock
        self.is_over = False  # set under the lock
        self._is_server_at_fault = False
        self._answered_s = self.began_s = monotonic()
        self.answers = 0
        requests = iter(self._requests.get, None)
        self._call = hold.connection.stream(path)(requests, credentials=credentials)
        Thread(target=self._read, name="stream", daemon=True).start()

    @property
    def is_open(self) -> bool:
        """Whether it takes requests, and the connection is the one that new calls take."""
        return not self.is_over and self._hold.is_current()

    def ask(self, request: bytes, rows: int) -> Owed:
        """Send a request about so many rows. The caller sees to it that requests come in their order."""
        span = self._traces.request(self._path, self._hold.connection.host_port, rows)
        if (parent := span.parent) is not None:
            request = with_trace_parent(self._path, request, parent)
        owed = Owed(self, rows, span)
        with self._lock:
            if self.is_over:
                owed.settle(None, grpc.StatusCode.CANCELLED)
                return owed
            self._owed.append(owed)
        self._requests.put(request)
        return owed

    def finish(self) -> None:
        """Send no more; what is owed still comes."""
        self._requests.put(None)

    def end(self, *, is_at_fault: bool = False) -> None:
        """End it at once, whatever is owed; the server is at fault if an answer was overdue, or cannot be right."""
        self._is_server_at_fault |= is_at_fault
        self._call.cancel()

    def seconds_left(self, began_s: float) -> float:
        """How long the next answer may take, if the caller has waited for it since an instant.

        A caller that is slow to ask or to read makes no server late, nor does the answer before this one.
        """
        return max(began_s, self._answered_s) + self._timeout_s - monotonic()

    def _read(self) -> None:
        status = grpc.StatusCode.OK
        try:
            for answer in self._call:
                self.answers += 1
                self._answered_s = monotonic()
                self._hold.note(failed=False)
                owed = self._owed.popleft()
                self._note(owed.rows, self._answered_s - owed.asked_s)
                owed.settle(answer)
        except grpc.RpcError as error:
            status = error.code()
        except IndexError:  # an answer that nobody asked for
            self.end(is_at_fault=True)
        with self._lock:
            self.is_over = True
        self._requests.put(None)
        while self._owed:
            self._owed.popleft().settle(None, grpc.StatusCode.UNKNOWN if status is grpc.StatusCode.OK else status)
        if self._is_server_at_fault or (not self.answers and another_server_may_answer(status)):
            self._hold.note(failed=True)
        self._hold.give_back()
