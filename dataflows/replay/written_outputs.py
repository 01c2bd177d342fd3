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

__all__ = ["Output", "WrittenOutputs"]

_LINES_BYTES: Final = 4 * 1024 * 1024
"""Of lines held at once."""

Output = tuple[OutputKind, bytes]
"""Where it stands, and its canonical JSON."""


class WrittenOutputs:
    """The outputs of a run, as far as they go now: what is written later is not read."""

    def __init__(self, settings: RunSettings, say: Callable[[str], None]) -> None:
        """Look where they end; nothing is read yet.

        Args:
            settings: of the run.
            say: takes a line for the user.
        Raises:
            SettingsError: they are nowhere, or cannot be read again.
            BrokerError: the broker is away.
        """
        predictions = settings.outputs.predictions
        if STANDARD in (predictions, settings.outputs.rejections):
            raise SettingsError("--output and --rejections must be files or topics: standard output cannot be read")
        rejections = settings.outputs.rejections or rejections_beside(predictions)
        self._settings = settings
        self._places: Final[dict[OutputKind, tuple[str, str]]] = {
            "predictions": ("--output", predictions),
            "rejections": ("--rejections", rejections),
        }
        self._ends: Final = {kind: self._ends_of(*place, say) for kind, place in self._places.items()}

    def __iter__(self) -> Iterator[Output]:
        """Every output, the predictions first.

        Raises:
            InputError: a file is damaged.
            BrokerError: the records are gone meanwhile, or the broker is away.
        """
        for kind, (flag, place) in self._places.items():
            if is_kafka(place):
                lines = self._values(kind, flag, place)
            else:
                lines = _rows(place) if is_parquet(place) else _lines(place, self._ends[kind][0][1])
            for line in lines:
                yield kind, line

    def _ends_of(self, flag: str, place: str, say: Callable[[str], None]) -> dict[int, tuple[int, int]]:
        """The first offset and the end of each partition; of a file, its size."""
        if not is_kafka(place):
            if not Path(place).is_file():
                raise SettingsError(f"{flag} {place} does not exist, or is no file")
            return {0: (0, Path(place).stat().st_size)}
        broker = self._settings.broker
        properties = read_properties(broker.kafka_properties)
        reader = TopicReader(flag, kafka_location(flag, place), properties, broker.wait_for_broker_ms, say)
        partitions = reader.traits().partitions
        ends = (reader.first_offsets(partitions, start) for start in ("earliest", "latest"))
        return dict(enumerate(zip(*ends, strict=True)))

    def _values(self, kind: OutputKind, flag: str, place: str) -> Iterator[bytes]:
        broker = self._settings.broker
        location, properties = kafka_location(flag, place), read_properties(broker.kafka_properties)
        for messages in committed_messages(location, properties, self._ends[kind], broker.wait_for_broker_ms):
            yield from (message.value() or b"" for message in messages)


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
