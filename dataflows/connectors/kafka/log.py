"""A topic as the log of a run: how its partitions are read, and how far."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dataflows.connectors.kafka.client import KafkaLocation, kafka_location, read_properties
from dataflows.pipeline.event_codec import EventFormat
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.first_records import FirstRecords
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import Record
from dataflows.pipeline.schema import Schema
from dataflows.settings import RunSettings
from runtime.settings import changed

if TYPE_CHECKING:
    from dataflows.connectors.kafka.topic import BoundedLog

__all__ = ["TOPIC_ID", "KafkaLog", "KafkaTarget", "opened_target", "opened_topic"]

TOPIC_ID: Final = "topic-id"
"""Its name in what a state says that it belongs to."""

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
        format: what a value is, where there is no schema.
        schema: of the values.
        ignores_key: the key of a record need not be the device id.
        layout: what the events look like.
        partitions: how many the topic has; each is a log with a clock of its own.
        first_offsets: where each partition is read from without a state.
        bounded: how far it is read; ``None``: for ever.
        until_ms: in each partition, the first record with a later arrival ends it; ``None``: none does. It is what the
            user asked for: what stands below the ends of a bounded log needs no cut.
        has_producers_clock: its timestamps are its producers', not the broker's.
        first_clocks_ms: the clock of each partition there, in ms; ``None``: it has shown no arrival before.
        first_records: where the records without an event are looked at.
        wait_ms: how long to wait for a broker that gives nothing.
        topic_id: which of the topics of this name it is; ``None`` if the broker does not tell.
    """

    location: KafkaLocation
    properties: dict[str, str]
    metrics: Metrics
    format: EventFormat
    schema: Schema | None
    ignores_key: bool
    layout: EventLayout
    partitions: int
    first_offsets: tuple[int, ...]
    bounded: "BoundedLog | None"
    until_ms: int | None
    has_producers_clock: bool
    topic_id: str | None
    first_clocks_ms: tuple[int | None, ...]
    first_records: FirstRecords
    wait_ms: int

    def reader(self, number: int) -> PartitionReader:
        """A reader of a partition, from where it is read without a state."""
        reader = PartitionReader(
            number,
            self.format,
            self.metrics,
            self.until_ms,
            layout=self.layout,
            schema=self.schema,
            ignores_key=self.ignores_key,
            has_producers_clock=self.has_producers_clock,
            first_records=self.first_records,
        )
        reader.next_offset = self.first_offsets[number]
        reader.clock_ms = self.first_clocks_ms[number]
        return reader

    def records(self, number: int) -> Iterator[Record]:
        """The committed records of a partition of a bounded log.

        Raises:
            BrokerError: the broker gives no records, or retention removes them meanwhile.
        """
        from dataflows.connectors.kafka.committed_records import committed_messages  # Kafka's client: when it is needed

        assert self.bounded is not None
        bounds = {number: (self.first_offsets[number], self.bounded.end_offsets[number])}
        for messages in committed_messages(self.location, self.properties, bounds, self.wait_ms):
            for message in messages:
                offset = message.offset()
                assert offset is not None
                yield Record(number, offset, message.timestamp()[1], message.key(), message.value())

    def end_ms(self, clock_ms: int | None) -> int | None:
        """The same for all partitions of a bounded log; ``None`` while it has no end."""
        return None if self.bounded is None else self.bounded.until_ms

    def identity(self) -> dict[str, str]:
        """A topic is known by its id, since a new one of that name holds other records.

        Where a topic has other partitions than it had, a device may be in another one.
        """
        sensors = ",".join(self.layout.sensors.declared)
        identity = {"input": f"{self.location} of {self.partitions} partitions", "sensors": sensors}
        return identity if self.topic_id is None else {**identity, TOPIC_ID: self.topic_id}

    def with_end(self, settings: RunSettings) -> RunSettings:
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


def opened_topic(settings: RunSettings, text: str, metrics: Metrics, say: Callable[[str], None]) -> KafkaLog:
    """The topic that a run reads. Raises as ``opened_log`` does."""
    from dataflows.connectors.kafka.topic import BROKERS_CLOCK, TopicReader  # Kafka's client: when it is needed
    from dataflows.connectors.schemas import opened_schema

    location = kafka_location("--input", text)
    properties = read_properties(settings.broker.kafka_properties)
    read = settings.log
    schema = opened_schema(read, settings.broker, say)
    reader = TopicReader(
        "--input", location, properties, settings.broker.wait_for_broker_ms, say, made_with=BROKERS_CLOCK
    )
    traits = reader.traits()
    if not traits.is_log_append_time:
        say(_PRODUCERS_CLOCK.format(topic=location.topic))
    return KafkaLog(
        location,
        properties,
        metrics,
        read.event_format,
        schema,
        read.key == "ignore",
        read.layout,
        traits.partitions,
        reader.first_offsets(traits.partitions, read.start),
        reader.bounded(traits, read.last_instant_ms, read.end_offsets) if read.bounded else None,
        read.until_ms,
        not traits.is_log_append_time,
        traits.id,
        (None,) * traits.partitions,
        FirstRecords(str(location), read.layout.paths, is_framed=read.schema_registry is not None),
        settings.broker.wait_for_broker_ms,
    )


def opened_target(flag: str, text: str, settings: RunSettings, say: Callable[[str], None]) -> KafkaTarget:
    """The topic of an output. Raises as ``opened_log`` does."""
    from dataflows.connectors.kafka.topic import TopicReader  # Kafka's client: when it is needed

    location = kafka_location(flag, text)
    properties = read_properties(settings.broker.kafka_properties)
    traits = TopicReader(flag, location, properties, settings.broker.wait_for_broker_ms, say).traits()
    return KafkaTarget(location, properties, traits.max_message_bytes)
