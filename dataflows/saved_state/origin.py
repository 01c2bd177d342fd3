"""What a saved state belongs to, and where in its log it stands."""

from typing import NamedTuple

import msgspec

from dataflows.connectors.file_mark import FileMark
from window_core import WindowSpec

__all__ = ["Origin", "Place", "Position", "SavedDevice", "WrittenFile"]


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
