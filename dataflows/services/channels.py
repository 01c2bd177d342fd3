"""Channels to the addresses of a service: how they are secured, and the connection for the next call.

Each address has a channel of its own, so that its certificate is checked against its own name; behind a name, gRPC
balances between the records that it has. Servers that say NOT_SERVING get no calls, whichever way they were found.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc

from dataflows.services.answer_bytes import ANSWER_BYTES_MAX
from dataflows.services.errors import another_server_may_answer
from dataflows.services.turns import Turn, Turns
from dataflows.settings import ChannelSettings
from grpc_services.python.message_bytes import GZIP_ONLY, IDENTITY_ONLY
from runtime.watched_files import WatchedFiles

if TYPE_CHECKING:
    from runtime.tls import TlsFiles

__all__ = ["Addresses", "Connection", "Hold"]

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


class Connection:
    """A channel, and the methods that were called on it; they take and give serialised messages."""

    def __init__(self, host_port: str, files: "TlsFiles | None", channel: ChannelSettings) -> None:
        self.host_port = host_port
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
            from runtime.tls import watched_tls_files  # its library is loaded when it is needed

            self._files = watched_tls_files(channel.tls_cert, channel.tls_key, channel.tls_ca)
        self._lock = Lock()
        self._all = [Turn(f"{host}:{port}") for host, port in pairs]
        self._turns = Turns(self._all)
        self._connections: dict[str, Connection] = {}  # by address
        self._closed = False

    def __len__(self) -> int:
        return len(self._turns)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for one call, to the next address that does not rest.

        After a call that is UNAVAILABLE or too slow its address rests; any other answer shows that it is well.
        """
        turn, connection = self._next()
        try:
            yield connection
        except grpc.RpcError as error:
            self.note(turn, failed=another_server_may_answer(error.code()))
            raise
        else:
            self.note(turn, failed=False)
        finally:
            self.give_back(turn, connection)

    def any_well(self) -> bool:
        """Whether the last call to some address did not fail."""
        with self._lock:
            return self._turns.any_well()

    @property
    def all(self) -> list[Turn]:
        """Each of them, in the order in which they were given."""
        return self._all

    def rests(self, turn: Turn) -> bool:
        """Whether this address takes no call for a while, because the last one to it failed."""
        return turn.rests_until_s > monotonic()

    def hold(self, turn: Turn) -> "Hold":
        """The connection to this address, for as long as it is held."""
        files = self._current_files()
        with self._lock:
            return Hold(self, turn, self._held(turn, files))

    def is_current(self, turn: Turn, connection: Connection) -> bool:
        """Whether new calls to this address still take this connection: its certificates may have been renewed."""
        return connection.files is self._current_files() and self._connections.get(turn.host_port) is connection

    def give_back(self, turn: Turn, connection: Connection) -> None:
        """A connection that another one has replaced ends with the last call on it."""
        with self._lock:
            connection.users -= 1
            if not connection.users and connection is not self._connections[turn.host_port] and not self._closed:
                connection.close()

    def note(self, turn: Turn, *, failed: bool) -> None:
        """A call to this address was answered, or failed in a way that is the address's fault."""
        with self._lock:
            self._turns.note(turn, failed, monotonic())

    def close(self) -> None:
        """End all calls in flight."""
        with self._lock:
            self._closed = True
            for connection in self._connections.values():
                connection.close()

    def _next(self) -> tuple[Turn, Connection]:
        files = self._current_files()
        with self._lock:
            turn = self._turns.next(monotonic())
            return turn, self._held(turn, files)

    def _current_files(self) -> "TlsFiles | None":
        return None if self._files is None else self._files.current()

    def _held(self, turn: Turn, files: "TlsFiles | None") -> Connection:
        """The connection to an address, which has one user more. The lock is held."""
        connection = self._connections.get(turn.host_port)
        if connection is None or connection.files is not files:
            if connection is not None and not connection.users:
                connection.close()
            connection = self._connections[turn.host_port] = Connection(turn.host_port, files, self._settings)
        connection.users += 1
        return connection


class Hold(NamedTuple):
    """A connection that a stream uses, to be given back once."""

    addresses: Addresses
    turn: Turn
    connection: Connection

    def is_current(self) -> bool:
        return self.addresses.is_current(self.turn, self.connection)

    def note(self, *, failed: bool) -> None:
        """The server has answered, or is away."""
        if failed or self.turn.failures:
            self.addresses.note(self.turn, failed=failed)

    def give_back(self) -> None:
        self.addresses.give_back(self.turn, self.connection)
