"""A caller that says on the wire what no gRPC client says: headers without a message, windows that never open."""

import socket
import ssl
import struct
from collections.abc import Iterator
from typing import Self

__all__ = ["RawCaller", "grpc_message"]

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS = 1, 4
_CANCEL = 8
_LARGEST_FRAME = 16_384


def grpc_message(data: bytes, declared: int | None = None, packed: bool = False) -> bytes:
    """With the five bytes before it that say how long it is."""
    return struct.pack(">BI", packed, len(data) if declared is None else declared) + data


class RawCaller:
    """One connection, and as many calls on it as there are stream numbers."""

    def __init__(self, port: int, ca: str | None = None, initial_window: int | None = None) -> None:
        """Connect and send the settings.

        Args:
            port: of this machine.
            ca: the authority of the server's certificate; ``None``: without TLS.
            initial_window: how many bytes of each answer are taken before more are asked for.
        """
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        if ca is not None:
            context = ssl.create_default_context(cafile=ca)
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        settings = b"" if initial_window is None else struct.pack(">HI", 4, initial_window)
        self.socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, settings) + _frame(_SETTINGS, 1, 0, b""))
        self._next_stream = 1
        self._held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def call(self, method: str, body: bytes = b"", *, end: bool = False, **metadata: str) -> int:
        """Begin a call, and send some of its body; the number of its stream."""
        stream, headers = self._headers(method, metadata)
        self.socket.sendall(headers)
        if body or end:
            self.send(stream, body, end=end)
        return stream

    def calls_and_resets(self, method: str, count: int) -> None:
        """Begin calls and give each up at once, so that none of them ever counts as open."""
        resets = (
            headers + _frame(_RESET, 0, stream, struct.pack(">I", _CANCEL))
            for stream, headers in (self._headers(method, {}) for _ in range(count))
        )
        self.socket.sendall(b"".join(resets))

    def settings(self, count: int) -> None:
        """Settings without a change, each of which the server has to acknowledge."""
        self.socket.sendall(count * _frame(_SETTINGS, 0, 0, b""))

    def pings(self, count: int) -> None:
        """Pings, each of which the server has to answer."""
        self.socket.sendall(count * _frame(_PING, 0, 0, bytes(8)))

    def _headers(self, method: str, metadata: dict[str, str]) -> tuple[int, bytes]:
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        fields = {":method": "POST", ":scheme": "https", ":path": method, ":authority": "localhost"}
        fields |= {"te": "trailers", "content-type": "application/grpc"}
        fields |= {name.replace("_", "-"): value for name, value in metadata.items()}
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())
        return stream, _frame(_HEADERS, _END_HEADERS, stream, block)

    def send(self, stream: int, body: bytes, *, end: bool = False) -> None:
        """Send as if the other side's windows were always open."""
        parts = [body[at : at + _LARGEST_FRAME] for at in range(0, len(body), _LARGEST_FRAME)] or [b""]
        for number, part in enumerate(parts):
            last = end and number == len(parts) - 1
            self.socket.sendall(_frame(_DATA, _END_STREAM if last else 0, stream, part))

    def frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """What comes, as (type, flags, stream, payload); acknowledges what asks for it. Ends with the connection."""
        while True:
            while len(self._held) < 9 or len(self._held) < 9 + int.from_bytes(self._held[:3], "big"):
                try:
                    data = self.socket.recv(65_536)
                except OSError:
                    return
                if not data:
                    return
                self._held += data
            size = int.from_bytes(self._held[:3], "big")
            kind, flags = self._held[3], self._held[4]
            stream = int.from_bytes(self._held[5:9], "big")
            payload, self._held = self._held[9 : 9 + size], self._held[9 + size :]
            if kind == _PING and not flags & 1:
                self.socket.sendall(_frame(_PING, 1, 0, payload))
            yield kind, flags, stream, payload

    def ended(self, streams: int) -> int:
        """Wait until so many calls have been ended by the server; how many there were when the connection ended."""
        seen = set()
        for kind, flags, stream, _ in self.frames():
            if kind == _RESET or (kind == _HEADERS and flags & _END_STREAM):
                seen.add(stream)
            if len(seen) == streams:
                break
        return len(seen)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _text(value: str) -> bytes:
    """A literal of HPACK, RFC 7541, section 5.2, without Huffman's code."""
    data = value.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, size = len(data) - 127, b"\x7f"
    while rest >= 128:
        size += bytes([rest % 128 + 128])
        rest //= 128
    return size + bytes([rest]) + data
