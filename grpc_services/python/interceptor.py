"""Admits calls, unpacks, bounds and parses requests, and turns errors into statuses.

gRPC takes a thread for a call before its message has arrived. So the interceptor checks the token and the limits when
the headers arrive: a refused call costs neither a thread nor its message. Every method is registered as a stream of
requests, whatever its contract says: on the wire that is the same, and the handler runs before the message is read, so
that the gate knows which calls wait for their caller.

Left alone, gRPC answers bytes that are no message with INTERNAL, and prints a stack trace.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError

from grpc_services.python.call_gate import CallGate, Place
from grpc_services.python.errors import RequestError, UnavailableError, status_of
from grpc_services.python.message_bytes import check_fields, unpacked
from grpc_services.python.served_requests import AskedRequest, ServedRequests

if TYPE_CHECKING:
    from grpc_services.python.tokens import TokenCheck

__all__ = ["CallInterceptor", "HealthInterceptor"]

_HEALTH: Final = "/grpc.health.v1."
_HEALTH_THREADS: Final = 16
_HEALTH_MESSAGE_WITHIN_S: Final = 2.0
"""A request for health is some bytes. Each of these threads may be made to hold one message of the largest size."""

_Continuation = Callable[[grpc.HandlerCallDetails], "grpc.RpcMethodHandler[Any, Any] | None"]


class CallInterceptor(grpc.ServerInterceptor):  # type: ignore[type-arg]  # it is generic in its stubs only
    """Admits calls by their tokens and by the gate, and translates errors by the table in ``errors``."""

    def __init__(
        self, gate: CallGate, requests: ServedRequests, token_check: "TokenCheck | None", max_message_bytes: int
    ) -> None:
        self._gate = gate
        self._requests = requests
        self._metrics = requests.metrics
        self._token_check = token_check
        self._max_message_bytes = max_message_bytes
        self._refusing = ThreadPoolExecutor(1, thread_name_prefix="refusal")

    def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        handler: Any = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(_HEALTH):
            return handler  # type: ignore[no-any-return]
        try:
            if self._token_check is not None:
                self._token_check.admit(handler_call_details.invocation_metadata)
            self._gate.let_in()
        except Exception as error:  # the table knows what to do with each
            code, message = status_of(error)
            self._metrics.ended(method, code.name)
            return _refusal(self._refusing, code, message)
        if handler.unary_unary is not None:
            return grpc.stream_unary_rpc_method_handler(
                self._unary(handler, method), response_serializer=handler.response_serializer
            )
        assert handler.stream_stream is not None  # no contract of ours has another kind of method
        return grpc.stream_stream_rpc_method_handler(
            self._stream(handler, method), response_serializer=handler.response_serializer
        )

    def _unary(self, handler: Any, method: str) -> Callable[[Iterator[bytes], grpc.ServicerContext], Any]:
        def call(messages: Iterator[bytes], context: grpc.ServicerContext) -> Any:
            place = asked = None
            try:
                with self._gate.call(context) as place, self._metrics.call():
                    data = _one_message(messages)
                    place.work()
                    request = _parsed(handler, data, self._max_message_bytes)
                    del data
                    asked = self._requests.asked(method, request, context)
                    answer = handler.unary_unary(request, context)
                    asked.answered(answer)
                self._metrics.ended(method, "OK")
                return answer
            except grpc.RpcError:  # gRPC's own way to end a call whose caller is gone, or that the gate has ended
                self._end(method, _end_of(place), asked)
                raise
            except Exception as error:  # the table knows what to do with each
                code, message = status_of(error)
            self._end(method, code, asked)
            context.abort(code, message)  # not in the clause: the error would be kept with it, and so the request
            raise AssertionError("abort always raises")

        return call

    def _stream(self, handler: Any, method: str) -> Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[Any]]:
        metrics = self._metrics

        def requests(
            messages: Iterator[bytes], place: Place, context: grpc.ServicerContext, asked: deque[AskedRequest]
        ) -> Iterator[Any]:
            while True:
                place.wait()
                data = next(messages, None)
                if data is None:
                    return
                place.work()
                request = _parsed(handler, data, self._max_message_bytes)
                asked.append(self._requests.asked(method, request, context))
                del data
                yield request

        def call(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
            place = None
            asked: deque[AskedRequest] = deque()  # one, since the next is taken only after its answer
            try:
                with (
                    self._gate.call(context) as place,
                    metrics.call(),
                    closing(handler.stream_stream(requests(messages, place, context, asked), context)) as answers,
                ):
                    for answer in answers:
                        asked.popleft().answered(answer)
                        place.wait(for_request=False)
                        yield answer
                metrics.ended(method, "OK")
                return
            except grpc.RpcError as error:  # as above
                error.__traceback__ = None  # gRPC keeps it with the call, and by its frames the call would keep itself
                self._end(method, _end_of(place), *asked)
                return
            except Exception as error:  # the table knows what to do with each
                code, message = status_of(error)
            self._end(method, code, *asked)
            context.abort(code, message)

        return call

    def _end(self, method: str, code: grpc.StatusCode, *asked: AskedRequest | None) -> None:
        """Count a call that failed, and note it of its requests that have no answer."""
        self._metrics.ended(method, code.name)
        for one in asked:
            if one is not None:
                one.failed(code)


class HealthInterceptor(grpc.ServerInterceptor):  # type: ignore[type-arg]  # as above
    """Has health answer whatever the other calls do: on threads of its own, without a token, also in a drain.

    A call of health never is at work, since its answer takes no time: all that it can do is wait for its caller.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self.gate = CallGate(_HEALTH_THREADS, _HEALTH_THREADS, _HEALTH_MESSAGE_WITHIN_S)
        self._max_message_bytes = max_message_bytes
        self._threads = ThreadPoolExecutor(_HEALTH_THREADS, thread_name_prefix="health")
        self._refusing = ThreadPoolExecutor(1, thread_name_prefix="refusal")

    def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        handler: Any = continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(_HEALTH):
            return handler  # type: ignore[no-any-return]
        try:
            self.gate.let_in()
        except UnavailableError as error:
            return _refusal(self._refusing, *status_of(error))

        def call(messages: Iterator[bytes], context: grpc.ServicerContext, *send: Callable[[Any], None]) -> Any:
            try:
                with self.gate.call(context):
                    request = _parsed(handler, _one_message(messages), self._max_message_bytes)
                    return (handler.unary_unary or handler.unary_stream)(request, context, *send)
            except grpc.RpcError:  # gRPC's own way to end a call whose caller is gone, or that the gate has ended
                raise
            except Exception as error:  # the table knows what to do with each
                code, message = status_of(error)
            return context.abort(code, message)

        call.experimental_thread_pool = self._threads  # type: ignore[attr-defined]
        if handler.unary_unary is not None:
            return grpc.stream_unary_rpc_method_handler(call, response_serializer=handler.response_serializer)
        call.experimental_non_blocking = True  # type: ignore[attr-defined]  # or each watcher would hold a thread
        return grpc.stream_stream_rpc_method_handler(call, response_serializer=handler.response_serializer)


def _refusal(threads: ThreadPoolExecutor, code: grpc.StatusCode, message: str) -> "grpc.RpcMethodHandler[Any, Any]":
    """A method that sends a status and waits for nothing."""

    def refuse(_: Iterator[bytes], context: grpc.ServicerContext) -> Any:
        context.abort(code, message)

    refuse.experimental_thread_pool = threads  # type: ignore[attr-defined]
    return grpc.stream_unary_rpc_method_handler(refuse)


def _one_message(messages: Iterator[bytes]) -> bytes:
    data = next(messages, None)
    if data is None:
        raise RequestError("request: the call ended without one")
    return data


def _parsed(handler: Any, data: bytes, max_bytes: int) -> Any:
    data = unpacked(data, max_bytes)
    check_fields(data)
    try:
        return handler.request_deserializer(data)
    except DecodeError:
        raise RequestError("request: these bytes are not a message of this method") from None


def _end_of(place: Place | None) -> grpc.StatusCode:
    return grpc.StatusCode.CANCELLED if place is None else place.ended_with
