"""The outputs that a run wrote, to files or to topics, in the order in which they stand there: as lines of JSON.

``WrittenOutputs`` are those that are there now, to be read more than once; ``FollowedOutputs`` are read on as a run
goes on.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import msgspec

from dataflows.connectors.kafka.client import kafka_location, read_properties
from dataflows.connectors.locations import STANDARD, is_kafka, is_parquet, rejections_beside
from dataflows.pipeline.first_records import InputError
from dataflows.pipeline.output_codec import encoded_row
from dataflows.pipeline.record import OutputKind
from dataflows.settings import RunSettings
from runtime.errors import SettingsError

__all__ = ["FollowedOutputs", "Output", "WrittenLines", "WrittenOutputs"]

_TAIL_BYTES: Final = 64 * 1024
"""Of a file, to find the end of its last whole line: far above a line, but for readings without number."""

Output: TypeAlias = tuple[OutputKind, bytes]
"""Where it stands, and its canonical JSON."""

_Ends: TypeAlias = dict[int, int]
"""How far each partition of a place goes; a file is one."""


class _Place(Protocol):
    """Where outputs stand."""

    def start(self) -> _Ends:
        """Where the first of them stands."""

    def end(self, *, whole: bool) -> _Ends:
        """Where they end now; ``whole``: without a line that has no end yet."""

    def lines(self, start: _Ends, end: _Ends, *, skips_removed: bool) -> Iterator[bytes]:
        """Those from here to there; ``skips_removed``: what retention takes meanwhile is no error."""

    def is_anew(self, at: _Ends) -> bool:
        """Whether it is another one since it was read up to here, or shorter."""


def _place(flag: str, place: str, settings: RunSettings, say: Callable[[str], None]) -> _Place:
    """
    Raises:
        SettingsError: it cannot be read again, or is a topic that does not exist.
        BrokerError: the broker is away.
    """
    if place == STANDARD:
        raise SettingsError(f"{flag} must be a file or a topic: standard output cannot be read")
    if is_kafka(place):
        return _Topic(flag, place, settings, say)
    return _Parquet(place) if is_parquet(place) else _File(place)


class WrittenLines:
    """The outputs at one location, as far as they go now: what is written later is not read."""

    def __init__(self, flag: str, place: str, settings: RunSettings, say: Callable[[str], None]) -> None:
        """Look where they end; nothing is read yet.

        Args:
            flag: the option that names the location, for errors.
            place: a file, JSON lines or Parquet, or a topic.
            settings: of the run.
            say: takes a line for the user.
        Raises:
            SettingsError: they are nowhere, or cannot be read again.
            BrokerError: the broker is away.
        """
        self._place: Final = _place(flag, place, settings, say)
        if not is_kafka(place) and not Path(place).is_file():
            raise SettingsError(f"{flag} {place} does not exist, or is no file")
        self._start: Final = self._place.start()
        self._end: Final = self._place.end(whole=False)

    def __iter__(self) -> Iterator[bytes]:
        """Each as a line of canonical JSON.

        Raises:
            InputError: a file is damaged.
            BrokerError: the records are gone meanwhile, or the broker is away.
        """
        return self._place.lines(self._start, self._end, skips_removed=False)


class WrittenOutputs:
    """Both outputs of a run."""

    def __init__(self, settings: RunSettings, say: Callable[[str], None]) -> None:
        """Look where they end. Arguments and errors are those of ``WrittenLines``."""
        self._lines: Final = {
            kind: WrittenLines(flag, place, settings, say) for kind, (flag, place) in _places(settings).items()
        }

    def __iter__(self) -> Iterator[Output]:
        """Every output, the predictions first."""
        for kind, lines in self._lines.items():
            for line in lines:
                yield kind, line


class FollowedOutputs:
    """Both outputs of a run that may go on. A file that is not there yet is empty."""

    def __init__(self, settings: RunSettings, say: Callable[[str], None]) -> None:
        """Look where they are; nothing is read yet.

        Raises:
            SettingsError: they cannot be read: standard output, or a topic that does not exist.
            BrokerError: the broker is away.
        """
        self._places: Final = {
            kind: _place(flag, place, settings, say) for kind, (flag, place) in _places(settings).items()
        }
        self._at: Final = {kind: place.start() for kind, place in self._places.items()}

    def are_anew(self) -> bool:
        """Whether a run writes one of the files anew: then both are read from their start."""
        if not any(place.is_anew(self._at[kind]) for kind, place in self._places.items()):
            return False
        self._at.update({kind: place.start() for kind, place in self._places.items()})
        return True

    def new(self) -> Iterator[Output]:
        """Each output that was written since the last look; a line counts once it is whole.

        Raises:
            OSError: a file cannot be read.
            BrokerError: the broker is away.
        """
        for kind, place in self._places.items():
            end = place.end(whole=True)
            for line in place.lines(self._at[kind], end, skips_removed=True):
                yield kind, line
            self._at[kind] = {number: max(at, end[number]) for number, at in self._at[kind].items()}


def _places(settings: RunSettings) -> dict[OutputKind, tuple[str, str]]:
    """Where both outputs are, each behind its option."""
    predictions, rejections = settings.outputs.predictions, settings.outputs.rejections
    if predictions == STANDARD:
        raise SettingsError("--output must be a file or a topic: standard output cannot be read")
    return {
        "predictions": ("--output", predictions),
        "rejections": ("--rejections", rejections or rejections_beside(predictions)),
    }


class _File:
    def __init__(self, path: str) -> None:
        self._path: Final = Path(path)
        self._inode: int | None = None

    def start(self) -> _Ends:
        self._inode = None
        return {0: 0}

    def end(self, *, whole: bool) -> _Ends:
        if not self._path.is_file():
            return {0: 0}
        with self._path.open("rb") as file:
            self._inode = os.fstat(file.fileno()).st_ino
            size = end = file.seek(0, os.SEEK_END)
            while whole and end:
                start = max(0, end - _TAIL_BYTES)
                file.seek(start)
                if found := file.read(end - start).rfind(b"\n") + 1:
                    return {0: start + found}
                end = start
        return {0: 0 if whole else size}

    def lines(self, start: _Ends, end: _Ends, *, skips_removed: bool) -> Iterator[bytes]:
        left = end[0] - start[0]
        if left <= 0:
            return
        with self._path.open("rb") as file:
            file.seek(start[0])
            for line in file:
                yield line.removesuffix(b"\n")
                left -= len(line)
                if left <= 0:
                    return

    def is_anew(self, at: _Ends) -> bool:
        if self._inode is None or not self._path.is_file():
            return False
        stat = self._path.stat()
        return stat.st_ino != self._inode or stat.st_size < at[0]


class _Parquet:
    """It is written at the end of a run, whole."""

    def __init__(self, path: str) -> None:
        self._path: Final = Path(path)

    def start(self) -> _Ends:
        return {0: 0}

    def end(self, *, whole: bool) -> _Ends:
        return {0: self._path.stat().st_mtime_ns if self._path.is_file() else 0}

    def lines(self, start: _Ends, end: _Ends, *, skips_removed: bool) -> Iterator[bytes]:
        """As those from which they were made."""
        if start[0] or not end[0]:
            return
        from dataflows.connectors.parquet import rows_of_outputs  # polars is loaded when it is needed

        for row in rows_of_outputs(str(self._path)):
            try:
                yield encoded_row(row)
            except msgspec.ValidationError as error:
                raise InputError(f"{self._path} holds something else than outputs of a run: {error}") from None

    def is_anew(self, at: _Ends) -> bool:
        return at[0] != 0 and self._path.is_file() and self._path.stat().st_mtime_ns != at[0]


class _Topic:
    def __init__(self, flag: str, place: str, settings: RunSettings, say: Callable[[str], None]) -> None:
        from dataflows.connectors.kafka.topic import TopicReader  # librdkafka is loaded when it is needed

        self._location: Final = kafka_location(flag, place)
        self._properties: Final = read_properties(settings.broker.kafka_properties)
        self._wait_ms: Final = settings.broker.wait_for_broker_ms
        self._reader: Final = TopicReader(flag, self._location, self._properties, self._wait_ms, say)
        self._partitions: Final = self._reader.traits().partitions

    def start(self) -> _Ends:
        return dict(enumerate(self._reader.first_offsets(self._partitions, "earliest")))

    def end(self, *, whole: bool) -> _Ends:
        return dict(enumerate(self._reader.first_offsets(self._partitions, "latest")))

    def lines(self, start: _Ends, end: _Ends, *, skips_removed: bool) -> Iterator[bytes]:
        from dataflows.connectors.kafka.committed_records import committed_messages

        bounds = {number: (at, end[number]) for number, at in start.items()}
        read = committed_messages(self._location, self._properties, bounds, self._wait_ms, skips_removed=skips_removed)
        for messages in read:
            yield from (message.value() or b"" for message in messages)

    def is_anew(self, at: _Ends) -> bool:
        return False  # a topic is only written on
