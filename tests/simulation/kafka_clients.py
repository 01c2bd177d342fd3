"""librdkafka's clients of the simulated broker: what the shipped code calls of them, no more.

A consumer gives records in random portions, says where a partition ends, and fails as librdkafka does: for a while, or
where its offset is not in the log. A producer holds records back; what it holds when its process dies may be lost.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from tests.simulation.broker import Entry, Topic
from tests.simulation.process import Process

__all__ = ["Clients"]

_EARLIEST = type(OffsetSpec.earliest())


class _Message:
    def __init__(self, partition: int, offset: int, entry: Entry | None, error: KafkaError | None = None) -> None:
        self._partition, self._offset, self._entry, self._error = partition, offset, entry, error

    def error(self) -> KafkaError | None:
        return self._error

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        assert self._entry is not None
        return 1, self._entry.timestamp_ms

    def key(self) -> bytes | None:
        assert self._entry is not None
        return self._entry.key

    def value(self) -> bytes | None:
        assert self._entry is not None
        return self._entry.value


class Clients:
    """Makes the clients of one process."""

    def __init__(self, topics: Mapping[str, Topic], process: Process) -> None:
        self.topics = topics
        self.process = process
        self._producers: list[_Producer] = []

    def consumer(self, settings: Mapping[str, Any]) -> "_Consumer":
        return _Consumer(self, settings)

    def producer(self, settings: Mapping[str, Any]) -> "_Producer":
        made = _Producer(self)
        self._producers.append(made)
        return made

    def admin(self, settings: Mapping[str, Any]) -> "_Admin":
        return _Admin(self)

    def die(self) -> None:
        """The process was killed: of what producers held, a part has reached the broker."""
        for producer in self._producers:
            producer.deliver(self.process.random.randint(0, len(producer.held)))


class _Consumer:
    def __init__(self, clients: Clients, settings: Mapping[str, Any]) -> None:
        self._clients = clients
        self._is_committed = settings.get("isolation.level", "read_committed") == "read_committed"
        self._skips_gone = settings["auto.offset.reset"] != "error"
        self._tells_end = settings["enable.partition.eof"]
        self._positions: dict[TopicPartition, int] = {}
        self._told: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._positions = {TopicPartition(one.topic, one.partition): one.offset for one in partitions}

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._paused.update(TopicPartition(one.topic, one.partition) for one in partitions)

    def consume(self, most: int, timeout: float) -> list[_Message]:
        """Up to so many; with a time to wait, all that there is."""
        messages: list[_Message] = []
        process = self._clients.process
        if not timeout and process.is_troubled(0.1):
            return [_Message(0, 0, None, KafkaError(KafkaError._TRANSPORT))]
        if not timeout:
            most = process.random.randint(0, min(most, 8))
        for one in self._positions:
            if one not in self._paused:
                messages += self._read(one, most)
        return messages

    def get_watermark_offsets(self, one: TopicPartition, *, cached: bool) -> tuple[int, int]:
        log = self._clients.topics[one.topic].partitions[one.partition]
        return log.start, log.end

    def commit(self, *, offsets: Sequence[TopicPartition], asynchronous: bool) -> None:
        """What a group has read is for others; a run never asks for it."""
        if self._clients.process.is_troubled(0.5):
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def close(self) -> None:
        self._positions = {}

    def _read(self, one: TopicPartition, most: int) -> list[_Message]:
        log = self._clients.topics[one.topic].partitions[one.partition]
        position = self._positions[one]
        end = log.stable_end if self._is_committed else log.end
        if position < log.start or position > log.end:
            if not self._skips_gone:
                return [_Message(one.partition, position, None, KafkaError(KafkaError._AUTO_OFFSET_RESET))]
            position = log.start
        messages = []
        while position < end and len(messages) < most:
            entry = log.record(position) if self._is_committed else log.entries[position]
            if isinstance(entry, Entry):
                messages.append(_Message(one.partition, position, entry))
            position += 1
        self._positions[one] = position
        if position == end and len(messages) < most and self._tells_end and self._told.get(one) != end:
            self._told[one] = end
            messages.append(_Message(one.partition, end, None, KafkaError(KafkaError._PARTITION_EOF)))
        return messages


class _Producer:
    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self.held: list[tuple[str, Entry, Callable[[None, None], None]]] = []

    def produce(
        self, topic: str, value: bytes, key: bytes | None, *, timestamp: int, on_delivery: Callable[[None, None], None]
    ) -> None:
        self._clients.process.effect(f"produce {topic} {value.decode()}")
        self.held.append((topic, Entry(timestamp, key, value), on_delivery))

    def poll(self, timeout: float) -> int:
        self.deliver(self._clients.process.random.randint(0, len(self.held)))
        return 0

    def flush(self, timeout: float) -> int:
        self._clients.process.effect("flush")
        self.deliver(len(self.held))
        return 0

    def purge(self) -> None:
        if not self._clients.process.is_dead:
            self.held.clear()

    def deliver(self, records: int) -> None:
        for topic, entry, on_delivery in self.held[:records]:
            partitions = self._clients.topics[topic].partitions
            partitions[sum(entry.key or b"") % len(partitions)].append(entry)
            on_delivery(None, None)
        del self.held[:records]


class _Admin:
    def __init__(self, clients: Clients) -> None:
        self._topics = clients.topics

    def describe_topics(self, topics: Any, *, request_timeout: float) -> Mapping[str, "Future[Any]"]:
        return {
            name: _done(SimpleNamespace(partitions=topic.partitions, topic_id=topic.id))
            for name, topic in self._topics.items()
        }

    def describe_configs(self, resources: Sequence[Any], *, request_timeout: float) -> Mapping[Any, "Future[Any]"]:
        topic = self._topics[resources[0].name]
        kind = "LogAppendTime" if topic.is_log_append_time else "CreateTime"
        return {resources[0]: _done({"message.timestamp.type": SimpleNamespace(value=kind)})}

    def list_offsets(
        self, wanted: Mapping[TopicPartition, Any], *, isolation_level: IsolationLevel, request_timeout: float
    ) -> Mapping[TopicPartition, "Future[Any]"]:
        answers = {}
        for one, spec in wanted.items():
            log = self._topics[one.topic].partitions[one.partition]
            end = log.stable_end if isolation_level == IsolationLevel.READ_COMMITTED else log.end
            answers[one] = _done(SimpleNamespace(offset=log.start if isinstance(spec, _EARLIEST) else end))
        return answers

    def poll(self, timeout: float) -> None:
        """No error waits."""


def _done(value: Any) -> "Future[Any]":
    answer: Future[Any] = Future()
    answer.set_result(value)
    return answer
