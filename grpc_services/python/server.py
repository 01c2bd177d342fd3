"""One gRPC server with one service, in the form of the original demo and in batches, with health and reflection."""

import logging
import resource
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from grpc_services.python.call_gate import CallGate
from grpc_services.python.column_memory import ColumnMemory
from grpc_services.python.feature_service import BatchFeatureService, OriginalFeatureService
from grpc_services.python.health import HealthService
from grpc_services.python.inference_service import BatchInferenceService, OriginalInferenceService
from grpc_services.python.interceptor import CallInterceptor, HealthInterceptor
from grpc_services.python.message_bytes import GZIP_ONLY, IDENTITY_ONLY
from grpc_services.python.plugins import load_features, load_model
from grpc_services.python.served_requests import ServedRequests
from grpc_services.python.service_metrics import ServiceMetrics
from grpc_services.python.settings import ServerSettings
from grpc_services.python.stubs import mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2_grpc
from runtime.addresses import address_of
from runtime.opened_traces import opened_traces
from runtime.traces import Traces, service_in_traces
from window_core import Sensors

if TYPE_CHECKING:
    from grpc_services.python.tokens import TokenCheck

__all__ = ["ListenError", "RunningServer", "start"]

_logger = logging.getLogger(__name__)

_SPARE_THREADS: Final = 16
"""Beside those for the calls at work and as many that wait: where few may be at work, idle streams need threads too."""

_LOOKED_FOR_SILENCE_EACH_S: Final = 1.0

_CONNECTIONS_MAX: Final = 4_000
_OTHER_FILES: Final = 128
"""A connection takes 12 kB, with TLS 50 kB, and a descriptor; a process has 1,024 of these by default, and needs some
for itself. A pipeline has one connection for each of its processes."""

_IDLE_CONNECTION_MS: Final = 60_000
"""A connection without a call ends then. Those of our clients watch health as long as they are open."""

_STREAMS_OF_A_CONNECTION: Final = 100
"""What RFC 9113, section 6.5.2, recommends as the least. A client that has more to ask waits."""

_HANDSHAKE_WITHIN_MS: Final = 10_000

_GZIP_IF_ACCEPTED: Final = 1
"""``GRPC_COMPRESS_LEVEL_LOW``: gzip to clients that say they take it; an algorithm by its name goes to all."""

_SERVICE_NAMES: Final = {
    "features": ("mlpipeline.FeatureEngineeringService", "latecomer.v1.FeatureService"),
    "inference": ("mlpipeline.PredictionService", "latecomer.v1.InferenceService"),
}


class ListenError(RuntimeError):
    """The server cannot listen where it should: the port is taken, or there is no such address."""


class RunningServer:
    """A server that listens.

    Attributes:
        host: as it was set.
        port: the one it listens on, also where a free one was asked for.
        metrics: what it counts.
    """

    def __init__(
        self,
        settings: ServerSettings,
        server: grpc.Server,
        gates: tuple[CallGate, CallGate],
        health: HealthService,
        port: int,
        metrics: ServiceMetrics,
        traces: Traces,
    ) -> None:
        self.host = settings.listen.host
        self.port = port
        self.metrics = metrics
        self._grace_s = settings.connections.grace_ms / 1000
        self._server = server
        self._gate = gates[0]
        self._health = health
        self._traces = traces
        self._stopped = threading.Event()
        threading.Thread(target=self._look_for_silence, args=(gates,), name="silence", daemon=True).start()

    def _look_for_silence(self, gates: tuple[CallGate, CallGate]) -> None:
        while not self._stopped.wait(_LOOKED_FOR_SILENCE_EACH_S):
            for gate in gates:
                gate.end_overdue()

    @property
    def address(self) -> str:
        return address_of(self.host, self.port)

    def is_serving(self) -> bool:
        """Whether health says SERVING."""
        return self._health.is_serving()

    def stop_being_healthy(self) -> None:
        """Report NOT_SERVING to health checks and watchers, but keep serving."""
        self._health.stop_being_healthy()

    def stop(self, grace_s: float | None = None) -> bool:
        """Take no new calls, let those that run finish, end idle streams with UNAVAILABLE.

        Args:
            grace_s: what is left to them, before they are cut; the setting if ``None``.
        Returns:
            Whether all had finished by then, so that no thread is left behind.
        """
        grace_s = self._grace_s if grace_s is None else grace_s
        self.stop_being_healthy()
        self._gate.drain()
        self._server.stop(grace_s)
        self._gate.wait_until_finished(grace_s)
        self._server.stop(None)
        self._stopped.set()
        self._traces.close()
        return self._gate.wait_until_left(1.0)  # a handler that was cut ends at its next look whether it is wanted


