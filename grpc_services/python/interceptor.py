"""The one place where errors become statuses, for unary calls and inside streams, and where calls are let in.

Requests are parsed here too: what gRPC itself does with bytes that are no message is an INTERNAL status and a stack
trace on the console.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from grpc_services.python.call_gate import CallGate
from grpc_services.python.errors import RequestError, status_of
from grpc_services.python.service_metrics import ServiceMetrics
from grpc_services.python.tokens import TokenCheck

__all__ = ["CallInterceptor"]

_HEALTH: Final = "/grpc.health.v1."
"""Asked of a server with too many calls, or about to stop, or without a token, health has to answer all the same."""


class CallInterceptor(grpc.ServerInterceptor):  # type: ignore[type-arg]  # it is generic in its stubs only
    """Lets calls in by the gate and by their tokens, parses requests, and translates what is raised by the table."""

    def __init__(self, gate: CallGate, metrics: ServiceMetrics, token_check: TokenCheck | None = None) -> None:
        self._gate = gate
        self._metrics = metrics
        self._token_check = token_check

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "grpc.RpcMethodHandler[Any, Any] | None"],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        found = continuation(handler_call_details)
        if found is None or handler_call_details.method.startswith(_HEALTH):
            return found
        handler: Any = found
        method = handler_call_details.method
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(handler, method), response_serializer=handler.response_serializer
            )
        assert handler.stream_stream is not None  # no contract of ours has another kind of method
        return grpc.stream_stream_rpc_method_handler(
            self._stream(handler, method), response_serializer=handler.response_serializer
        )

    def _unary(self, handler: Any, method: str) -> Callable[[bytes, grpc.ServicerContext], Any]:
        def call(data: bytes, context: grpc.ServicerContext) -> Any:
            try:
                with self._gate.call(context), self._metrics.call():
                    self._admit(context)
                    request = _parsed(handler, data)
                    asked_s = self._metrics.asked(method, request)
                    answer = handler.unary_unary(request, context)
                    self._metrics.answered(method, asked_s)
                self._metrics.ended(method, "OK")
                return answer
            except Exception as error:  # the table knows what to do with each
                code, message = status_of(error)
            self._metrics.ended(method, code.name)
            context.abort(code, message)  # not in the clause: the error would be kept with it, and so the request
            raise AssertionError("abort always raises")

        return call

    def _admit(self, context: grpc.ServicerContext) -> None:
        if self._token_check is not None:
            self._token_check.admit(context.invocation_metadata())

    def _stream(self, handler: Any, method: str) -> Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[Any]]:
        metrics = self._metrics

        def requests(data: Iterator[bytes], asked_s: deque[float]) -> Iterator[Any]:
            while True:
                with self._gate.idle():
                    one = next(data, None)
                if one is None:
                    return
                request = _parsed(handler, one)
                asked_s.append(metrics.asked(method, request))
                del one
                yield request
                del request  # gRPC keeps the frames of a stream that its caller cancels until garbage is collected

        def call(data: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
            asked_s: deque[float] = deque()
            try:
                with self._gate.call(context), metrics.call():
                    self._admit(context)
                    for answer in handler.stream_stream(requests(data, asked_s), context):
                        metrics.answered(method, asked_s.popleft())
                        yield answer
                metrics.ended(method, "OK")
                return
            except grpc.RpcError:  # gRPC's own way to end a stream whose caller is gone
                raise
            except Exception as error:  # the table knows what to do with each
                code, message = status_of(error)
            metrics.ended(method, code.name)
            context.abort(code, message)

        return call


def _parsed(handler: Any, data: bytes) -> Any:
    try:
        return handler.request_deserializer(data)
    except DecodeError:
        raise RequestError("request: these bytes are not a message of this method") from None
