"""Writes what was not written before: whoever runs a command a second time finds each line once."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import msgspec

from dataflows.connectors.kafka.log import opened_target
from dataflows.connectors.kafka.writer import TopicWriter
from dataflows.connectors.locations import STANDARD, is_kafka, is_parquet
from dataflows.replay.written_outputs import WrittenLines
from dataflows.settings import RunSettings
from runtime.errors import SettingsError
from runtime.written_files import naming

__all__ = ["Appended"]


class _Known(msgspec.Struct, gc=False):
    evaluation_id: str | None = None


class Appended:
    """A file of lines, or a topic, that is appended to.

    Attributes:
        ids: the evaluations that it holds already.
        written: how many lines were added.
    """

    def __init__(self, flag: str, place: str, settings: RunSettings, say: Callable[[str], None]) -> None:
        """Look at what is there. A last line without an end, of a run that died, is removed.

        Raises:
            SettingsError: nothing can be added there.
            BrokerError: the broker is away.
        """
        if place == STANDARD or is_parquet(place):
            raise SettingsError(f"{flag} must be a file of JSON lines or a topic, not {place}")
        self.written = 0
        self.ids: Final[set[str]] = set()
        self._place: Final = place
        self._topic = None
        if is_kafka(place):
            target = opened_target(flag, place, settings, say)
            self._topic = TopicWriter(target.location, target.properties, target.max_message_bytes)
        elif Path(place).is_dir() or not Path(place).parent.is_dir():
            raise SettingsError(f"{flag} {place} is no file in a folder that exists")
        else:
            _mend(Path(place))
        if is_kafka(place) or Path(place).is_file():
            for line in WrittenLines(flag, place, settings, say):
                known = _decoded(line)
                if known is not None:
                    self.ids.add(known)
        self._file = None if self._topic is not None else open(place, "ab")  # noqa: PTH123, SIM115 - closed at the exit

    def write(self, line: bytes, key: str, timestamp_ms: int = 0) -> None:
        """Add a line, or a record with a key.

        Raises:
            OSError: it cannot be written.
            BrokerError: the broker refused one.
        """
        self.written += 1
        if self._topic is not None:
            self._topic.write(line, key.encode(), timestamp_ms)
            self._topic.look()
        elif self._file is not None:
            with naming(self._place):
                self._file.write(line + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, fault: object, *_: object) -> None:
        """What was added is kept, also after an error."""
        if self._topic is not None:
            if fault is None:
                self._topic.settle()
            else:
                self._topic.drop()
        elif self._file is not None:
            with naming(self._place):
                self._file.close()


def _decoded(line: bytes) -> str | None:
    try:
        return msgspec.json.decode(line, type=_Known).evaluation_id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _mend(path: Path) -> None:
    """Cut a last line that has no end."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
