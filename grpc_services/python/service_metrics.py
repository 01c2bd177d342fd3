"""What a service counts, in a registry of its own; names begin with ``latecomer``."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["ServiceMetrics", "rows_of"]

_ANSWER_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Below 1 ms Java writes a bound as ``5.0E-4``: to Prometheus another one than Python's."""


class ServiceMetrics:
    """The numbers of one server. A call on a stream counts once when it ends; its answers count one by one."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.calls = Counter(
            "latecomer_service_calls", "Calls that ended, by gRPC status", ["method", "status"], registry=registry
        )
        self.answers = Histogram(
            "latecomer_service_answer_seconds", "From a request to its answer", ["method"], buckets=_ANSWER_S,
            registry=registry,
        )  # fmt: skip
        self.windows = Counter(
            "latecomer_service_windows", "Windows, or rows of features, asked about", ["method"], registry=registry
        )
        self.running = Gauge("latecomer_service_calls_running", "Calls that run now", registry=registry)
        self.column_bytes = Gauge(
            "latecomer_column_bytes", "What the columns of all streams hold now, in bytes", registry=registry
        )
        self.columns_refused = Counter(
            "latecomer_columns_refused", "Columns that there was no room for", registry=registry
        )

    def asked(self, method: str, rows: int) -> None:
        """Count what a request asks about."""
        self.windows.labels(method).inc(rows)

    def answered(self, method: str, asked_s: float) -> None:
        """Count an answer to what was asked at an instant of ``perf_counter``."""
        self.answers.labels(method).observe(perf_counter() - asked_s)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around the handler of a call."""
        self.running.inc()
        try:
            yield
        finally:
            self.running.dec()

    def ended(self, method: str, status: str) -> None:
        self.calls.labels(method, status).inc()


def rows_of(request: Any) -> int:
    """How many windows, or rows of features, a request asks about; one of the original demo asks about one."""
    match request.DESCRIPTOR.name:
        case "WindowBatch":
            return len(request.window_number) // 4
        case "FeatureBatch":
            return int(request.rows)
        case "DescribeRequest":
            return 0
    return 1
