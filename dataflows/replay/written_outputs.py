"""The outputs that a run wrote, to files or to topics: their bytes, in the order in which they stand there."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from dataflows.connectors.kafka.client import kafka_location, read_properties
from dataflows.connectors.kafka.committed_records import committed_messages
from dataflows.connectors.kafka.topic import TopicReader
from dataflows.connectors.locations import STANDARD, is_kafka, is_parquet, rejections_beside
from dataflows.pipeline.first_records import InputError
from dataflows.pipeline.output_codec import encoded_row
from dataflows.pipeline.record import OutputKind
from dataflows.settings import RunSettings
from runtime.errors import SettingsError

__all__ = ["Output", "WrittenLines", "WrittenOutputs"]

_LINES_BYTES: Final = 4 * 1024 * 1024
"""Of lines held at once."""

Output = tuple[OutputKind, bytes]
"""Where it stands, and its canonical JSON."""


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
        self._flag = flag
        self._place = place
        self._broker: Final = settings.broker
        if place == STANDARD:
            raise SettingsError(f"{flag} must be a file or a topic: standard output cannot be read")
        if not is_kafka(place):
            if not Path(place).is_file():
                raise SettingsError(f"{flag} {place} does not exist, or is no file")
            self._bounds = {0: (0, Path(place).stat().st_size)}
            return
        location, properties = kafka_location(flag, place), read_properties(self._broker.kafka_properties)
        reader = TopicReader(flag, location, properties, self._broker.wait_for_broker_ms, say)
        partitions = reader.traits().partitions
        ends = (reader.first_offsets(partitions, start) for start in ("earliest", "latest"))
        self._bounds = dict(enumerate(zip(*ends, strict=True)))

    def __iter__(self) -> Iterator[bytes]:
        """Each as a line of canonical JSON.

        Raises:
            InputError: a file is damaged.
            BrokerError: the records are gone meanwhile, or the broker is away.
        """
        if is_kafka(self._place):
            yield from self._values()
        elif is_parquet(self._place):
            yield from _rows(self._place)
        else:
            yield from _lines(self._place, self._bounds[0][1])

    def _values(self) -> Iterator[bytes]:
        location, properties = kafka_location(self._flag, self._place), read_properties(self._broker.kafka_properties)
        for messages in committed_messages(location, properties, self._bounds, self._broker.wait_for_broker_ms):
            yield from (message.value() or b"" for message in messages)


class WrittenOutputs:
    """Both outputs of a run."""

    def __init__(self, settings: RunSettings, say: Callable[[str], None]) -> None:
        """Look where they end. Arguments and errors are those of ``WrittenLines``."""
        predictions = settings.outputs.predictions
        if predictions == STANDARD:
            raise SettingsError("--output must be a file or a topic: standard output cannot be read")
        rejections = settings.outputs.rejections or rejections_beside(predictions)
        self._lines: Final[dict[OutputKind, WrittenLines]] = {
            "predictions": WrittenLines("--output", predictions, settings, say),
            "rejections": WrittenLines("--rejections", rejections, settings, say),
        }

    def __iter__(self) -> Iterator[Output]:
        """Every output, the predictions first."""
        for kind, lines in self._lines.items():
            for line in lines:
                yield kind, line


def _lines(path: str, size: int) -> Iterator[bytes]:
    """Those within the first ``size`` bytes."""
    with Path(path).open("rb") as file:
        while file.tell() < size and (lines := file.readlines(min(_LINES_BYTES, size - file.tell()))):
            yield from (line.removesuffix(b"\n") for line in lines)


def _rows(path: str) -> Iterator[bytes]:
    """Those of Parquet, as the lines from which they were made."""
    from dataflows.connectors.parquet import rows_of_outputs  # polars is loaded when it is needed

    for row in rows_of_outputs(path):
        try:
            yield encoded_row(row)
        except msgspec.ValidationError as error:
            raise InputError(f"{path} holds something else than outputs of a run: {error}") from None
