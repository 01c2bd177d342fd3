"""Traces that are sent to a collector, by OTLP over gRPC.

The library sends them from a thread of its own, out of a queue with an upper bound: whoever traces never waits, and
what the queue cannot hold is dropped. Everything but the address is set by the variables that the library reads itself,
``OTEL_...``.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Lock, Thread
from time import monotonic
from typing import Any, Final

import grpc
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from runtime.errors import SettingsError
from runtime.traces import TRACE_PARENT, Function, Span, Traces

__all__ = ["CollectedTraces"]

_LAST_SENT_WITHIN_S: Final = 2.0
"""What a collector that does not answer may cost at the end of a process."""

_CUT_WITHIN_S: Final = 1.0

_WARN_EVERY_S: Final = 60.0

_PARENT_LENGTH: Final = 55
"""Of version 00, the only one. Source: W3C, Trace Context, section 3.2.2."""

_FAULTS_OF_CALLS: Final = frozenset(grpc.StatusCode) - {grpc.StatusCode.OK}
_FAULTS_OF_SERVERS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""Statuses by which a span is an error. Source: OpenTelemetry's semantic conventions for gRPC."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()

_LIBRARY: Final = logging.getLogger("opentelemetry")
_LIBRARY.addHandler(logging.NullHandler())
_LIBRARY.propagate = False


class CollectedTraces(Traces):
    """The traces of one process."""

    is_on = True

    def __init__(self, url: str, service_name: str, warn: Callable[[str], None]) -> None:
        """Nothing is sent yet; see ``opened_traces``.

        Raises:
            SettingsError: a variable of OpenTelemetry is wrong.
        """
        self._warnings = _Warnings(lambda line: warn(f"--traces {url}: {line}"))
        _LIBRARY.addHandler(self._warnings)
        try:
            self._exporter = OTLPSpanExporter(endpoint=url, insecure=url.startswith("http://"))
            provider = TracerProvider(resource=_resource(service_name), shutdown_on_exit=False)
            self._processor = BatchSpanProcessor(self._exporter)
        except Exception as error:  # whatever the library says of its variables
            _LIBRARY.removeHandler(self._warnings)
            raise SettingsError(f"--traces: a variable of OpenTelemetry is wrong: {error}") from error
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer("latecomer")

    @contextmanager
    def batch(self) -> Iterator[Span]:
        with self._tracer.start_as_current_span("batch", record_exception=False) as span:
            yield _Begun(span)

    def carried(self, function: Function) -> Function:
        batch = context.get_current()

        @wraps(function)
        def in_batch(*arguments: Any, **named: Any) -> object:
            before = context.attach(batch)
            try:
                return function(*arguments, **named)
            finally:
                context.detach(before)

        return in_batch  # type: ignore[return-value]  # it takes and gives the same

    def request(self, method: str, host_port: str, windows: int) -> Span:
        name, attributes = _named(method)
        host, _, port = host_port.rpartition(":")
        attributes |= {"server.address": host.strip("[]"), "server.port": int(port), "latecomer.windows": windows}
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        return _Asked(span, _FAULTS_OF_CALLS)

    def answer(self, method: str, parent: str | bytes, rows: int) -> Span:
        name, attributes = _named(method)
        span = self._tracer.start_span(
            name, _context_of(parent), kind=SpanKind.SERVER, attributes={**attributes, "latecomer.rows": rows}
        )
        return _Asked(span, _FAULTS_OF_SERVERS)

    def close(self) -> None:
        sending = Thread(target=self._processor.shutdown, name="last traces", daemon=True)
        sending.start()
        sending.join(_LAST_SENT_WITHIN_S)
        if sending.is_alive():
            self._warnings.tell(lambda: "the last traces could not be sent in time")
            self._exporter.shutdown()
            sending.join(_CUT_WITHIN_S)
        _LIBRARY.removeHandler(self._warnings)


class _Begun(Span):
    """A span of the library, which ends it."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def parent(self) -> str | None:
        own = self._span.get_span_context()
        if not own.is_valid:
            return None
        return f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"

    def note(self, name: str, value: int | str) -> None:
        self._span.set_attribute(f"latecomer.{name}", value)


class _Asked(_Begun):
    """The span of a request, or of its answer. Two threads may end it at once."""

    __slots__ = ("_faults", "_has_ended", "_lock")

    def __init__(self, span: trace.Span, faults: frozenset[grpc.StatusCode]) -> None:
        """
        Args:
            span: the library's.
            faults: statuses by which it is an error.
        """
        super().__init__(span)
        self._faults = faults
        self._lock = Lock()
        self._has_ended = False

    def end(self, status: grpc.StatusCode | None = None) -> None:
        status = status or grpc.StatusCode.OK
        with self._lock:
            if self._has_ended:
                return
            self._has_ended = True
        self._span.set_attribute("rpc.grpc.status_code", status.value[0])
        if status in self._faults:
            self._span.set_status(Status(StatusCode.ERROR, status.name))
        self._span.end()


class _Warnings(logging.Handler):
    """What the library warns of, in a line now and then: it tries again for as long as the process runs."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._warn = warn
        self._silent_until_s = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        self.tell(lambda: " ".join(record.getMessage().split()))

    def tell(self, line: Callable[[], str]) -> None:
        now_s = monotonic()
        if now_s >= self._silent_until_s:
            self._silent_until_s = now_s + _WARN_EVERY_S
            self._warn(line())


def _named(method: str) -> tuple[str, dict[str, Any]]:
    """The name of a span, and what it says of its method. Source: the semantic conventions as above."""
    name = method.removeprefix("/")
    service, _, of_service = name.rpartition("/")
    return name, {"rpc.system": "grpc", "rpc.service": service, "rpc.method": of_service}


def _context_of(parent: str | bytes) -> Context:
    """The context that a request names; an empty one, if it names none: it comes from a stranger."""
    if len(parent) != _PARENT_LENGTH:
        return Context()
    text = parent if isinstance(parent, str) else parent.decode("ascii", "replace")
    return _PROPAGATOR.extract({TRACE_PARENT: text}, Context())


def _resource(service_name: str) -> Resource:
    """What the environment says of this process, and its name where it says none."""
    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: service_name}))
    return found
