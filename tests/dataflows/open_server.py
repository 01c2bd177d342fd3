"""A real gRPC server of the Open Inference Protocol, with a model that misbehaves as it is told."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import grpc
import numpy as np

from grpc_services.python.stubs import open_inference_pb2 as oip

__all__ = ["OpenServer", "open_server", "tensor"]

Status = grpc.StatusCode
Rule = Callable[[str, int], Status | None]
"""Takes the method and the number of its call, from 0; gives the status to fail with, if it is to fail."""

_WEIGHTS = (0.03, 0.05, 0.01, 0.02)


def tensor(name: str, datatype: str, *shape: int) -> oip.ModelMetadataResponse.TensorMetadata:
    return oip.ModelMetadataResponse.TensorMetadata(name=name, datatype=datatype, shape=shape)


@dataclass
class OpenServer(grpc.GenericRpcHandler):
    """Serves the model ``drift``: a score of four features, as of the original demo, and its sign.

    Attributes:
        inputs: as the metadata say.
        rule: when to fail.
        spoil: changes a right answer.
        ready: answers to ModelReady, the last for ever.
        calls: requests of ModelInfer.
    """

    inputs: list[oip.ModelMetadataResponse.TensorMetadata]
    rule: Rule = lambda *_: None
    spoil: Callable[[oip.ModelInferResponse], None] = lambda _: None
    ready: list[bool] = field(default_factory=lambda: [True])
    calls: list[oip.ModelInferRequest] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    counts: dict[str, int] = field(default_factory=dict)
    address: str = ""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        package, _, name = details.method.rpartition("/")
        if package != "/inference.GRPCInferenceService":
            return None

        answers: dict[str, Any] = {
            "ModelReady": self._ready,
            "ModelMetadata": self._metadata,
            "ModelInfer": self._infer,
        }

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            with self.lock:
                number = self.counts[name] = self.counts.get(name, -1) + 1
            if (status := self.rule(name, number)) is not None:
                context.abort(status, "as told")
            given: bytes = answers[name](request, context).SerializeToString()
            return given

        return grpc.unary_unary_rpc_method_handler(answer)

    def _ready(self, request: bytes, context: grpc.ServicerContext) -> oip.ModelReadyResponse:
        with self.lock:
            return oip.ModelReadyResponse(ready=self.ready.pop(0) if len(self.ready) > 1 else self.ready[0])

    def _metadata(self, request: bytes, context: grpc.ServicerContext) -> oip.ModelMetadataResponse:
        asked = oip.ModelMetadataRequest.FromString(request)
        if asked.name != "drift":
            context.abort(Status.NOT_FOUND, f"no model {asked.name}")
        return oip.ModelMetadataResponse(name="drift", versions=["1", "2"], inputs=self.inputs)

    def _infer(self, request: bytes, context: grpc.ServicerContext) -> oip.ModelInferResponse:
        asked = oip.ModelInferRequest.FromString(request)
        with self.lock:
            self.calls.append(asked)
        dtypes = {"FP32": "<f4", "FP64": "<f8"}
        columns = [
            np.frombuffer(raw, dtypes[one.datatype]).reshape(one.shape[0], -1)
            for one, raw in zip(asked.inputs, asked.raw_input_contents, strict=True)
        ]
        for one, column in zip(asked.inputs, columns, strict=True):
            assert list(column.shape if len(one.shape) == 2 else column.shape[:1]) == list(one.shape)
        rows = np.hstack(columns).astype(np.float64)
        scores = 0.006 + rows @ np.array(_WEIGHTS)
        answer = oip.ModelInferResponse(model_name="drift", model_version=asked.model_version or "2")
        score = answer.outputs.add(name="score", datatype="FP64", shape=[len(rows)])
        score.contents.fp64_contents.extend(scores.tolist())
        sign = answer.outputs.add(name="sign", datatype="INT64", shape=[len(rows), 2])
        sign.contents.int64_contents.extend(np.column_stack([scores > 0, scores <= 0]).astype(int).ravel().tolist())
        self.spoil(answer)
        return answer


@contextmanager
def open_server(server: OpenServer, credentials: grpc.ServerCredentials | None = None) -> Iterator[str]:
    """The server on a free port: its address."""
    process = grpc.server(ThreadPoolExecutor(8))
    process.add_generic_rpc_handlers((server,))
    if credentials is None:
        port = process.add_insecure_port("127.0.0.1:0")
    else:
        port = process.add_secure_port("127.0.0.1:0", credentials)
    process.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.stop(None).wait()
