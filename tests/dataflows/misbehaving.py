"""Real gRPC servers that misbehave as they are told; what they are not told, they do as the real services do."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from threading import Event as Flag
from threading import Lock
from typing import Any

import grpc
from google.protobuf.message import Message

from grpc_services.python.stubs import mlpipeline_pb2
from grpc_services.python.stubs.latecomer.v1 import batch_pb2

__all__ = ["METHODS", "Misbehaving", "Rule", "Status", "misbehaving"]

METHODS = {
    "/latecomer.v1.FeatureService/Describe": (batch_pb2.DescribeRequest, batch_pb2.FeatureServiceDescription),
    "/latecomer.v1.FeatureService/EngineerFeatures": (batch_pb2.WindowBatch, batch_pb2.FeatureBatch),
    "/latecomer.v1.FeatureService/StreamFeatures": (batch_pb2.WindowBatch, batch_pb2.FeatureBatch),
    "/mlpipeline.FeatureEngineeringService/engineerFeatures": (mlpipeline_pb2.RawEventList, mlpipeline_pb2.FeatureList),
    "/latecomer.v1.InferenceService/Describe": (batch_pb2.DescribeRequest, batch_pb2.InferenceServiceDescription),
    "/latecomer.v1.InferenceService/Predict": (batch_pb2.FeatureBatch, batch_pb2.PredictionBatch),
    "/latecomer.v1.InferenceService/StreamPredictions": (batch_pb2.FeatureBatch, batch_pb2.PredictionBatch),
    "/mlpipeline.PredictionService/predict": (mlpipeline_pb2.FeatureList, mlpipeline_pb2.Prediction),
}
"""The messages of each method, by its full name."""

Status = grpc.StatusCode
Rule = Callable[[str, Any, int], Any]
"""Takes the method's short name, the request and the number of the call, from 0; gives a ``Status`` to fail with, bytes
to answer, a function that changes the true answer, or ``None`` for the true answer. Of ``Describe`` only a ``Status``
counts."""


@dataclass
class Misbehaving(grpc.GenericRpcHandler):
    """Stands between the client and a real service.

    Attributes:
        description: what ``Describe`` answers; ``None``: what the real service does.
    """

    real: grpc.Channel
    rule: Rule
    description: Message | None = None
    calls: list[tuple[str, Any]] = field(default_factory=list)
    ended: Flag = field(default_factory=Flag)
    lock: Lock = field(default_factory=Lock)
    address: str = ""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        path: str = details.method
        if path not in METHODS:
            return None
        name = path.rpartition("/")[2]
        if name.startswith("Stream"):
            return grpc.stream_stream_rpc_method_handler(partial(self._stream, path, name))
        return grpc.unary_unary_rpc_method_handler(partial(self._unary, path, name))

    def called(self, name: str) -> list[Any]:
        """The requests of a method, in the order of the calls."""
        return [request for method, request in self.calls if method == name]

    def never(self) -> Status:
        """Answer nothing until the test ends."""
        self.ended.wait()
        return Status.UNAVAILABLE

    def _unary(self, path: str, name: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        def true_answer() -> bytes:
            answer: bytes = self.real.unary_unary(path)(request, timeout=60)
            return answer

        return self._answer(path, name, request, context, true_answer)

    def _stream(
        self, path: str, name: str, requests: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        passed_on: SimpleQueue[bytes | None] = SimpleQueue()
        answers = self.real.stream_stream(path)(iter(passed_on.get, None))
        context.add_callback(answers.cancel)

        def true_answer() -> bytes:
            answer: bytes = next(answers)
            return answer

        try:
            for request in requests:
                passed_on.put(request)
                yield self._answer(path, name, request, context, true_answer)
        finally:
            passed_on.put(None)

    def _answer(
        self, path: str, name: str, request: bytes, context: grpc.ServicerContext, true_answer: Callable[[], bytes]
    ) -> bytes:
        request_type, answer_type = METHODS[path]
        message = request_type.FromString(request)
        with self.lock:
            number = len(self.called(name))
            self.calls.append((name, message))
        told = self.rule(name, message, number)
        if isinstance(told, Status):
            context.abort(told, "as told")
        try:
            true = true_answer()
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
        if name == "Describe":
            return true if self.description is None else self.description.SerializeToString()
        if told is None:
            return true
        if isinstance(told, bytes):
            return told
        answer = answer_type.FromString(true)
        told(answer)
        return answer.SerializeToString()


@contextmanager
def misbehaving(real_address: str, rule: Rule) -> Iterator[Misbehaving]:
    """A server before the real one, on a free port."""
    with grpc.insecure_channel(real_address, [("grpc.max_receive_message_length", -1)]) as channel:
        handler = Misbehaving(channel, rule)
        server = grpc.server(ThreadPoolExecutor(12), options=[("grpc.max_receive_message_length", -1)])
        server.add_generic_rpc_handlers((handler,))
        handler.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield handler
        finally:
            handler.ended.set()
            server.stop(None).wait()
