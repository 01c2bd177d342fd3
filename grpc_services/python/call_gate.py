"""Counts the calls of a server: how many may run at a time, and when a server that was told to stop has finished.

A stream that waits for its next request is idle: it can be ended without losing anything, so a drain does not wait
for it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from grpc_services.python.errors import AbandonedError, UnavailableError

__all__ = ["CallGate", "is_wanted"]


def is_wanted(context: grpc.ServicerContext) -> bool:
    """Whether the caller still waits: it has neither gone nor has its deadline passed."""
    if not context.is_active():
        return False
    remaining = context.time_remaining()
    return remaining is None or remaining > 0


class CallGate:
    """Every call of a service enters, and leaves when its handler ends; safe for use by many threads."""

    def __init__(self, max_concurrent_calls: int) -> None:
        self._limit = max_concurrent_calls
        self._changed = threading.Condition()
        self._running = 0  # handlers: each holds a thread
        self._open = 0  # calls: one is open until its status has been sent
        self._idle = 0  # streams between two requests
        self._draining = False

    @contextmanager
    def call(self, context: grpc.ServicerContext) -> Iterator[None]:
        """Around the handler of one call.

        Raises:
            UnavailableError: too many calls run already, or the server is about to stop.
            AbandonedError: the call waited for its turn until nobody waited for it.
        """
        with self._changed:
            self._refuse_if_draining()
            if self._running >= self._limit:
                raise UnavailableError(f"the limit of {self._limit} concurrent calls is reached")
            self._running += 1
            self._open += 1
        try:
            if not context.add_callback(self._on_closed):
                self._on_closed()
                raise AbandonedError("abandoned before it began")
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Around the wait of a stream for its next request.

        Raises:
            UnavailableError: the server was told to stop meanwhile.
        """
        with self._changed:
            self._idle += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._idle -= 1
        with self._changed:
            self._refuse_if_draining()

    def drain(self) -> None:
        """Let no new call or request in; those that run go on."""
        with self._changed:
            self._draining = True

    def wait_until_finished(self, timeout_s: float) -> bool:
        """Wait until nothing is open but idle streams; whether that came about."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open <= self._idle, timeout_s)

    def wait_until_left(self, timeout_s: float) -> bool:
        """Wait until no handler runs any more; whether that came about."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, timeout_s)

    def _refuse_if_draining(self) -> None:
        if self._draining:
            raise UnavailableError("the server is shutting down")

    def _on_closed(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify_all()
