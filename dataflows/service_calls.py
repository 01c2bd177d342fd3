"""One call to a service: its deadline, its retries, and what a gRPC status means for the run."""

import socket
from collections.abc import Callable, Iterable, Iterator
from threading import Event
from time import perf_counter
from typing import Final, Literal, NamedTuple, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from dataflows.metrics import Metrics
from dataflows.settings import RunSettings, SettingsError, duration_text, parsed_addresses

__all__ = ["RefusedError", "Service", "ServiceError", "ServiceName", "UnimplementedError"]

ServiceName = Literal["features", "inference"]

_ASKED_AGAIN: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)
"""The service is slow, away, or does not let us in: asked again, then the run fails. Any other status is an answer."""

_STATUS_BY_NUMBER: Final = {status.value[0]: status for status in grpc.StatusCode}

_ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""The answer to thousands of windows is far smaller; this bounds what a broken service can make us hold."""

_LONGEST_PAUSE_S: Final = 8.0

_CHANNEL_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),  # the server's limit decides, and says so
    ("grpc.max_receive_message_length", _ANSWER_BYTES_MAX),
    ("grpc.initial_reconnect_backoff_ms", 100),  # by default 1 s to 2 min, longer than the pauses between attempts
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
)


class _Methods(NamedTuple):
    batch: str
    stream: str
    unary: str


_METHODS: Final[dict[ServiceName, _Methods]] = {
    "features": _Methods(
        "/latecomer.v1.FeatureService/EngineerFeatures",
        "/latecomer.v1.FeatureService/StreamFeatures",
        "/mlpipeline.FeatureEngineeringService/engineerFeatures",
    ),
    "inference": _Methods(
        "/latecomer.v1.InferenceService/Predict",
        "/latecomer.v1.InferenceService/StreamPredictions",
        "/mlpipeline.PredictionService/predict",
    ),
}

Answer = TypeVar("Answer", bound=Message)


class ServiceError(RuntimeError):
    """A service cannot be worked with: the run fails, and goes on from its state when it is started again."""


class RefusedError(Exception):
    """The service answered with a status that belongs to what it was asked."""

    def __init__(self, status: grpc.StatusCode) -> None:
        super().__init__(status.name)
        self.status = status


class UnimplementedError(Exception):
    """The service does not know the method."""


class _AskAgainError(Exception):
    """An attempt failed in a way that may pass."""

    def __init__(self, status: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{status.name}: {details}" if details else status.name)
        self.status = status


class Service:
    """One of the two services, at one address or at several that take turns.

    Its methods may be called by several threads at once.
    """

    def __init__(self, name: ServiceName, addresses: str, settings: RunSettings, metrics: Metrics) -> None:
        self.name = name
        self.unary_only = settings.rpc == "unary"
        self._addresses = addresses
        self._settings = settings
        self._metrics = metrics
        self._closed = Event()
        self._channel = grpc.insecure_channel(_target(addresses, name), options=_CHANNEL_OPTIONS)
        methods = _METHODS[name]
        self._batch = self._channel.unary_unary(methods.batch, _bytes_of, None)
        self._unary = self._channel.unary_unary(methods.unary, _bytes_of, None)
        self._stream = self._channel.stream_stream(methods.stream, _bytes_of, None)

    def close(self) -> None:
        """End what is under way, pauses included, with a ``ServiceError`` for whoever waits for it."""
        self._closed.set()
        self._channel.close()

    def batch(self, request: Message, windows: int, answer_type: type[Answer]) -> Answer:
        """Ask about many windows at once.

        Raises:
            RefusedError: with any status that is no reason to ask again.
            UnimplementedError: the service knows one window at a time only.
            ServiceError: it did not answer, or with something else than an answer.
        """
        return self._answer(self._batch, request, windows, answer_type)

    def unary(self, request: Message, answer_type: type[Answer]) -> Answer:
        """Ask about one window, by the method of the original demo. Raises as ``batch`` does."""
        return self._answer(self._unary, request, 1, answer_type)

    def stream(self, requests: Iterable[Message], answer_type: type[Answer]) -> Iterator[Answer]:
        """Ask about many windows many times on one call; the answers in order, until one fails or all are there."""
        answers = self._stream(iter(requests), timeout=self._settings.timeout_ms / 1000)
        try:
            for answer in answers:
                yield self._decoded(answer, answer_type)
        except (grpc.RpcError, _AskAgainError, ServiceError):
            return  # what has no answer is asked by ``batch``, where errors are told apart
        finally:
            answers.cancel()  # type: ignore[no-untyped-call]  # the types lack this one

    def _answer(
        self, method: Callable[..., bytes], request: Message, windows: int, answer_type: type[Answer]
    ) -> Answer:
        pause_s = self._settings.pause_ms / 1000
        attempts = Retrying(
            retry=retry_if_exception_type(_AskAgainError),
            stop=stop_after_attempt(self._settings.attempts),
            wait=wait_exponential(pause_s, max=max(pause_s, _LONGEST_PAUSE_S)) + wait_random(0, pause_s / 2),
            sleep=sleep_using_event(self._closed),
            before_sleep=self._count_retry,
            reraise=True,
        )
        self._metrics.call_windows.labels(self.name).observe(windows)
        try:
            answer: Answer = attempts(self._attempt, method, request, answer_type)
            return answer
        except _AskAgainError as error:
            tried = f"{self._settings.attempts} attempts of up to {duration_text(self._settings.timeout_ms)}"
            raise ServiceError(f"the {self.name} service at {self._addresses} failed {tried}: {error}") from None

    def _attempt(self, method: Callable[..., bytes], request: Message, answer_type: type[Answer]) -> Answer:
        if self._closed.is_set():
            raise self._ended()
        start = perf_counter()
        try:
            answer = method(request, timeout=self._settings.timeout_ms / 1000)
        except grpc.RpcError as error:
            if self._closed.is_set():
                raise self._ended() from None
            status = error.code()
            if status is grpc.StatusCode.UNIMPLEMENTED:
                raise UnimplementedError from None
            if status in _ASKED_AGAIN:
                raise _AskAgainError(status, error.details() or "") from None
            raise RefusedError(status) from None
        finally:
            self._metrics.calls.labels(self.name).observe(perf_counter() - start)
        return self._decoded(answer, answer_type)

    def _decoded(self, answer: bytes, answer_type: type[Answer]) -> Answer:
        try:
            message = answer_type.FromString(answer)
        except DecodeError:
            raise self.garbage(f"{len(answer)} bytes that are no {answer_type.DESCRIPTOR.name}") from None
        for error in getattr(message, "error", ()):
            status = _STATUS_BY_NUMBER.get(error.code)
            if status in _ASKED_AGAIN:
                raise _AskAgainError(status, error.message)
        return message

    def _ended(self) -> ServiceError:
        return ServiceError(f"the call to the {self.name} service was given up: the run has ended")

    def garbage(self, what: str) -> ServiceError:
        """The error for an answer that cannot be right."""
        return ServiceError(f"the {self.name} service at {self._addresses} answered {what}")

    def unknown(self) -> ServiceError:
        """The error for a server that is no such service at all."""
        return ServiceError(f"the server at {self._addresses} is no {self.name} service: it knows none of its methods")

    def _count_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _AskAgainError):
            self._metrics.retries.labels(self.name, error.status.name).inc()


def status_name(number: int) -> str:
    """The name of a status by its number, as rows of a batch carry it."""
    status = _STATUS_BY_NUMBER.get(number, grpc.StatusCode.UNKNOWN)
    return status.name


def _bytes_of(message: Message) -> bytes:
    return message.SerializeToString()


def _target(addresses: str, name: ServiceName) -> str:
    """What gRPC dials for ``HOST:PORT`` or several of them.

    Raises:
        SettingsError: it is no such address, or a host among several has none.
    """
    pairs = parsed_addresses(addresses, f"--{name}")
    if len(pairs) == 1:
        return addresses.strip()
    try:
        hosts = [socket.gethostbyname(host) for host, _ in pairs]
    except OSError as error:
        raise SettingsError(f"--{name} {addresses}: {error}") from None
    return "ipv4:" + ",".join(f"{host}:{port}" for host, (_, port) in zip(hosts, pairs, strict=True))
