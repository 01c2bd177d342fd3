"""Channels to the addresses of a service: which one takes the next call, and how a channel is secured.

Each address has a channel of its own, so that its certificate is checked against its own name; behind a name, gRPC
balances between the records that it has. Servers that say NOT_SERVING get no calls, whichever way they were found.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Any, Final

import grpc

from dataflows.services.answer_bytes import ANSWER_BYTES_MAX
from dataflows.settings import ChannelSettings
from grpc_services.python.message_bytes import GZIP_ONLY, IDENTITY_ONLY
from grpc_services.python.tls import TlsFiles, watched_tls_files
from grpc_services.python.watched_files import WatchedFiles

__all__ = ["Addresses", "Connection"]

_SERVICE_CONFIG: Final = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": ""},  # the server as a whole; one without health counts as healthy
}

_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),  # the server's limit decides, and says so
    ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
    ("grpc.initial_reconnect_backoff_ms", 100),  # by default 1 s to 2 min, longer than the pauses between attempts
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),  # by default 30 s: a new server has a new address
    ("grpc.keepalive_time_ms", 30_000),  # our servers allow one each 20 s
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
)

_REST_MIN_S: Final = 1.0
_REST_MAX_S: Final = 30.0
"""How long an address that failed is left alone where there are others, doubled with each failure in a row."""


class Connection:
    """A channel, and the methods that were called on it; they take and give serialised messages."""

    def __init__(self, host_port: str, files: TlsFiles | None, channel: ChannelSettings) -> None:
        self.files = files
        self.users = 0
        gzip = channel.compression == "gzip"
        compression = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
        options = (*_OPTIONS, *(GZIP_ONLY if gzip else IDENTITY_ONLY))
        target = f"dns:///{host_port}"
        if files is None:
            self._channel = grpc.insecure_channel(target, options, compression)
        else:
            credentials = grpc.ssl_channel_credentials(files.authorities, *(files.pair or ()))
            self._channel = grpc.secure_channel(target, credentials, options, compression)
        self._methods: dict[str, Any] = {}

    def unary(self, method: str) -> Any:
        """A unary method by its full name, to be called."""
        return self._methods.get(method) or self._methods.setdefault(
            method, self._channel.unary_unary(method, None, None)
        )

    def stream(self, method: str) -> Any:
        """A bidirectional stream by its full name, to be called."""
        return self._methods.get(method) or self._methods.setdefault(
            method, self._channel.stream_stream(method, None, None)
        )

    def close(self) -> None:
        self._channel.close()


class _Address:
    """One ``HOST:PORT``, and how it has done lately."""

    def __init__(self, host_port: str) -> None:
        self.host_port = host_port
        self.connection: Connection | None = None
        self.failures = 0  # in a row
        self.rests_until_s = 0.0


class Addresses:
    """The addresses of a service, which take turns. May be used by several threads at once."""

    def __init__(self, pairs: list[tuple[str, int]], channel: ChannelSettings) -> None:
        """Nothing is connected yet.

        Raises:
            SettingsError: a certificate or a key cannot be used.
        """
        self._settings = channel
        self._files: WatchedFiles[TlsFiles] | None = None
        if channel.tls_ca is not None:
            self._files = watched_tls_files(channel.tls_cert, channel.tls_key, channel.tls_ca)
        self._lock = Lock()
        self._in_turn = [_Address(f"{host}:{port}") for host, port in pairs]
        self._closed = False

    def __len__(self) -> int:
        return len(self._in_turn)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for one call, to the next address that does not rest.

        A call that is UNAVAILABLE or too slow has the address rest, any other answer shows that it is well.
        """
        address, connection = self._taken()
        try:
            yield connection
        except grpc.RpcError as error:
            self._note(address, error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED))
            raise
        else:
            self._note(address, failed=False)
        finally:
            self._give_back(address, connection)

    def any_well(self) -> bool:
        """Whether there is an address whose last call did not fail."""
        with self._lock:
            return any(not address.failures for address in self._in_turn)

    def close(self) -> None:
        """End all calls that are under way."""
        with self._lock:
            self._closed = True
            for address in self._in_turn:
                if address.connection is not None:
                    address.connection.close()

    def _taken(self) -> tuple[_Address, Connection]:
        files = None if self._files is None else self._files.current()
        with self._lock:
            now_s = monotonic()
            address = next(
                (one for one in self._in_turn if one.rests_until_s <= now_s),
                min(self._in_turn, key=lambda one: one.rests_until_s),
            )
            self._in_turn.remove(address)
            self._in_turn.append(address)
            if address.failures:  # one call finds out whether it is well again
                address.rests_until_s = now_s + _rest_s(address.failures)
            connection = address.connection
            if connection is None or connection.files is not files:
                if connection is not None and not connection.users:
                    connection.close()
                connection = address.connection = Connection(address.host_port, files, self._settings)
            connection.users += 1
            return address, connection

    def _note(self, address: _Address, failed: bool) -> None:
        with self._lock:
            address.failures = address.failures + 1 if failed else 0
            address.rests_until_s = monotonic() + _rest_s(address.failures) if failed else 0.0

    def _give_back(self, address: _Address, connection: Connection) -> None:
        """A connection that another one has replaced ends with the last call on it."""
        with self._lock:
            connection.users -= 1
            if not connection.users and connection is not address.connection and not self._closed:
                connection.close()


def _rest_s(failures: int) -> float:
    return min(_REST_MIN_S * 2.0 ** min(failures - 1, 10), _REST_MAX_S)
