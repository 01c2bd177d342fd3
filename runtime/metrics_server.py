"""Serves the metrics of a process to Prometheus, and its health to probes. No client can keep its few threads busy.

When all threads have a connection, the oldest is closed for the next one: a real scrape takes milliseconds.
"""

import socket
import socketserver
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from threading import Lock, Thread
from typing import Any, Final

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from runtime.addresses import address_of, is_loopback

__all__ = ["MetricsServer"]

_CONNECTIONS_MAX: Final = 8
_SILENT_FOR_S: Final = 5.0
"""Prometheus gives a target 10 s by default, for all of it."""


class MetricsServer:
    """Serves metrics until it is closed.

    Attributes:
        url: where to ask, on this machine.
    """

    def __init__(
        self, registry: Collector, host: str, port: int, is_serving: Callable[[], bool] = lambda: True
    ) -> None:
        """Listen.

        Args:
            registry: what is served; metrics of several processes are a collector, too.
            host: name or address to listen on.
            port: where; 0 takes a free one.
            is_serving: what ``/health`` says, to probes that cannot ask by gRPC.
        Raises:
            OSError: the port is taken, or there is no such address.
        """
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self._server = _Server(registry, is_serving, family, where)
        is_here = is_loopback(host) or host in ("0.0.0.0", "::")
        shown = "localhost" if is_here and family == socket.AF_INET else where[0]
        self.url = f"http://{address_of(str(shown), self._server.server_address[1])}/metrics"
        self._thread = Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, registry: Collector, is_serving: Callable[[], bool], family: int, where: Any) -> None:
        self.address_family = family
        self.registry = registry
        self.is_serving = is_serving
        self._lock = Lock()
        self._open: list[Any] = []  # the oldest first
        super().__init__(where, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            if len(self._open) == _CONNECTIONS_MAX:
                _end(self._open.pop(0))
            self._open.append(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            if request in self._open:
                self._open.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: a client that leaves early is no event of ours."""


def _end(connection: Any) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENT_FOR_S
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/health":
            is_serving = self.server.is_serving()
            self._answer(200 if is_serving else 503, "text/plain", b"SERVING\n" if is_serving else b"NOT_SERVING\n")
        else:
            encoded, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, content_type, encoded(self.server.registry))

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: nor is a scrape."""
