"""One call to a service: its deadline, its retries, and what a gRPC status means for the run."""

from collections.abc import Iterable, Iterator
from threading import Event, Lock
from time import perf_counter
from typing import Any, Final, Literal, TypeVar

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
from dataflows.services.access_tokens import TokenError, token_source
from dataflows.services.answer_deadline import AnswerDeadline
from dataflows.services.channels import Addresses, Methods
from dataflows.settings import RunSettings
from runtime.addresses import parsed_addresses
from runtime.durations import duration_text

__all__ = ["RefusedError", "Service", "ServiceError", "ServiceName", "UnimplementedError", "status_name"]

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

_LONGEST_PAUSE_S: Final = 8.0

_ELSEWHERE: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""Another server may do better, at once."""

_BUDGET_MAX: Final = 10.0
_BUDGET_EARNED: Final = 0.1
"""Those of gRPC's own retry throttling as its specification has them in its example (proposal A6)."""

_METHODS: Final[dict[ServiceName, Methods]] = {
    "features": Methods(
        "/latecomer.v1.FeatureService/EngineerFeatures",
        "/latecomer.v1.FeatureService/StreamFeatures",
        "/mlpipeline.FeatureEngineeringService/engineerFeatures",
    ),
    "inference": Methods(
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

    def __init__(self, status: grpc.StatusCode, message: str) -> None:
        super().__init__(status.name)
        self.status = status
        self.message = message


class UnimplementedError(Exception):
    """The service does not know the method."""


class _AskAgainError(Exception):
    """An attempt failed in a way that may pass."""

    def __init__(self, status: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{status.name}: {details}" if details else status.name)
        self.status = status


class _RetryBudget:
    """Lets attempts follow at once only while they are few beside the successes, so that they do not multiply when all
    servers have too much to do; those that follow after a pause are bounded by it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._left = _BUDGET_MAX

    def count(self, failed: bool) -> None:
        with self._lock:
            self._left = max(self._left - 1, 0.0) if failed else min(self._left + _BUDGET_EARNED, _BUDGET_MAX)

    def allows(self) -> bool:
        return self._left > _BUDGET_MAX / 2


class Service:
    """One of the two services, at one address or at several that take turns.

    Its methods may be called by several threads at once.
    """

    def __init__(self, name: ServiceName, addresses: str, settings: RunSettings, metrics: Metrics) -> None:
        """Nothing is called yet.

        Raises:
            SettingsError: it is no such address, or a file that secures the channel cannot be used.
        """
        self.name = name
        self.unary_only = settings.calls.rpc == "unary"
        self._name_of_all = addresses
        self._timeout_ms = settings.calls.timeout_ms
        self._metrics = metrics
        self._closed = Event()
        self._addresses = Addresses(parsed_addresses(addresses, f"--{name}"), _METHODS[name], settings.channel)
        self._tokens = token_source(settings.channel)
        self._credentials: tuple[str, grpc.CallCredentials] | None = None
        self._budget = _RetryBudget()
        self._attempts = settings.calls.attempts + len(self._addresses) - 1  # each may be away
        pause_s = settings.calls.pause_ms / 1000
        longest_s = max(pause_s, _LONGEST_PAUSE_S)
        self._pause = wait_exponential(pause_s, max=longest_s) + wait_random(0, pause_s / 2)

    def close(self) -> None:
        """End what is under way, pauses included, with a ``ServiceError`` for whoever waits for it."""
        self._closed.set()
        self._addresses.close()

    def batch(self, request: bytes, windows: int, answer_type: type[Answer]) -> Answer:
        """Ask about many windows at once.

        Raises:
            RefusedError: with any status that is no reason to ask again.
            UnimplementedError: the service knows one window at a time only.
            ServiceError: it did not answer, or with something else than an answer.
        """
        return self._answer("batch", request, windows, answer_type)

    def unary(self, request: bytes, answer_type: type[Answer]) -> Answer:
        """Ask about one window, by the method of the original demo. Raises as ``batch`` does."""
        return self._answer("unary", request, 1, answer_type)

    def stream(self, requests: Iterable[bytes], answer_type: type[Answer]) -> Iterator[Answer]:
        """Ask about many windows many times on one call; the answers in order, until one fails or all are there.

        The deadline is that of each answer.
        """
        try:
            deadline = AnswerDeadline(self._timeout_ms / 1000)
            with self._addresses.connection() as connection:
                answers: Any = connection.stream(deadline.counted(requests), credentials=self._call_credentials())
                try:
                    with deadline.watching(answers.cancel):
                        for answer in deadline.each(answers):
                            yield self._decoded(answer, answer_type)
                finally:
                    answers.cancel()
        except (grpc.RpcError, _AskAgainError, ServiceError):
            return  # what has no answer is asked by ``batch``, where errors are told apart

    def _answer(
        self, method: Literal["batch", "unary"], request: bytes, windows: int, answer_type: type[Answer]
    ) -> Answer:
        attempts = Retrying(
            retry=retry_if_exception_type(_AskAgainError),
            stop=stop_after_attempt(self._attempts),
            wait=self._pause_s,
            sleep=sleep_using_event(self._closed),
            before_sleep=self._count_retry,
            reraise=True,
        )
        self._metrics.call_windows.labels(self.name).observe(windows)
        try:
            answer: Answer = attempts(self._attempt, method, request, answer_type)
            return answer
        except _AskAgainError as error:
            tried = f"{self._attempts} attempts of up to {duration_text(self._timeout_ms)}"
            raise ServiceError(f"the {self.name} service at {self._name_of_all} failed {tried}: {error}") from None

    def _attempt(self, method: Literal["batch", "unary"], request: bytes, answer_type: type[Answer]) -> Answer:
        if self._closed.is_set():
            raise self._ended()
        start = perf_counter()
        try:
            credentials = self._call_credentials()
            with self._addresses.connection() as connection:
                call = connection.batch if method == "batch" else connection.unary
                answer = call(request, timeout=self._timeout_ms / 1000, credentials=credentials)
        except grpc.RpcError as error:
            if self._closed.is_set():
                raise self._ended() from None
            status = error.code()
            if status is grpc.StatusCode.UNIMPLEMENTED:
                raise UnimplementedError from None
            if status in _ASKED_AGAIN:
                self._budget.count(failed=True)
                raise _AskAgainError(status, error.details() or "") from None
            raise RefusedError(status, error.details() or "") from None
        finally:
            self._metrics.calls.labels(self.name).observe(perf_counter() - start)
        self._budget.count(failed=False)
        return self._decoded(answer, answer_type)

    def _pause_s(self, state: RetryCallState) -> float:
        """The pause before the next attempt: none if another address may answer and the budget allows it."""
        error = state.outcome.exception() if state.outcome else None
        may_go_on = isinstance(error, _AskAgainError) and error.status in _ELSEWHERE and len(self._addresses) > 1
        if may_go_on and self._addresses.any_well() and self._budget.allows():
            return 0.0
        return self._pause(state)

    def _call_credentials(self) -> grpc.CallCredentials | None:
        """The token for one call; gRPC sends it over TLS only."""
        if self._tokens is None:
            return None
        try:
            token = self._tokens.token()
        except TokenError as error:
            raise _AskAgainError(grpc.StatusCode.UNAUTHENTICATED, str(error)) from None
        held = self._credentials
        if held is None or held[0] != token:
            held = self._credentials = (token, grpc.access_token_call_credentials(token))
        return held[1]

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
        return ServiceError(f"the {self.name} service at {self._name_of_all} answered {what}")

    def unknown(self) -> ServiceError:
        """The error for a server that is no such service at all."""
        return ServiceError(
            f"the server at {self._name_of_all} is no {self.name} service: it knows none of its methods"
        )

    def _count_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _AskAgainError):
            self._metrics.retries.labels(self.name, error.status.name).inc()


def status_name(number: int) -> str:
    """The name of the status of a row that failed; a number that is no status of a failure, as 0, is UNKNOWN."""
    status = _STATUS_BY_NUMBER.get(number or -1, grpc.StatusCode.UNKNOWN)
    return status.name
