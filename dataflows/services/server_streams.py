"""The streams of one service, one to each of its servers: begun when they are needed, and again when one is over.

A stream that fails soon after it has begun is begun again at once the first time, then after pauses that double: a
server that cannot hold a stream is asked by calls meanwhile.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from threading import Lock
from time import monotonic
from typing import Final, Generic, NamedTuple, TypeVar

from dataflows.services.calls import Service
from dataflows.services.errors import AskAgainError, WrongAnswerError
from dataflows.services.stream import Stream
from dataflows.services.turns import Turn
from window_core import Evaluation

__all__ = ["Open", "ServerStream", "ServerStreams"]

Kept = TypeVar("Kept")
"""What the client keeps of a stream, as long as it is open."""

_SOON_S: Final = 10.0
"""A stream that lasted for longer, and brought answers, was a good one."""

_PAUSE_MIN_S: Final = 1.0
_PAUSE_MAX_S: Final = 30.0

_HOMES_MAX: Final = 100_000
"""Devices whose server is remembered; found out anew beyond."""


class Open(NamedTuple, Generic[Kept]):
    """A stream that is open, and what the client keeps of it."""

    stream: Stream
    kept: Kept


class ServerStream(Generic[Kept]):
    """The stream to one server.

    Attributes:
        turn: held from the first request about some evaluations to the last: those behind them wait, or the columns of
            a device would be asked about in another order than they were made in, which costs.
        lock: held while a request is made and sent, so that they are sent in the order in which they were made.
    """

    def __init__(self, service: Service, server: Turn, path: str, begin: Callable[[Service, Turn], Kept]) -> None:
        """Nothing is begun.

        Args:
            service: whose server it is.
            server: one of its servers.
            path: the full name of the method.
            begin: what is kept of a new stream; called before each. It may raise ``AskAgainError`` or
                ``WrongAnswerError``.
        """
        self.turn: Final = Lock()
        self.lock: Final = Lock()
        self._service: Final = service
        self._server: Final = server
        self._path: Final = path
        self._begin: Final = begin
        self._open: Open[Kept] | None = None
        self._failures = 0
        self._pauses_until_s = 0.0

    @property
    def is_well(self) -> bool:
        """Whether it is open, or may be begun."""
        opened = self._open  # without the lock: another thread may leave it meanwhile
        if opened is not None and not opened.stream.is_over:
            return True
        return monotonic() >= self._pauses_until_s and self._service.may_be_asked(self._server)

    def current(self) -> Open[Kept] | None:
        """The stream, begun if need be; ``None`` while there can be none. The lock is held."""
        if self._open is not None and not self._open.stream.is_open:
            self._leave(self._open.stream)
        if self._open is None and self.is_well:
            try:
                kept = self._begin(self._service, self._server)
                self._open = Open(self._service.stream(self._server, self._path), kept)
            except (AskAgainError, WrongAnswerError):
                self._fail()
        return self._open

    def weight(self, device_id: bytes) -> bytes:
        """How much a device belongs to this server: to the one with the largest."""
        return blake2b(self._server.host_port.encode() + b"/" + device_id, digest_size=8).digest()

    def close(self) -> None:
        """End the stream."""
        opened = self._open
        if opened is not None:
            opened.stream.end()

    def _leave(self, stream: Stream) -> None:
        """The stream is over, or its connection is not the one that new calls take: what is owed still comes."""
        self._open = None
        stream.finish()
        if stream.answers and monotonic() - stream.began_s >= _SOON_S:
            self._failures = 0
        elif stream.is_over:
            self._fail()

    def _fail(self) -> None:
        self._failures += 1
        if self._failures > 1:
            pause_s = _PAUSE_MIN_S * 2.0 ** min(self._failures - 2, 10)
            self._pauses_until_s = monotonic() + min(pause_s, _PAUSE_MAX_S)


class ServerStreams(Generic[Kept]):
    """The streams to all servers of a service."""

    def __init__(self, service: Service, path: str, begin: Callable[[Service, Turn], Kept]) -> None:
        """Nothing is begun; the arguments are those of ``ServerStream``."""
        self._all: Final = [ServerStream(service, server, path, begin) for server in service.servers]
        self._homes: dict[str, ServerStream[Kept]] = {}
        self._homes_among: list[ServerStream[Kept]] = []
        self._turn = 0

    def close(self) -> None:
        for one in self._all:
            one.close()

    def next(self) -> ServerStream[Kept] | None:
        """One that is well; they take turns."""
        well = self._well()
        if not well:
            return None
        self._turn += 1
        return well[self._turn % len(well)]

    def homes(self, evaluations: Sequence[Evaluation]) -> dict[ServerStream[Kept], Sequence[int]]:
        """Which of them are asked about which evaluations; none, if none is well.

        A device stays with one server while that one is well, and comes back to it. Source: rendezvous hashing,
        Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998.
        """
        well = self._well()
        if len(well) < 2:
            return {one: range(len(evaluations)) for one in well}
        if well != self._homes_among or len(self._homes) > _HOMES_MAX:
            self._homes, self._homes_among = {}, well
        homes, rows = self._homes, defaultdict[ServerStream[Kept], list[int]](list)
        for row, (_, _, _, _, columns, _, _) in enumerate(evaluations):
            device_id = columns.device_id
            home = homes.get(device_id)
            if home is None:
                encoded = device_id.encode()
                home = homes[device_id] = max(well, key=lambda one: one.weight(encoded))
            rows[home].append(row)
        return dict(rows)

    def _well(self) -> list[ServerStream[Kept]]:
        return [one for one in self._all if one.is_well]
