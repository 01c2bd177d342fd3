"""Topics of the tests' broker: made, filled and read back. Timestamps are the producers', so a log is given."""

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from time import monotonic

from confluent_kafka import Consumer, IsolationLevel, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, OffsetSpec

from dataflows.connectors.file_log import FileLog
from dataflows.connectors.kafka.client import kafka_location
from dataflows.kafka_broker.topics import make_topics
from dataflows.pipeline import record
from dataflows.pipeline.metrics import Metrics

__all__ = ["PASSWORD", "USER", "Record", "Topics", "records_of", "values_of"]

USER, PASSWORD = "tester", "a very secret word"

Record = tuple[bytes | None, bytes | None, int]
"""Key, value, timestamp in ms."""

_GIVE_UP_S = 240
"""Far above any wait: a job on Flink needs a minute and a half to start on a machine that is very busy."""


def records_of(data: bytes) -> list[Record]:
    """The records that hold what the lines of a file hold: an arrival becomes the timestamp."""
    reader = FileLog("-", Metrics()).reader()
    records: list[Record] = []
    for number, line in enumerate(data.splitlines()):
        found = reader.read(record.Record(0, number, None, None, line))
        if isinstance(found, record.OutputRecord):
            records.append((b"no device", line, reader.clock_ms or 0))
        elif found is not None:
            records.append((found.event.device_id.encode(), line, found.arrival_ms))
    return records


def values_of(messages: Sequence[Message]) -> list[bytes]:
    return [value for message in messages if (value := message.value()) is not None]


def _topic(location: str) -> str:
    return kafka_location("topic", location).topic


def _wait_until(is_so: Callable[[], bool]) -> None:
    give_up_s = monotonic() + _GIVE_UP_S
    while not is_so():
        assert monotonic() < give_up_s


class Topics:
    """The topics of one broker, which has a new one for each test."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._numbers = count()
        self._admin = AdminClient({"bootstrap.servers": address, "log_level": 2})

    def made(self, partitions: int = 1, **settings: str) -> str:
        """The location of a new topic. ``settings`` with underscores for points."""
        name = f"test-{next(self._numbers)}"
        named = {key.replace("_", "."): value for key, value in settings.items()}
        make_topics(self.address, {name: named}, partitions)
        return f"kafka://{self.address}/{name}"

    def add_partitions(self, location: str, total: int) -> None:
        [added] = self._admin.create_partitions([NewPartitions(_topic(location), total)]).values()
        added.result()

    def remove_up_to(self, location: str, offset: int) -> None:
        """Remove what stands before an offset of partition 0, as retention does."""
        [removed] = self._admin.delete_records([TopicPartition(_topic(location), 0, offset)]).values()
        removed.result()

    def delete(self, location: str) -> None:
        """Delete a topic, and wait until it is gone."""
        topic = _topic(location)
        [deleted] = self._admin.delete_topics([topic]).values()
        deleted.result()
        give_up_s = monotonic() + _GIVE_UP_S
        while topic in self._admin.list_topics(timeout=_GIVE_UP_S).topics:
            assert monotonic() < give_up_s, f"{topic} is still there"

    def make_anew(self, location: str, partitions: int = 1) -> None:
        """Delete a topic, and make another one of its name."""
        self.delete(location)
        make_topics(self.address, {_topic(location): {}}, partitions)

    def fill(self, location: str, records: Iterable[Record], partition: int = -1, codec: str = "none") -> None:
        """Append records, each to the partition of its key if no other is named."""
        settings = {"partitioner": "murmur2_random", "message.max.bytes": 16_000_000, "enable.idempotence": True}
        settings |= {"compression.codec": codec}
        producer = Producer({"bootstrap.servers": self.address, "log_level": 2, **settings})
        failed: list[KafkaError] = []
        topic = _topic(location)

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                failed.append(error)

        for key, value, timestamp_ms in records:
            producer.produce(topic, value, key, partition, on_delivery, timestamp=timestamp_ms)
            producer.poll(0)
        producer.flush()
        assert not failed

    def remake(self, location: str, partitions: int = 1) -> None:
        """Delete a topic, and make another one of its name."""
        name = _topic(location)
        self._admin.delete_topics([name], operation_timeout=_GIVE_UP_S)[name].result()
        _wait_until(lambda: name not in self._admin.list_topics(timeout=_GIVE_UP_S).topics)
        make_topics(self.address, {name: {}}, partitions)
        _wait_until(lambda: name in self._admin.list_topics(timeout=_GIVE_UP_S).topics)

    def transaction(self, location: str, records: Iterable[Record], partition: int = 0) -> Producer:
        """The producer of an open transaction that has written these records."""
        name = f"transaction-{next(self._numbers)}"
        producer = Producer({"bootstrap.servers": self.address, "log_level": 2, "transactional.id": name})
        producer.init_transactions(_GIVE_UP_S)
        producer.begin_transaction()
        for key, value, timestamp_ms in records:
            producer.produce(_topic(location), value, key, partition, timestamp=timestamp_ms)
        producer.flush()
        return producer

    def readable_ends(self, location: str, isolation: IsolationLevel) -> list[int]:
        """The offset of each partition up to which a reader comes now."""
        topic = _topic(location)
        partitions = self._admin.list_topics(topic, timeout=_GIVE_UP_S).topics[topic].partitions
        wanted = {TopicPartition(topic, number): OffsetSpec.latest() for number in sorted(partitions)}
        answers = self._admin.list_offsets(wanted, isolation_level=isolation)
        return [answers[partition].result().offset for partition in wanted]

    def records(
        self,
        location: str,
        until: Callable[[list[Message]], bool] | None = None,
        isolation: str = "read_committed",
    ) -> list[Message]:
        """What a topic holds, in the order of each partition; or what it holds once ``until`` is true of it."""
        topic = _topic(location)
        settings = {"group.id": "tests", "enable.partition.eof": until is None, "enable.auto.commit": False}
        settings["isolation.level"] = isolation
        consumer = Consumer({"bootstrap.servers": self.address, "log_level": 2, **settings})
        left = set(consumer.list_topics(topic, timeout=_GIVE_UP_S).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, 0) for number in left])
        found: list[Message] = []
        give_up_s = monotonic() + _GIVE_UP_S
        while left if until is None else not until(found):
            assert monotonic() < give_up_s, f"{len(found)} records after {_GIVE_UP_S} s"
            for message in consumer.consume(1_000, timeout=0.05):
                if message.error() is None:
                    found.append(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
        consumer.close()
        return found
