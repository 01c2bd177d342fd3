"""A server that compresses its answers sends fewer bytes to who takes gzip, and the same to who does not."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest

from dataflows.services.embedded import embedded_service
from tests.grpc_services.python.messages import demo_window, window_batch

METHOD = "/latecomer.v1.FeatureService/EngineerFeatures"
IDENTITY_ONLY = [("grpc.compression_enabled_algorithms_bitset", 1)]


class Relay:
    """Stands before a server and counts the bytes that it sends, over one connection."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.bytes = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._server = socket.create_connection((host, int(port)))
        self._thread = threading.Thread(target=self._relay)
        self._thread.start()

    def _relay(self) -> None:
        client, _ = self._listening.accept()
        with client, self._server:
            back = threading.Thread(target=self._count, args=(client,))
            back.start()
            with suppress(ConnectionError):
                while data := client.recv(65_536):
                    self._server.sendall(data)
            self._server.shutdown(socket.SHUT_RDWR)
            back.join()

    def _count(self, client: socket.socket) -> None:
        with suppress(ConnectionError):  # who closes with something unread resets
            while data := self._server.recv(65_536):
                self.bytes += len(data)
                client.sendall(data)

    def close(self) -> None:
        self._thread.join()
        self._listening.close()


@contextmanager
def relayed(address: str) -> Iterator[Relay]:
    relay = Relay(address)
    yield relay
    relay.close()


def answered(address: str, options: list[tuple[str, int]]) -> tuple[bytes, int]:
    """The answer to a batch, and what came over the wire for it."""
    with relayed(address) as relay:
        with grpc.insecure_channel(relay.address, [*options, ("grpc.use_local_subchannel_pool", 1)]) as channel:
            answer = channel.unary_unary(METHOD)(window_batch([demo_window()] * 200).SerializeToString(), timeout=60)
        return answer, relay.bytes


@pytest.mark.parametrize("language", ["python", "java"])
def test_answers_are_compressed_for_who_takes_it_where_the_server_is_told_to(language: str, jar: Path) -> None:
    sizes = {}
    for compression in ("none", "gzip"):
        with embedded_service("features", "--language", language, "--compression", compression) as address:
            answer, sizes[compression] = answered(address, [])
            same, sizes[compression, "not taken"] = answered(address, IDENTITY_ONLY)
            assert answer == same
    assert sizes["gzip"] < sizes["none"] / 2
    assert abs(sizes["gzip", "not taken"] - sizes["none"]) < 200  # headers, settings and pings
