"""Whether a server takes calls, for balancers and probes: ``grpc.health.v1``.

The servicer of grpcio-health-checking (1.65 and before it) holds one lock while it sends, and takes the same lock where
gRPC's only event thread reports that a watcher is gone. So a watcher that leaves while another is being notified stops
the whole server for ever. Here no lock that gRPC waits for is held while sending.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from threading import Lock, Thread
from time import monotonic
from typing import Final, TypeAlias

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from grpc_services.python.errors import TooLargeError

__all__ = ["HealthService"]

_WATCHERS_OF_A_CONNECTION: Final = 8
"""A client watches the server as a whole, or its services, once. A watcher takes some 10 kB and needs no token."""

_TOLD_WITHIN_S: Final = 1.0
"""The wait for watchers that do not read; they notice the end by their connection."""

Status: TypeAlias = health_pb2.HealthCheckResponse


class _Watcher:
    """One who wants to know; what is sent last is what was true last."""

    def __init__(self, send: Callable[[Status], None], status: Callable[[], int], peer: str) -> None:
        self.peer = peer
        self._send = send
        self._status = status
        self._sending = Lock()

    def tell(self) -> None:
        with self._sending:
            self._send(Status(status=self._status()))


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # generated, without types
    """SERVING from the start, until the server is about to stop."""

    def __init__(self, services: Sequence[str]) -> None:
        """All services share one status, which is also that of the server as a whole."""
        self._services = {"", *services}
        self._lock = Lock()
        self._watchers: defaultdict[str, list[_Watcher]] = defaultdict(list)  # by connection
        self._serving = True

    def Check(self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext) -> Status:  # noqa: N802 - the contract's name
        if request.service not in self._services:
            context.set_code(grpc.StatusCode.NOT_FOUND)
        return Status(status=self._status_of(request.service))

    def Watch(  # noqa: N802 - the contract's name
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.ServicerContext,
        send_response_callback: Callable[[Status], None],
    ) -> None:
        peer = context.peer()
        watcher = _Watcher(send_response_callback, lambda: self._status_of(request.service), peer)
        with self._lock:
            watchers = self._watchers[peer]
            if len(watchers) >= _WATCHERS_OF_A_CONNECTION:
                raise TooLargeError(f"a connection may watch {_WATCHERS_OF_A_CONNECTION} times")
            watchers.append(watcher)
        if context.add_callback(lambda: self._forget(watcher)):
            watcher.tell()
        else:
            self._forget(watcher)

    def is_serving(self) -> bool:
        """Whether it has not been told to stop."""
        return self._serving

    def stop_being_healthy(self) -> None:
        """Say NOT_SERVING from now on, first to those who watch."""
        with self._lock:
            if not self._serving:
                return
            self._serving = False
            connections = [list(watchers) for watchers in self._watchers.values()]
        # A thread for each: one that does not read what it is told must not keep it from the others.
        threads = [Thread(target=_tell, args=(watchers,), daemon=True) for watchers in connections]
        for thread in threads:
            thread.start()
        until_s = monotonic() + _TOLD_WITHIN_S
        for thread in threads:
            thread.join(max(until_s - monotonic(), 0.0))

    def _status_of(self, service: str) -> int:
        if service not in self._services:
            return int(Status.SERVICE_UNKNOWN)
        return int(Status.SERVING if self._serving else Status.NOT_SERVING)

    def _forget(self, watcher: _Watcher) -> None:
        with self._lock:
            watchers = self._watchers[watcher.peer]
            watchers.remove(watcher)
            if not watchers:
                del self._watchers[watcher.peer]


def _tell(watchers: list[_Watcher]) -> None:
    for watcher in watchers:
        watcher.tell()
