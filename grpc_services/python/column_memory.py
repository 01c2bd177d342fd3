"""What the columns of all streams of a server may hold, and those of one stream: counted by the room they asked for."""

import threading
from typing import Self

from grpc_services.python.service_metrics import ServiceMetrics

__all__ = ["ColumnMemory", "StreamMemory"]


class ColumnMemory:
    """The memory of a server for columns; safe for use by many threads.

    Attributes:
        stream_bytes: what the columns of one stream may hold.
    """

    def __init__(self, max_bytes: int, stream_bytes: int, metrics: ServiceMetrics) -> None:
        self.stream_bytes = stream_bytes
        self._left = max_bytes
        self._metrics = metrics
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Whether so many bytes are left; then they are taken."""
        with self._lock:
            if count > self._left:
                return False
            self._left -= count
        self._metrics.column_bytes.inc(count)
        return True

    def give_back(self, count: int) -> None:
        """What was taken."""
        with self._lock:
            self._left += count
        self._metrics.column_bytes.dec(count)

    def refused(self, columns: int) -> None:
        """Count columns that there was no room for."""
        self._metrics.columns_refused.inc(columns)


class StreamMemory:
    """That of one stream, for use by one thread; what was taken is given back when it is left."""

    def __init__(self, server: ColumnMemory) -> None:
        self._server = server
        self._taken = 0

    def take(self, count: int) -> bool:
        """Whether so many bytes are left to the stream, and to the server too; then they are taken."""
        if self._taken + count > self._server.stream_bytes or not self._server.take(count):
            return False
        self._taken += count
        return True

    def give_back(self, count: int) -> None:
        """What was taken."""
        self._taken -= count
        self._server.give_back(count)

    def refused(self, columns: int) -> None:
        """Count columns that there was no room for."""
        self._server.refused(columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back(self._taken)
