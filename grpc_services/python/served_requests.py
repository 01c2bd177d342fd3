"""What is noted of each request that a server answers: in its metrics, and in the trace of whoever asks."""

from time import perf_counter
from typing import Any, NamedTuple

import grpc

from grpc_services.python.service_metrics import ServiceMetrics, rows_of
from runtime.traces import NOT_TRACED, TRACE_PARENT, Span, Traces

__all__ = ["AskedRequest", "ServedRequests"]


class AskedRequest(NamedTuple):
    """A request that is being answered. It keeps nothing of the request itself."""

    metrics: ServiceMetrics
    method: str
    asked_s: float
    span: Span

    def answered(self, answer: Any) -> None:
        self.metrics.answered(self.method, self.asked_s)
        if self.span is not NOT_TRACED:
            self.span.note("failed_rows", len(answer.error) if "error" in answer.DESCRIPTOR.fields_by_name else 0)
            self.span.end()

    def failed(self, code: grpc.StatusCode) -> None:
        self.span.end(code)


class ServedRequests:
    """Notes the requests of one server. May be used by several threads at once."""

    def __init__(self, metrics: ServiceMetrics, traces: Traces) -> None:
        self.metrics = metrics
        self._traces = traces

    def asked(self, method: str, request: Any, context: grpc.ServicerContext) -> AskedRequest:
        """A request has come, and is a message of the method."""
        rows = rows_of(request)
        self.metrics.asked(method, rows)
        span = self._traces.answer(method, _parent_of(request, context), rows) if self._traces.is_on else NOT_TRACED
        return AskedRequest(self.metrics, method, perf_counter(), span)


def _parent_of(request: Any, context: grpc.ServicerContext) -> str | bytes:
    """What a request says of its caller's span: a message of a stream in itself, a call in its metadata."""
    if named := getattr(request, "trace_parent", b""):
        return bytes(named)
    return next((value for key, value in context.invocation_metadata() if key == TRACE_PARENT), "")
