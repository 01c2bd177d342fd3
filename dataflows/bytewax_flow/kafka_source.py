"""Reads a topic, each partition with the clock of its devices, and keeps its offsets itself: no consumer group."""

from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from time import monotonic
from typing import Final

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dataflows.bytewax_flow.clock import PartitionClock
from dataflows.bytewax_flow.failure import fails_quietly
from dataflows.bytewax_flow.file_source import SourceItem
from dataflows.kafka.client import BrokerError, client_settings
from dataflows.kafka.log import KafkaLog
from dataflows.prediction_step import OutputRecord
from dataflows.settings import RunSettings

__all__ = ["KafkaSource"]

_PREFETCHED_KBYTES: Final = 16_384
"""Of one partition; the client's own 64 MiB would be 512 MiB with eight partitions."""

_EMPTY_FETCH_MS: Final = 50
"""How long a broker thinks before it says that there is nothing: at the end of a bounded log, that is waited for."""

_PARTITIONS_LOOKED_AT_S: Final = 60
"""New partitions are read by nobody until a restart: how long that may go unseen."""

_GONE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


class _Snapshot(msgspec.Struct, array_like=True):
    offset: int
    now_ms: int
    heard_ms: dict[str, int]


class KafkaSource(FixedPartitionedSource[SourceItem, bytes]):
    """A partition for each partition of the topic."""

    def __init__(self, log: KafkaLog, settings: RunSettings, stopped: Flag) -> None:
        """Read ``log``; once ``stopped`` is set, no further."""
        self._log = log
        self._settings = settings
        self._stopped = stopped

    def list_parts(self) -> list[str]:
        return [str(number) for number in range(self._log.partitions)]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> "_KafkaPartition":
        return _KafkaPartition(self._log, int(for_part), self._settings, self._stopped, resume_state)


class _KafkaPartition(StatefulSourcePartition[SourceItem, bytes]):
    @fails_quietly
    def __init__(self, log: KafkaLog, number: int, settings: RunSettings, stopped: Flag, state: bytes | None) -> None:
        self._log = log
        self._number = number
        self._stopped = stopped
        self._records_max = settings.log.source_records
        self._pause = timedelta(milliseconds=settings.log.source_wait_ms)
        self._clock = PartitionClock(settings.window.spec)
        self._offset = log.first_offsets[number]
        self._end = None if log.bounded is None else log.bounded.end_offsets[number]
        self._until_ms = None if log.bounded is None else log.bounded.until_ms
        self._has_ended = False
        self._next_awake: datetime | None = None
        self._look_s = monotonic() + _PARTITIONS_LOOKED_AT_S
        if state is not None:
            snapshot = msgspec.msgpack.decode(state, type=_Snapshot)
            self._offset = snapshot.offset
            self._clock.restore(snapshot.now_ms, snapshot.heard_ms)
        self._consumer = Consumer(
            client_settings(
                log.location.brokers,
                log.properties,
                group_id="latecomer",  # the client wants a name; nothing is committed under it
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                auto_offset_reset="error",  # what retention has removed is not skipped in silence
                enable_partition_eof=log.bounded is not None,  # past markers of transactions, which are no records
                fetch_wait_max_ms=500 if log.bounded is None else _EMPTY_FETCH_MS,
                queued_max_messages_kbytes=_PREFETCHED_KBYTES,
                fetch_queue_backoff_ms=10,  # by default a full queue makes it wait for 1 s
            )
        )
        self._consumer.assign([TopicPartition(log.location.topic, number, self._offset)])

    @fails_quietly
    def next_batch(self) -> list[SourceItem]:
        if self._has_ended or self._stopped.is_set():
            raise StopIteration
        self._next_awake = None
        if self._end is not None and self._offset >= self._end:
            return self._last_items()
        self._look_at_partitions()
        messages = self._consumer.consume(self._records_max, timeout=0)
        if messages:
            return self._items(messages)
        self._next_awake = datetime.now(UTC) + self._pause
        return []

    def next_awake(self) -> datetime | None:
        return self._next_awake

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(_Snapshot(self._offset, *self._clock.snapshot()))

    def close(self) -> None:
        self._consumer.close()

    def _items(self, messages: list[Message]) -> list[SourceItem]:
        items: list[SourceItem] = []
        arrival_ms = None
        heard = 0
        for message in messages:
            error = message.error()
            if error is not None:
                self._on_error(error, message)
                continue
            offset = message.offset()
            assert offset is not None
            if self._end is not None and offset >= self._end:
                self._offset = self._end
                break
            self._offset = offset + 1
            arrival_ms = message.timestamp()[1]
            if self._until_ms is not None and arrival_ms > self._until_ms:
                continue
            record = self._log.record(message.value(), message.key(), arrival_ms, f"{self._number}/{offset}")
            heard += record is not None
            if record is None or isinstance(record, OutputRecord):
                items += self._clock.due_before(arrival_ms)
                if record is not None:
                    items.append(record)
            else:
                items += self._clock.before(record)
        self._log.metrics.records.inc(heard)
        if arrival_ms is not None:
            self._log.metrics.arrived(str(self._number), arrival_ms)
        return items

    def _last_items(self) -> list[SourceItem]:
        """What the end of a bounded log brings: the last instant of the clock."""
        self._has_ended = True
        return [] if self._until_ms is None else [*self._clock.due_at(self._until_ms)]

    def _on_error(self, error: KafkaError, message: Message) -> None:
        """A broker that is away is waited for; the rest ends the run."""
        where = f"{self._log.location}, partition {self._number}"
        if error.code() == KafkaError._PARTITION_EOF:
            self._offset = max(self._offset, message.offset() or 0)
        elif error.code() in _GONE:
            raise BrokerError(
                f"{where}: the records from offset {self._offset} on are gone, by retention or with the topic; they "
                "cannot be made up for, so start anew with another --state"
            )
        elif not (error.retriable() or error.code() in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}):
            raise BrokerError(f"{where}: {error.str()}")

    def _look_at_partitions(self) -> None:
        """Now and then see whether the topic has more partitions: their records would be read by nobody."""
        if self._number != 0 or self._end is not None or monotonic() < self._look_s:
            return
        self._look_s = monotonic() + _PARTITIONS_LOOKED_AT_S
        topic = self._log.location.topic
        try:
            partitions = len(self._consumer.list_topics(topic, timeout=1.0).topics[topic].partitions)
        except KafkaException:
            return
        if partitions > self._log.partitions:
            raise BrokerError(
                f"{self._log.location} has {partitions} partitions now, and had {self._log.partitions}: devices have "
                "moved between them, so start anew with another --state"
            )
