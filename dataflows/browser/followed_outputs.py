"""The outputs of a run as they are written: what is new since the last look, of files and of topics."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from dataflows.connectors.kafka.client import kafka_location, read_properties
from dataflows.connectors.kafka.committed_records import committed_messages
from dataflows.connectors.kafka.topic import TopicReader
from dataflows.connectors.locations import STANDARD, is_kafka, is_parquet, rejections_beside
from dataflows.pipeline.output_codec import encoded_row
from dataflows.pipeline.record import OutputKind
from dataflows.settings import RunSettings
from runtime.errors import SettingsError

__all__ = ["FollowedOutputs"]

_BYTES: Final = 4 * 1024 * 1024
"""Read at once."""


class _Followed(Protocol):
    def is_anew(self) -> bool:
        """Whether it is another one since the last look, or shorter."""

    def rewind(self) -> None:
        """Read it from its start the next time."""

    def new(self) -> Iterator[bytes]:
        """Whole outputs since the last look."""


class FollowedOutputs:
    """Both outputs of a run. A file that is not there yet is empty."""

    def __init__(self, settings: RunSettings, say: Callable[[str], None]) -> None:
        """Look where they are; nothing is read yet.

        Raises:
            SettingsError: they cannot be read: standard output, or a topic that does not exist.
            BrokerError: the broker is away.
        """
        predictions = settings.outputs.predictions
        if STANDARD in (predictions, settings.outputs.rejections):
            raise SettingsError("--output and --rejections must be files or topics: standard output cannot be read")
        places: dict[OutputKind, tuple[str, str]] = {
            "predictions": ("--output", predictions),
            "rejections": ("--rejections", settings.outputs.rejections or rejections_beside(predictions)),
        }
        self._followed: Final = {kind: _followed(*place, settings, say) for kind, place in places.items()}

    def are_anew(self) -> bool:
        """Whether a run writes one of the files anew: then both are read from their start."""
        if not any(followed.is_anew() for followed in self._followed.values()):
            return False
        for followed in self._followed.values():
            followed.rewind()
        return True

    def new(self) -> Iterator[tuple[OutputKind, bytes]]:
        """Each output that was written since the last look, as a line of JSON.

        Raises:
            OSError: a file cannot be read.
            BrokerError: the broker is away.
        """
        for kind, followed in self._followed.items():
            for line in followed.new():
                yield kind, line


def _followed(flag: str, place: str, settings: RunSettings, say: Callable[[str], None]) -> _Followed:
    if is_kafka(place):
        return _FollowedTopic(flag, place, settings, say)
    return _ReadOnceParquet(place) if is_parquet(place) else _FollowedFile(place)


class _FollowedFile:
    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._at = 0
        self._inode: int | None = None

    def is_anew(self) -> bool:
        if self._inode is None or not self._path.is_file():
            return False
        stat = self._path.stat()
        return stat.st_ino != self._inode or stat.st_size < self._at

    def rewind(self) -> None:
        self._at, self._inode = 0, None

    def new(self) -> Iterator[bytes]:
        if not self._path.is_file():
            return
        with self._path.open("rb") as file:
            self._inode = os.fstat(file.fileno()).st_ino
            file.seek(self._at)
            while lines := file.readlines(_BYTES):
                for line in lines:
                    if not line.endswith(b"\n"):
                        return  # still being written
                    self._at += len(line)
                    yield line


class _ReadOnceParquet:
    """It is written at the end of a run, whole."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._read_ns: int | None = None  # when the one that was read was written

    def is_anew(self) -> bool:
        return self._read_ns is not None and self._path.is_file() and self._path.stat().st_mtime_ns != self._read_ns

    def rewind(self) -> None:
        self._read_ns = None

    def new(self) -> Iterator[bytes]:
        if self._read_ns is not None or not self._path.is_file():
            return
        from dataflows.connectors.parquet import rows_of_outputs  # polars is loaded when it is needed

        self._read_ns = self._path.stat().st_mtime_ns
        yield from map(encoded_row, rows_of_outputs(str(self._path)))


class _FollowedTopic:
    def __init__(self, flag: str, place: str, settings: RunSettings, say: Callable[[str], None]) -> None:
        self._location = kafka_location(flag, place)
        self._properties = read_properties(settings.broker.kafka_properties)
        self._wait_ms = settings.broker.wait_for_broker_ms
        self._reader = TopicReader(flag, self._location, self._properties, self._wait_ms, say)
        self._partitions = self._reader.traits().partitions
        self._at: dict[int, int] = {}
        self.rewind()

    def is_anew(self) -> bool:
        return False  # a topic is only written on

    def rewind(self) -> None:
        self._at = dict(enumerate(self._reader.first_offsets(self._partitions, "earliest")))

    def new(self) -> Iterator[bytes]:
        ends = self._reader.first_offsets(self._partitions, "latest")
        bounds = {number: (self._at[number], end) for number, end in enumerate(ends)}
        for messages in committed_messages(self._location, self._properties, bounds, self._wait_ms, skips_removed=True):
            yield from (message.value() or b"" for message in messages)
        self._at = {number: max(start, end) for number, (start, end) in bounds.items()}
