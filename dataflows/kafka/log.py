"""A topic as the log of a run: which record holds an event, and how far a bounded run reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dataflows.file_log import FileLog
from dataflows.kafka.client import KafkaLocation, kafka_location, read_properties
from dataflows.kafka.topic import BoundedLog, TopicReader, TopicTraits
from dataflows.locations import Locations, is_kafka
from dataflows.metrics import Metrics
from dataflows.prediction_step import OutputRecord
from dataflows.records import EventFormat, LoggedEvent, decoded_event, encoded_invalid
from dataflows.settings import RunSettings
from window_core import EventError

__all__ = ["KafkaLog", "KafkaTarget", "opened_log", "opened_target"]

_PRODUCERS_CLOCK: Final = (
    "the timestamps of {topic} are its producers' (message.timestamp.type=CreateTime): they are taken for arrivals, "
    "and one that goes back is lifted to the clock of its device and counted"
)


@dataclass(frozen=True)
class KafkaLog:
    """Takes the records of a topic, partition by partition.

    Attributes:
        location: the topic.
        properties: those of the user's file.
        metrics: what it counts.
        format: what a value is.
        partitions: how many the topic has; each is a log with a clock of its own.
        first_offsets: where each partition is read from without a state.
        bounded: how far it is read; ``None``: for ever.
    """

    location: KafkaLocation
    properties: dict[str, str]
    metrics: Metrics
    format: EventFormat
    partitions: int
    first_offsets: tuple[int, ...]
    bounded: BoundedLog | None

    def record(
        self, value: bytes | None, key: bytes | None, arrival_ms: int, position: str
    ) -> LoggedEvent | OutputRecord | None:
        """The event of a record, or its rejection; nothing for a heartbeat, which has neither key nor value.

        Records are counted by whoever takes many, not here: the counter has a lock.
        """
        if value is None and key is None:
            return None
        try:
            if value is None:
                raise EventError("not_an_event")
            return LoggedEvent(decoded_event(value, key, self.format, arrival_ms), arrival_ms, position)
        except EventError as error:
            self.metrics.rejections.labels("INVALID").inc()
            return OutputRecord("rejections", "", encoded_invalid(error, value or b"", position, arrival_ms))


@dataclass(frozen=True)
class KafkaTarget:
    """A topic that is written to.

    Attributes:
        location: the topic.
        properties: those of the user's file.
        max_message_bytes: largest batch that it takes; ``None`` if that is not known.
    """

    location: KafkaLocation
    properties: dict[str, str]
    max_message_bytes: int | None


def opened_log(
    settings: RunSettings, locations: Locations, metrics: Metrics, say: Callable[[str], None]
) -> FileLog | KafkaLog:
    """The log of a run. Every topic is looked at now, those of the outputs included; a broker that is away, waited for.

    Raises:
        SettingsError: a topic does not exist, the properties are wrong, or the broker does not let us in.
        BrokerError: a broker stays away.
    """
    properties = read_properties(settings.broker.kafka_properties)
    for flag, text in (("--output", locations.predictions), ("--rejections", locations.rejections)):
        if is_kafka(text):
            opened_target(flag, text, settings, say)
    if not is_kafka(locations.input):
        return FileLog(metrics, settings.log.until_ms)
    location = kafka_location("--input", locations.input)
    read = settings.log
    reader = TopicReader("--input", location, properties, settings.broker.wait_for_broker_ms, say, holds_events=True)
    traits = reader.traits()
    if not traits.is_log_append_time:
        say(_PRODUCERS_CLOCK.format(topic=location.topic))
    return KafkaLog(
        location,
        properties,
        metrics,
        read.format,
        traits.partitions,
        reader.first_offsets(traits.partitions, read.start),
        reader.bounded(traits.partitions, read.until_ms, read.end_offsets) if read.bounded else None,
    )


def opened_target(flag: str, text: str, settings: RunSettings, say: Callable[[str], None]) -> KafkaTarget:
    """The topic of an output. Raises as ``opened_log`` does."""
    location = kafka_location(flag, text)
    properties = read_properties(settings.broker.kafka_properties)
    traits: TopicTraits = TopicReader(flag, location, properties, settings.broker.wait_for_broker_ms, say).traits()
    return KafkaTarget(location, properties, traits.max_message_bytes)
