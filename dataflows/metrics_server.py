"""Serves the metrics of a process to Prometheus."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

__all__ = ["served_metrics"]


@contextmanager
def served_metrics(registry: CollectorRegistry, port: int, host: str = "0.0.0.0") -> Iterator[str]:
    """Serve a registry for the time of the context.

    Args:
        registry: what is served.
        port: where; 0 takes a free one.
        host: the address to listen on. Default: all, since who asks is another machine.
    Yields:
        Where to ask, as ``http://localhost:PORT/metrics``.
    Raises:
        OSError: the port is taken.
    """
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise OSError(f"--metrics-port {port}: {error.strerror}") from None
    try:
        yield f"http://localhost:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
