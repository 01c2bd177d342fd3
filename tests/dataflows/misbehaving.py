"""Real gRPC servers that misbehave as they are told; what they are not told, they do as the real services do."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event as Flag
from threading import Lock
from typing import Any

import grpc

from grpc_services.python.stubs import mlpipeline_pb2
from grpc_services.python.stubs.latecomer.v1 import batch_pb2

__all__ = ["METHODS", "Misbehaving", "Rule", "Status", "misbehaving"]

METHODS = {
    "/latecomer.v1.FeatureService/EngineerFeatures": batch_pb2.WindowBatch,
    "/latecomer.v1.FeatureService/StreamFeatures": batch_pb2.WindowBatch,
    "/mlpipeline.FeatureEngineeringService/engineerFeatures": mlpipeline_pb2.RawEventList,
    "/latecomer.v1.InferenceService/Predict": batch_pb2.FeatureBatch,
    "/latecomer.v1.InferenceService/StreamPredictions": batch_pb2.FeatureBatch,
    "/mlpipeline.PredictionService/predict": mlpipeline_pb2.FeatureList,
}
ANSWERS = {
    "EngineerFeatures": batch_pb2.FeatureBatch,
    "StreamFeatures": batch_pb2.FeatureBatch,
    "Predict": batch_pb2.PredictionBatch,
    "StreamPredictions": batch_pb2.PredictionBatch,
}

Status = grpc.StatusCode
Rule = Callable[[str, Any, int], Any]
"""Takes the method's short name, the request and the number of the call, from 0; gives a ``Status`` to fail with, bytes
to answer, a function that changes the true answer, or ``None`` for the true answer."""


@dataclass
class Misbehaving(grpc.GenericRpcHandler):
    """Stands between the client and a real service."""

    real: grpc.Channel
    rule: Rule
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

            def stream(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
                for request in requests:
                    yield self._answer(path, name, request, context)

            return grpc.stream_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._answer(path, name, request, context))

    def called(self, name: str) -> list[Any]:
        """The requests of a method, in the order of the calls."""
        return [request for method, request in self.calls if method == name]

    def never(self) -> Status:
        """Answer nothing until the test ends."""
        self.ended.wait()
        return Status.UNAVAILABLE

    def _answer(self, path: str, name: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        message = METHODS[path].FromString(request)
        with self.lock:
            number = len(self.called(name))
            self.calls.append((name, message))
        told = self.rule(name, message, number)
        if isinstance(told, Status):
            context.abort(told, "as told")
        if isinstance(told, bytes):
            return told
        real_path = path.replace("StreamFeatures", "EngineerFeatures").replace("StreamPredictions", "Predict")
        try:
            true_answer: bytes = self.real.unary_unary(real_path)(request, timeout=60)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
        if told is None:
            return true_answer
        answer = ANSWERS[name].FromString(true_answer)
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
