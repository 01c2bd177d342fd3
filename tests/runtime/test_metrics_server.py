"""The metrics of a process: read by Prometheus, and held by nobody."""

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from prometheus_client import CollectorRegistry, Counter

from runtime.metrics_server import MetricsServer


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    registry = CollectorRegistry()
    Counter("asked", "Asked", registry=registry).inc(3)
    one = MetricsServer(registry, "127.0.0.1", 0)
    yield one
    one.close()


def asked(server: MetricsServer) -> str:
    with urllib.request.urlopen(server.url, timeout=60) as answer:
        text: str = answer.read().decode()
        return text


def port(server: MetricsServer) -> int:
    return int(server.url.removesuffix("/metrics").rpartition(":")[2])


def test_the_numbers_are_served_in_prometheus_format(server):
    assert "asked_total 3.0" in asked(server)


def test_half_requests_keep_nobody_from_the_numbers(server):
    with ExitStack() as ends:
        for _ in range(100):
            connection = ends.enter_context(socket.create_connection(("127.0.0.1", port(server)), timeout=60))
            connection.sendall(b"GET /metrics HTTP/1.1\r\nA:")
        for _ in range(20):
            assert "asked_total 3.0" in asked(server)


def test_a_port_that_is_taken_is_an_error(server):
    with pytest.raises(OSError, match="Address already in use"):
        MetricsServer(CollectorRegistry(), "127.0.0.1", port(server))


def test_it_listens_where_it_was_told_to_and_nowhere_else(server):
    assert server.url.startswith("http://localhost:")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port(server)), timeout=60)
