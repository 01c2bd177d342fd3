"""What a saved state belongs to, and where in its log it stands; whether a run may begin from it is decided here."""

from contextlib import nullcontext
from functools import singledispatch
from typing import Final, NamedTuple

import msgspec

from dataflows.connectors.file_log import FileLog
from dataflows.connectors.file_mark import FileMark
from dataflows.connectors.kafka.log import KafkaLog
from dataflows.connectors.locations import STANDARD
from dataflows.connectors.log import Log
from runtime.errors import SettingsError
from window_core import SnapshotError, WindowSpec

__all__ = ["Origin", "Place", "Position", "SavedDevice", "WrittenFile", "check_fits"]


class Position(msgspec.Struct, frozen=True):
    """How far a partition was read.

    Attributes:
        next_offset: of the first record that was not read; in a file, the number of its line.
        clock_ms: the largest valid arrival that was read, in ms; ``None`` before the first.
    """

    next_offset: int
    clock_ms: int | None


class WrittenFile(msgspec.Struct, frozen=True):
    """A file that the outputs were written to, and how far."""

    path: str
    mark: FileMark


class Place(msgspec.Struct, frozen=True):
    """The log of a state: a topic, or a file up to the mark.

    Attributes:
        topic: its name, without the address of a broker; ``None`` for a file.
        topic_id: which topic of this name; ``None`` for a file, or if the broker does not tell.
        path: of a file; ``None`` for a topic.
        mark: how far the file was read.
    """

    topic: str | None = None
    topic_id: str | None = None
    path: str | None = None
    mark: FileMark | None = None

    def __str__(self) -> str:
        return f"file {self.path}" if self.topic is None else f"topic {self.topic}"


class Origin(msgspec.Struct, frozen=True):
    """Everything about a state but its devices.

    Attributes:
        log: what was read.
        sensors: as they were declared, with commas between.
        window: the numbers it was last run with; ``None`` if they are not known. A run may have others.
        partitions: of the log, by their numbers.
        outputs: by their kinds, those that are files.
    """

    log: Place
    sensors: str
    window: WindowSpec | None
    partitions: tuple[Position, ...]
    outputs: dict[str, WrittenFile]


class SavedDevice(NamedTuple):
    """A device of a state.

    Attributes:
        device_id: its id.
        partition: the one its events stand in.
        snapshot: its window, as the core's own bytes.
    """

    device_id: str
    partition: int
    snapshot: bytes


_ANEW: Final = "start anew with another --state"


def check_fits(origin: Origin, log: Log, name: str) -> None:
    """Check that a run of a log may begin from a state.

    Args:
        origin: of the state.
        log: of the run.
        name: of the state, for errors.
    Raises:
        SettingsError: the state is of another log, or of other sensors.
        SnapshotError: the file is not the one that was read.
    """
    sensors = log.identity()["sensors"]
    if origin.sensors != sensors:
        raise SettingsError(f"{name} is of a run with --sensors {origin.sensors}, not {sensors}")
    _check_log(log, origin, name)


@singledispatch
def _check_log(log: Log, origin: Origin, name: str) -> None:
    raise NotImplementedError(type(log))


@_check_log.register
def _check_topic(log: KafkaLog, origin: Origin, name: str) -> None:
    place = origin.log
    if place.topic != log.location.topic:
        raise SettingsError(f"{name} is of the {place}, and --input is the topic {log.location.topic}")
    if None not in (place.topic_id, log.topic_id) and place.topic_id != log.topic_id:
        raise SettingsError(
            f"{name} is of another topic that was named {log.location.topic}: it was deleted and made anew; {_ANEW}"
        )
    if len(origin.partitions) != log.partitions:
        raise SettingsError(
            f"{name} is of a topic of {len(origin.partitions)} partitions, and {log.location} has {log.partitions}: "
            f"devices are in other partitions; {_ANEW}"
        )


@_check_log.register
def _check_file(log: FileLog, origin: Origin, name: str) -> None:
    mark = origin.log.mark
    if mark is None:
        raise SettingsError(f"{name} is of the {origin.log}, and --input is the file {log.path}")
    if log.path == STANDARD:
        raise SettingsError(f"{name} is of the {origin.log}, and --input is standard input")
    with nullcontext() if log.is_plain else log.content() as content:
        is_same = mark.is_in(log.path) if content is None else mark.is_read_from(content)
    if not is_same:
        raise SnapshotError(
            f"--input {log.path} is not the file that {name} has read: the line that ended at byte {mark.size:,} is "
            "not there; bring the file back, or start anew"
        )
