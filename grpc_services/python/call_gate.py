"""Counts the calls of a server: which are at work, which wait for their caller, and when a drain has finished.

A call is at work while the server computes for it. It waits while its caller has to act: send the first message, send
the next one of a stream, or receive an answer. A waiting call holds a thread and, if it is a stream, its columns, which
are bounded for all streams together. When all threads are held, the call that has waited longest is ended for the next
one. So silent callers cannot keep others out: they would have to take all threads again within the milliseconds in
which a message follows its headers. A stream that waits for its next request loses its columns when it is ended, but no
answer, so a drain does not wait for it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final, Literal

import grpc

from grpc_services.python.errors import AbandonedError, UnavailableError

__all__ = ["CallGate", "Place", "is_wanted"]

_MESSAGE_FOLLOWS_S: Final = 0.02
"""How long after its headers, or after the last answer, a message may come before its call counts as silent."""


def is_wanted(context: grpc.ServicerContext) -> bool:
    """Whether the caller still waits: it has neither gone nor has its deadline passed."""
    if not context.is_active():
        return False
    remaining = context.time_remaining()
    return remaining is None or remaining > 0


class Place:
    """One call, as the gate counts it; used by the thread of the call."""

    def __init__(self, gate: "CallGate", context: grpc.ServicerContext, since_s: float) -> None:
        self._gate = gate
        self._context = context
        self.since_s = since_s
        self.has_worked = False
        self.has_given_up = False
        self.state: Literal["begins", "waits for request", "waits for reader", "at work", "ended"] = "begins"
        self.ended_with = grpc.StatusCode.CANCELLED
        """The status for its caller if the gate ended it."""

    def wait(self, *, for_request: bool = True) -> None:
        """It is the caller's turn: to send a request, or to take an answer."""
        self._gate._begin_wait(self, "waits for request" if for_request else "waits for reader")

    def work(self) -> None:
        """The caller has sent a request.

        Raises:
            UnavailableError: too many calls are at work, or the server was asked to stop meanwhile.
        """
        self._gate._begin_work(self)

    def end(self, code: grpc.StatusCode, why: str) -> None:
        """End it from another thread. ``context.cancel`` gives no status, and a CANCELLED call is not retried."""
        self.ended_with = code
        self._context._rpc_event.call.cancel(code.value[0], why)  # type: ignore[attr-defined]


class CallGate:
    """Every call of a service enters, and leaves when its handler ends; safe for use by many threads."""

    def __init__(
        self,
        max_at_work: int,
        threads: int,
        message_timeout_s: float,
        clock_s: Callable[[], float] = monotonic,
    ) -> None:
        """Open.

        Args:
            max_at_work: calls at work at a time.
            threads: those that its calls run on, more than may be at work: each call holds one, also when it waits.
            message_timeout_s: how long a call may wait for its first message.
            clock_s: a clock that never goes back, s.
        """
        self._limit = max_at_work
        self._threads = threads
        self._message_timeout_s = message_timeout_s
        self._clock_s = clock_s
        self._changed = threading.Condition()
        self._inside = 0  # admitted calls that have a running handler
        self._holding = 0  # those of them that have not given up their threads
        self._at_work = 0
        self._waiting: dict[Place, None] = {}  # the one that has waited longest is first
        self._idle = 0  # those of them that wait for a request
        self._open = 0  # calls: one is open until its status has been sent
        self._draining = False

    def let_in(self) -> None:
        """Admit a call, before a thread is taken for it; its handler must then enter ``call``.

        Raises:
            UnavailableError: too many calls are at work or about to begin, or the server is about to stop.
        """
        silent = None
        with self._changed:
            self._refuse_if_full()
            if self._holding >= self._threads:
                silent = self._longest_silent()
                if silent is not None:
                    self._give_up(silent)
                elif self._holding >= 2 * self._threads:
                    raise self._too_many()
            self._holding += 1
            self._inside += 1
        if silent is not None:
            silent.end(grpc.StatusCode.UNAVAILABLE, "others needed the thread on which this call waited for its caller")

    @contextmanager
    def call(self, context: grpc.ServicerContext) -> Iterator[Place]:
        """Around the handler of one admitted call. It begins with the wait for its first message.

        Raises:
            AbandonedError: the call waited for its thread until nobody waited for it.
        """
        place = Place(self, context, self._clock_s())
        with self._changed:
            self._open += 1
        try:
            if not context.add_callback(self._on_closed):
                self._on_closed()
                raise AbandonedError("abandoned before it began")
            place.wait()
            yield place
        finally:
            with self._changed:
                self._leave_state(place)
                self._inside -= 1
                self._holding -= not place.has_given_up
                self._changed.notify_all()

    def end_overdue(self) -> None:
        """End the calls whose first message has not come in time. To be called now and then."""
        before_s = self._clock_s() - self._message_timeout_s
        with self._changed:
            overdue = [place for place in self._waiting if not place.has_worked and place.since_s <= before_s]
            for place in overdue:
                self._give_up(place)
        for place in overdue:
            place.end(grpc.StatusCode.DEADLINE_EXCEEDED, f"no request came within {self._message_timeout_s:g} s")

    def drain(self) -> None:
        """Admit no new call or request; running calls continue."""
        with self._changed:
            self._draining = True

    def wait_until_finished(self, timeout_s: float) -> bool:
        """Wait until nothing is open but calls that wait for a request; whether that came about."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open <= self._idle, timeout_s)

    def wait_until_left(self, timeout_s: float) -> bool:
        """Wait until no handler runs any more; whether that came about."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._inside, timeout_s)

    def _longest_silent(self) -> Place | None:
        """The call that is to give up its thread; none as long as messages may be on their way and few calls queue."""
        longest = next(iter(self._waiting), None)
        if longest is None or self._holding >= 2 * self._threads:
            return longest
        return longest if self._clock_s() - longest.since_s >= _MESSAGE_FOLLOWS_S else None

    def _give_up(self, place: Place) -> None:
        self._leave_state(place)
        place.has_given_up = True
        self._holding -= 1

    def _begin_wait(self, place: Place, state: Literal["waits for request", "waits for reader"]) -> None:
        with self._changed:
            if place.state == "ended":
                return  # its thread is about to learn of it
            self._leave_state(place)
            place.state = state
            place.since_s = self._clock_s()
            self._waiting[place] = None
            self._idle += state == "waits for request"
            if self._draining:
                self._changed.notify_all()

    def _begin_work(self, place: Place) -> None:
        with self._changed:
            if place.state == "ended":
                raise UnavailableError("the call has waited for too long")
            self._refuse_if_full()
            self._leave_state(place)
            place.state = "at work"
            place.has_worked = True
            self._at_work += 1

    def _leave_state(self, place: Place) -> None:
        if place.state == "at work":
            self._at_work -= 1
        elif place in self._waiting:
            del self._waiting[place]
            self._idle -= place.state == "waits for request"
        place.state = "ended"

    def _refuse_if_full(self) -> None:
        if self._draining:
            raise UnavailableError("the server is shutting down")
        if self._at_work >= self._limit:
            raise self._too_many()

    def _too_many(self) -> UnavailableError:
        return UnavailableError(f"the limit of {self._limit} concurrent calls is reached")

    def _on_closed(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify_all()
