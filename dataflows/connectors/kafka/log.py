"""A topic as the log of a run: how its partitions are read, and how far."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dataflows.connectors.file_log import FileLog
from dataflows.connectors.kafka.client import KafkaLocation, kafka_location, read_properties
from dataflows.connectors.kafka.topic import BoundedLog, TopicReader, TopicTraits
from dataflows.connectors.locations import Locations, is_kafka
from dataflows.pipeline.event_codec import EventFormat
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader
from dataflows.settings import RunSettings
from runtime.settings import changed

__all__ = ["KafkaLog", "KafkaTarget", "opened_log", "opened_target"]

_PRODUCERS_CLOCK: Final = (
    "the timestamps of {topic} are its producers' (message.timestamp.type=CreateTime): they are taken for arrivals, "
    "and one that goes back is clamped to the clock of its partition and counted"
)


@dataclass(frozen=True)
class KafkaLog:
    """Tells how the records of a topic are read, partition by partition.

    Attributes:
        location: the topic.
        properties: those of the user's file.
        metrics: what it counts.
        format: what a value is.
        partitions: how many the topic has; each is a log with a clock of its own.
        first_offsets: where each partition is read from without a state.
        bounded: how far it is read; ``None``: for ever.
        until_ms: in each partition, the first record with a later arrival ends it; ``None``: none does. It is what the
            user asked for: what stands below the ends of a bounded log needs no cut.
        has_producers_clock: its timestamps are its producers', not the broker's.
        topic_id: which of the topics of this name it is; ``None`` if the broker does not tell.
    """

    location: KafkaLocation
    properties: dict[str, str]
    metrics: Metrics
    format: EventFormat
    partitions: int
    first_offsets: tuple[int, ...]
    bounded: BoundedLog | None
    until_ms: int | None
    has_producers_clock: bool
    topic_id: str | None

    def reader(self, number: int) -> PartitionReader:
        """A reader of a partition, from where it is read without a state."""
        reader = PartitionReader(
            number, self.format, self.metrics, self.until_ms, has_producers_clock=self.has_producers_clock
        )
        reader.next_offset = self.first_offsets[number]
        return reader

    def with_end(self, settings: RunSettings) -> RunSettings:
        """The settings with the end of a bounded log, for another process: it is looked at once."""
        if self.bounded is None:
            return settings
        ends = ",".join(map(str, self.bounded.end_offsets))
        return changed(settings, end_offsets=ends, end_clock_ms=self.bounded.until_ms)


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
        reader.bounded(traits, read.last_instant_ms, read.end_offsets) if read.bounded else None,
        read.until_ms,
        not traits.is_log_append_time,
        traits.id,
    )


def opened_target(flag: str, text: str, settings: RunSettings, say: Callable[[str], None]) -> KafkaTarget:
    """The topic of an output. Raises as ``opened_log`` does."""
    location = kafka_location(flag, text)
    properties = read_properties(settings.broker.kafka_properties)
    traits: TopicTraits = TopicReader(flag, location, properties, settings.broker.wait_for_broker_ms, say).traits()
    return KafkaTarget(location, properties, traits.max_message_bytes)
