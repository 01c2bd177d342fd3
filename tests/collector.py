"""Receives traces on a real gRPC server, by the official stubs of OTLP: the protocol's own contract, and no collector.

It keeps what comes. Real collectors also batch, sample and pass on.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Condition
from threading import Event as Flag
from typing import Any, Literal, NamedTuple

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

__all__ = ["Collector", "ReceivedSpan", "collecting"]

_WITHIN_S = 60.0
_KINDS = {Span.SPAN_KIND_INTERNAL: "internal", Span.SPAN_KIND_CLIENT: "client", Span.SPAN_KIND_SERVER: "server"}


class ReceivedSpan(NamedTuple):
    """One span.

    Attributes:
        process: the name of the service that sent it.
        name: of the span.
        kind: ``internal``, ``client`` or ``server``.
        trace: id of its trace.
        id: its own.
        parent: the id of its parent; empty: none.
        is_error: whether its status says so.
        attributes: by name.
    """

    process: str
    name: str
    kind: str
    trace: bytes
    id: bytes
    parent: bytes
    is_error: bool
    attributes: dict[str, Any]


class Collector(TraceServiceServicer):
    """What has come so far.

    Attributes:
        url: where it listens.
        headers: the metadata of the last request.
    """

    def __init__(self, behaves: Literal["well", "hangs", "refuses"]) -> None:
        self.url = ""
        self.headers: dict[str, str] = {}
        self.requests = 0
        self.ended = Flag()
        self._behaves = behaves
        self._spans: list[ReceivedSpan] = []
        self._came = Condition()

    def Export(  # noqa: N802 - the contract's name
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        with self._came:
            self.requests += 1
            self.headers = dict(context.invocation_metadata())
            self._spans += _spans_of(request)
            self._came.notify_all()
        if self._behaves == "hangs":
            self.ended.wait()
        if self._behaves == "refuses":
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "nobody may")
        return ExportTraceServiceResponse()

    def spans(self, number: int = 0) -> Sequence[ReceivedSpan]:
        """Those that have come, once there are so many."""
        with self._came:
            assert self._came.wait_for(lambda: len(self._spans) >= number, _WITHIN_S), self._spans
            return list(self._spans)


@contextmanager
def collecting(
    behaves: Literal["well", "hangs", "refuses"] = "well", credentials: grpc.ServerCredentials | None = None
) -> Iterator[Collector]:
    """One that listens on a free port of this machine."""
    collector = Collector(behaves)
    server = grpc.server(ThreadPoolExecutor(4))
    add_TraceServiceServicer_to_server(collector, server)
    if credentials is None:
        collector.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    else:
        collector.url = f"https://localhost:{server.add_secure_port('localhost:0', credentials)}"
    server.start()
    try:
        yield collector
    finally:
        collector.ended.set()
        server.stop(0).wait()


def _spans_of(request: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for resource in request.resource_spans:
        process = _values_of(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    process,
                    span.name,
                    _KINDS[span.kind],
                    span.trace_id,
                    span.span_id,
                    span.parent_span_id,
                    span.status.code == Status.STATUS_CODE_ERROR,
                    _values_of(span.attributes),
                )


def _values_of(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in attributes}
