"""One call to a service: its deadline, its retries, and what a gRPC status means for the run."""

from collections.abc import Callable
from threading import Event
from time import perf_counter
from typing import TypeVar

import grpc
from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, stop_after_attempt

from dataflows.pipeline.metrics import Metrics
from dataflows.services.access_tokens import TokenError, token_source
from dataflows.services.answer_bytes import unpacked_answer
from dataflows.services.answers import Refusal, ServiceName
from dataflows.services.channels import Addresses, Connection
from dataflows.services.errors import (
    AskAgainError,
    RefusedError,
    ServiceError,
    UnimplementedError,
    WrongAnswerError,
    another_server_may_answer,
    may_pass,
)
from dataflows.services.methods import Decoded, Method, Part, Question, decoded
from dataflows.services.retries import RetryBudget, is_worth_another_server, pauses
from dataflows.services.stream import Stream
from dataflows.services.turns import Turn
from dataflows.settings import ChannelSettings, RunSettings
from runtime.addresses import PLAIN, parsed_service
from runtime.durations import duration_text
from runtime.traces import NO_TRACES, Traces

__all__ = ["Service"]

Answered = TypeVar("Answered")


class Service:
    """One of the two services, at one address or at several that take turns.

    Its methods may be called by several threads at once.

    Attributes:
        name: which of the two.
        name_of_all: its addresses, as they were given.
        model: which model of an Open Inference server; ``None``: it is a service of ours.
    """

    def __init__(
        self,
        name: ServiceName,
        addresses: str,
        settings: RunSettings,
        metrics: Metrics,
        traces: Traces = NO_TRACES,
    ) -> None:
        """Nothing is called yet.

        Raises:
            SettingsError: it is no such address, or a file that secures the channel cannot be used.
        """
        self.name = name
        self.name_of_all = addresses.removeprefix(PLAIN)
        self._timeout_ms = settings.calls.timeout_ms
        self._compresses = settings.channel.compression == "gzip"
        self._metrics = metrics
        self._traces = traces
        self._closed = Event()
        pairs, is_secured, self.model = parsed_service(addresses, f"--{name}")
        channel = settings.channel
        if is_secured is False:  # a secret travels over TLS only
            channel = ChannelSettings(compression=channel.compression)
        self._addresses = Addresses(pairs, channel)
        self._tokens = token_source(channel)
        self._credentials: tuple[str, grpc.CallCredentials] | None = None
        self._budget = RetryBudget()
        self._attempts = settings.calls.attempts + len(self._addresses) - 1  # each of the others may be away
        self._pause = pauses(settings.calls.pause_ms / 1000)

    def close(self) -> None:
        """End the calls in flight and the pauses between attempts: each raises ``ServiceError``."""
        self._closed.set()
        self._addresses.close()

    def call(self, method: Method[Question, Part], question: Question) -> list[Part]:
        """Call a unary method, with retries; the answer in parts, in the order of the rows.

        Raises:
            RefusedError: the service answered with a status that belongs to the question.
            UnimplementedError: it does not know the method.
            ServiceError: all attempts failed, or the answer does not fit the question.
        """
        self._metrics.call_windows.labels(self.name).observe(len(question))
        request = method.request(question)
        return self.tried(lambda: method.read(question, self.attempt(method.path, request, len(question))))

    def described(self, path: str, description: type[Decoded]) -> Decoded | None:
        """Its description of itself, with retries; ``None`` if it knows no such method.

        Raises:
            ServiceError: all attempts failed, or it refused to tell.
        """
        try:
            return self.tried(lambda: decoded(self.attempt(path, b""), description))
        except UnimplementedError:
            return None
        except RefusedError as error:
            said = f"{error.refusal.status}: {error.refusal.message}"
            raise ServiceError(
                f"the {self.name} service at {self.name_of_all} does not describe itself: {said}"
            ) from None

    @property
    def servers(self) -> list[Turn]:
        return self._addresses.all

    def may_be_asked(self, server: Turn) -> bool:
        """Whether this one of its servers seems to be well."""
        return not self._addresses.rests(server)

    def stream(self, server: Turn, path: str) -> Stream:
        """Begin a stream to one of its servers; ``path`` is the full name of the method.

        Raises:
            AskAgainError: there is no token for now.
            ServiceError: the client was closed.
        """
        credentials = self._call_credentials()
        hold = self._addresses.hold(server)
        try:
            return Stream(hold, path, credentials, self._timeout_ms / 1000, self._note_answer, self._traces)
        except ValueError:  # gRPC's, of a channel that was closed
            hold.give_back()
            raise self.ended() from None

    def _note_answer(self, rows: int, seconds: float) -> None:
        self._metrics.call_windows.labels(self.name).observe(rows)
        self._metrics.calls.labels(self.name).observe(seconds)

    def told(self, server: Turn, path: str) -> bytes:
        """What a unary method of one of its servers answers to an empty message, without retries.

        Raises:
            AskAgainError: the call failed, whatever the status.
            WrongAnswerError: the answer is none.
            ServiceError: the client was closed.
        """
        credentials = self._call_credentials()
        hold = self._addresses.hold(server)
        try:
            return unpacked_answer(self._called(hold.connection, path, b"", credentials))
        except grpc.RpcError as error:
            hold.note(failed=another_server_may_answer(error.code()))
            raise AskAgainError(error.code(), error.details() or "") from None
        except ValueError:
            raise self.ended() from None
        finally:
            hold.give_back()

    def tried(self, attempt: Callable[[], Answered]) -> Answered:
        """What an attempt gives, the first that does not fail in a way that may pass.

        Raises:
            ServiceError: there was none, or the answer cannot be right.
        """
        attempts = Retrying(
            retry=retry_if_exception_type(AskAgainError),
            stop=stop_after_attempt(self._attempts),
            wait=self._pause_s,
            sleep=sleep_using_event(self._closed),
            before_sleep=self._count_retry,
            reraise=True,
        )
        try:
            answer: Answered = attempts(attempt)
            return answer
        except AskAgainError as error:
            tried = f"{self._attempts} attempts of up to {duration_text(self._timeout_ms)}"
            raise ServiceError(f"the {self.name} service at {self.name_of_all} failed {tried}: {error}") from None
        except WrongAnswerError as error:
            raise ServiceError(f"the {self.name} service at {self.name_of_all} answered {error}") from None

    def attempt(self, path: str, request: bytes, windows: int = 0) -> bytes:
        """What a unary method answers to a request about so many windows, without retries.

        Raises:
            AskAgainError: it failed in a way that may pass.
            RefusedError, UnimplementedError, ServiceError: as ``call`` does.
        """
        if self._closed.is_set():
            raise self.ended()
        start = perf_counter()
        try:
            credentials = self._call_credentials()
            with self._addresses.connection() as connection:
                answer = self._called(connection, path, request, credentials, windows)
        except grpc.RpcError as error:
            raise self._what_follows(error.code(), error.details() or "") from None
        finally:
            self._metrics.calls.labels(self.name).observe(perf_counter() - start)
        self._budget.count(failed=False)
        return unpacked_answer(answer)

    def _called(
        self,
        connection: Connection,
        path: str,
        request: bytes,
        credentials: grpc.CallCredentials | None,
        windows: int = 0,
    ) -> bytes:
        """The answer as it came. Raises what gRPC raises."""
        span = self._traces.request(path, connection.host_port, windows)
        status = grpc.StatusCode.CANCELLED  # where a channel is closed before the call
        try:
            answer: bytes = connection.unary(path)(
                request, timeout=self._timeout_ms / 1000, metadata=span.metadata, credentials=credentials
            )
            status = grpc.StatusCode.OK
            return answer
        except grpc.RpcError as error:
            status = error.code()
            raise
        finally:
            span.end(status)

    def _what_follows(self, status: grpc.StatusCode, details: str) -> Exception:
        """The error for a status, by the table in ``errors``."""
        if self._closed.is_set():
            return self.ended()
        if status is grpc.StatusCode.UNIMPLEMENTED:
            return UnimplementedError()
        if may_pass(status):
            self._budget.count(failed=True)
            return AskAgainError(status, details)
        return RefusedError(Refusal.of(status.name, self.name, details))

    def _pause_s(self, state: RetryCallState) -> float:
        """The pause before the next attempt: none if another address may answer and the budget allows it."""
        is_another_well = len(self._addresses) > 1 and self._addresses.any_well()
        if is_another_well and is_worth_another_server(state) and self._budget.allows():
            return 0.0
        return self._pause(state)

    def _call_credentials(self) -> grpc.CallCredentials | None:
        """The token for one call; gRPC sends it over TLS only."""
        if self._tokens is None:
            return None
        try:
            token = self._tokens.token()
        except TokenError as error:
            raise AskAgainError(grpc.StatusCode.UNAUTHENTICATED, str(error)) from None
        held = self._credentials
        if held is None or held[0] != token:
            held = self._credentials = (token, grpc.access_token_call_credentials(token))
        return held[1]

    def ended(self) -> ServiceError:
        """The error for a call after ``close``."""
        return ServiceError(f"the call to the {self.name} service was given up: the run has ended")

    def unknown(self) -> ServiceError:
        """The error for a server that knows no method of this service."""
        return ServiceError(
            f"the server at {self.name_of_all} is no {self.name} service: it knows none of its methods"
            + (", or takes no compressed requests: both sides need --compression" if self._compresses else "")
        )

    def _count_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, AskAgainError):
            self._metrics.retries.labels(self.name, error.status.name).inc()
