"""gRPC channels to the shipped services without sockets or threads, with everything that can happen to a call.

The servicers of ``grpc_services/python`` answer; only what carries bytes to them is simulated. A call is not answered
before or after it was computed, a stream breaks or falls silent, a batch is refused whole, a row is for later.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import grpc

from grpc_services.python.column_memory import ColumnMemory
from grpc_services.python.errors import status_of
from grpc_services.python.feature_service import BatchFeatureService, OriginalFeatureService
from grpc_services.python.features import means_of
from grpc_services.python.inference_service import BatchInferenceService, OriginalInferenceService
from grpc_services.python.models import Model
from grpc_services.python.service_metrics import ServiceMetrics
from grpc_services.python.stubs import mlpipeline_pb2
from grpc_services.python.stubs.latecomer.v1 import batch_pb2
from tests.simulation.process import Process
from window_core import Sensors

__all__ = ["Blocked", "Requests", "Servers", "SilentEvent", "StreamThread"]

_UNAVAILABLE: Final = grpc.StatusCode.UNAVAILABLE
_REQUESTS: Final = {
    "EngineerFeatures": batch_pb2.WindowBatch,
    "StreamFeatures": batch_pb2.WindowBatch,
    "Predict": batch_pb2.FeatureBatch,
    "StreamPredictions": batch_pb2.FeatureBatch,
    "Describe": batch_pb2.DescribeRequest,
    "engineerFeatures": mlpipeline_pb2.RawEventList,
    "predict": mlpipeline_pb2.FeatureList,
}


class Blocked(BaseException):
    """A thread would wait here; it resumes when somebody waits for it."""


class _RpcError(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode, details: str = "") -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


class _Context:
    def is_active(self) -> bool:
        return True

    def time_remaining(self) -> None:
        return None


class Servers:
    """The servers of both services, and the channels of one process to them.

    Attributes:
        readers: what the threads of its streams run, each to be begun again where it was blocked.
    """

    def __init__(self, sensors: Sensors, model: Model, column_bytes: int, process: Process) -> None:
        self.process = process
        self.readers: list[Callable[[], None]] = []
        features = means_of(sensors)
        memory = ColumnMemory(4 * column_bytes, column_bytes, ServiceMetrics())
        self._servicers: dict[str, Any] = {
            "latecomer.v1.FeatureService": BatchFeatureService(features, sensors, memory),
            "latecomer.v1.InferenceService": BatchInferenceService(model),
            "mlpipeline.FeatureEngineeringService": OriginalFeatureService(features, sensors),
            "mlpipeline.PredictionService": OriginalInferenceService(model),
        }

    def channel(self, *_: object, **__: object) -> "_Channel":
        return _Channel(self)

    def method(self, path: str) -> tuple[Callable[..., Any], Callable[[bytes], Any]]:
        _, service, name = path.split("/")
        return getattr(self._servicers[service], name), _REQUESTS[name].FromString

    def pump(self) -> None:
        """Run every reader up to where it would wait."""
        for reader in list(self.readers):
            with suppress(Blocked):
                reader()
                self.readers.remove(reader)


class _Channel:
    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    def unary_unary(self, path: str, *_: object) -> Callable[..., bytes]:
        function, parsed = self._servers.method(path)
        process = self._servers.process

        def call(request: bytes, *, timeout: float, metadata: object, credentials: object) -> bytes:
            process.effect(f"call {path}")
            if process.is_troubled(0.15):
                raise _RpcError(_UNAVAILABLE, "away")
            answer = _answered(function, parsed(request))
            rows = getattr(answer, "rows", 0)
            if rows > 1 and process.is_troubled(0.1):
                raise _RpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much at once")
            if process.is_troubled(0.1):
                process.sleep(timeout)
                raise _RpcError(grpc.StatusCode.DEADLINE_EXCEEDED, "the answer was lost")
            if rows and process.is_troubled(0.05):
                _put_off(answer, process.random.randrange(rows))
            return bytes(answer.SerializeToString())

        return call

    def stream_stream(self, path: str, *_: object) -> Callable[..., "_StreamCall"]:
        return lambda requests, *, credentials: _StreamCall(self._servers, path, requests)

    def close(self) -> None:
        """Its calls end with their process."""


def _answered(function: Callable[..., Any], message: Any) -> Any:
    try:
        return function(message, _Context())
    except Exception as error:
        code, details = status_of(error)
        raise _RpcError(code, details) from None


def _put_off(answer: Any, row: int) -> None:
    """A row of an answer is for later, whatever else it says."""
    errors = [error for error in answer.error if error.row != row]
    errors.append(batch_pb2.RowError(row=row, code=_UNAVAILABLE.value[0], message="not now"))
    del answer.error[:]
    answer.error.extend(sorted(errors, key=lambda error: error.row))


class _StreamCall:
    """The calls of one stream; ``next`` gives its next answer."""

    def __init__(self, servers: Servers, path: str, requests: Iterator[bytes]) -> None:
        function, self._parsed = servers.method(path)
        self._process, self._path, self._requests = servers.process, path, requests
        self._inbox: deque[Any] = deque()
        self._answers = function(iter(self._inbox.popleft, None), _Context())
        self._is_silent = False
        self._ended: _RpcError | None = None

    def __iter__(self) -> "_StreamCall":
        return self

    def __next__(self) -> bytes:
        if self._ended is not None:
            raise self._ended
        if self._is_silent:
            raise Blocked
        request = next(self._requests)
        self._process.effect(f"message {self._path}")
        self._inbox.append(self._parsed(request))
        if self._process.is_troubled(0.05):
            return self._end(_UNAVAILABLE)
        try:
            answer = next(self._answers)
        except Exception as error:
            return self._end(status_of(error)[0])
        if self._process.is_troubled(0.05):
            return self._end(_UNAVAILABLE)  # computed, and lost
        if self._process.is_troubled(0.03):
            self._is_silent = True
            raise Blocked
        if len(answer.error) < answer.rows and self._process.is_troubled(0.05):
            _put_off(answer, self._process.random.randrange(answer.rows))
        return bytes(answer.SerializeToString())

    def cancel(self) -> None:
        self._ended = self._ended or _RpcError(grpc.StatusCode.CANCELLED)

    def _end(self, code: grpc.StatusCode) -> bytes:
        self._ended = _RpcError(code)
        raise self._ended


class StreamThread:
    """In place of the thread that reads a stream: it runs while somebody waits for an answer."""

    def __init__(self, servers: Servers, target: Callable[[], None]) -> None:
        self._servers, self._target = servers, target

    def start(self) -> None:
        self._servers.readers.append(self._target)


class SilentEvent:
    """In place of the event of an answer: whoever waits lets the readers run, then time passes."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def wait(self, timeout: float | None = None) -> bool:
        if not self._is_set:
            self._servers.pump()
        if not self._is_set:
            assert timeout is not None, "an answer that never comes is waited for without end"
            self._servers.process.sleep(timeout)
        return self._is_set


class Requests:
    """In place of the queue of a stream's requests."""

    def __init__(self) -> None:
        self._waiting: deque[bytes | None] = deque()

    def put(self, request: bytes | None) -> None:
        self._waiting.append(request)

    def get(self) -> bytes | None:
        if not self._waiting:
            raise Blocked
        return self._waiting.popleft()