def start(settings: ServerSettings) -> RunningServer:
    """Load what the settings name, and listen.

    Raises:
        SettingsError: features, a model, a certificate or a key set cannot be loaded, or a variable of OpenTelemetry is
            wrong.
        ListenError: the port is taken, or there is no such address.
    """
    credentials = _credentials(settings)
    token_check = _token_check(settings)
    threads = 2 * settings.limits.max_concurrent_calls + _SPARE_THREADS
    gate = CallGate(settings.limits.max_concurrent_calls, threads, settings.limits.message_timeout_ms / 1000)
    health_calls = HealthInterceptor(settings.limits.max_message_bytes)
    metrics = ServiceMetrics()
    traces = opened_traces(settings.listen.traces, service_in_traces(settings.service), _logger.warning)
    requests = ServedRequests(metrics, traces)
    with ExitStack() as given_up:
        given_up.callback(traces.close)
        server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="call"),
            interceptors=[
                health_calls,
                CallInterceptor(gate, requests, token_check, settings.limits.max_message_bytes),
            ],
            options=_options(settings),
        )
        _add_service(server, settings, metrics)
        names = _SERVICE_NAMES[settings.service]
        health = HealthService(names)
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.enable_server_reflection((*names, health_name, reflection.SERVICE_NAME), server)
        port = _listen(server, settings, credentials)
        server.start()
        given_up.pop_all()
    return RunningServer(settings, server, (gate, health_calls.gate), health, port, metrics, traces)


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    return [
        *(GZIP_ONLY if settings.limits.compression == "gzip" else IDENTITY_ONLY),
        ("grpc.max_concurrent_streams", max(settings.limits.max_concurrent_calls, _STREAMS_OF_A_CONNECTION)),
        ("grpc.http.overload_protection", 1),  # a stream counts until Python has let go of it, also one that is reset
        ("grpc.max_allowed_incoming_connections", _connections_max()),
        ("grpc.max_connection_idle_ms", _IDLE_CONNECTION_MS),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_WITHIN_MS),
        ("grpc.so_reuseport", 0),  # or a second server on the port would start, and take half of the calls
        ("grpc.max_receive_message_length", settings.limits.max_message_bytes),
        ("grpc.max_send_message_length", -1),  # an answer has 65,536 rows at most; the caller has its own limit
        ("grpc.http2.max_ping_strikes", 0),  # a connection that is ended for its pings takes 1 kB more for each of them
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.max_connection_age_ms", settings.connections.max_connection_age_ms),  # gRPC moves it by up to a tenth
        ("grpc.max_connection_age_grace_ms", settings.connections.max_connection_age_grace_ms),
        ("grpc.default_compression_level", _GZIP_IF_ACCEPTED if settings.limits.compression == "gzip" else 0),
    ]


def _connections_max() -> int:
    """As many as there are descriptors for: a server without one can neither accept nor read a new key."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _CONNECTIONS_MAX if files == resource.RLIM_INFINITY else max(min(_CONNECTIONS_MAX, files - _OTHER_FILES), 1)


def _token_check(settings: ServerSettings) -> "TokenCheck | None":
    if settings.tokens.jwks is None:
        return None
    from grpc_services.python.tokens import TokenCheck  # its library is loaded when it is needed

    return TokenCheck(settings)


def _credentials(settings: ServerSettings) -> grpc.ServerCredentials | None:
    tls = settings.tls
    if tls.tls_cert is None:
        return None
    from runtime.tls import server_credentials, watched_tls_files  # its library is loaded when it is needed

    return server_credentials(watched_tls_files(tls.tls_cert, tls.tls_key, tls.tls_client_ca))


def _add_service(server: grpc.Server, settings: ServerSettings, metrics: ServiceMetrics) -> None:
    if settings.service == "features":
        sensors = Sensors.of(settings.plugins.sensors)
        features = load_features(settings.plugins.features_from, sensors)
        memory = ColumnMemory(settings.limits.column_bytes, settings.limits.stream_column_bytes, metrics)
        mlpipeline_pb2_grpc.add_FeatureEngineeringServiceServicer_to_server(
            OriginalFeatureService(features, sensors), server
        )  # type: ignore[no-untyped-call]
        batch_pb2_grpc.add_FeatureServiceServicer_to_server(BatchFeatureService(features, sensors, memory), server)  # type: ignore[no-untyped-call]
    else:
        model = load_model(settings.plugins.model)
        mlpipeline_pb2_grpc.add_PredictionServiceServicer_to_server(OriginalInferenceService(model), server)  # type: ignore[no-untyped-call]
        batch_pb2_grpc.add_InferenceServiceServicer_to_server(BatchInferenceService(model), server)  # type: ignore[no-untyped-call]


def _listen(server: grpc.Server, settings: ServerSettings, credentials: grpc.ServerCredentials | None) -> int:
    """Bind the port, and give it. A plain socket tries it first: what it says is one line, what gRPC says is ten."""
    address = settings.address
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        for family, kind, protocol, _, where in found:
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of a server that ended
                trial.bind(where)
                trial.listen()
        return server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ListenError(f"cannot listen on {address}: {reason}") from error
    except RuntimeError as error:
        raise ListenError(f"cannot listen on {address}") from error
