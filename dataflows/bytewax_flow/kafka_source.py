"""Reads a topic, each partition with the clock of its devices, and keeps its offsets itself."""

from collections.abc import Sequence
from datetime import datetime
from threading import Event as Flag
from typing import Final

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from dataflows.bytewax_flow.partition import PartitionItems, PartitionState, SourceItem
from dataflows.bytewax_flow.waiting import AT_ONCE, SharedPause
from dataflows.connectors.kafka.client import BrokerError, client_settings
from dataflows.connectors.kafka.group_progress import GroupProgress
from dataflows.connectors.kafka.log import KafkaLog
from dataflows.connectors.kafka.topic_watch import TopicWatch
from dataflows.pipeline.record import Record
from dataflows.settings import RunSettings

__all__ = ["KafkaSource"]

_PREFETCHED_KBYTES: Final = 16_384
"""Of one partition; the client's own 64 MiB would be 512 MiB with eight partitions."""

_EMPTY_FETCH_MS: Final = 50
"""How long a broker waits for records before it answers that there are none; the end of a bounded log takes as long."""

_GONE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


class KafkaSource(FixedPartitionedSource[SourceItem, bytes]):
    """A partition for each partition of the topic that this process reads."""

    def __init__(self, log: KafkaLog, numbers: Sequence[int], settings: RunSettings, stopped: Flag) -> None:
        """Read the partitions of these numbers; once ``stopped`` is set, no further."""
        self._log = log
        self._numbers = numbers
        self._settings = settings
        self._stopped = stopped
        self._pause = SharedPause(settings.log.source_wait_ms)

    def list_parts(self) -> list[str]:
        return [str(number) for number in self._numbers]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> "_KafkaPartition":
        number = int(for_part)
        watch = TopicWatch(self._log) if number == self._numbers[0] else None  # one of them looks for all
        return _KafkaPartition(self._log, number, self._settings, self._stopped, self._pause, watch, resume_state)


class _KafkaPartition(StatefulSourcePartition[SourceItem, bytes]):
    def __init__(
        self,
        log: KafkaLog,
        number: int,
        settings: RunSettings,
        stopped: Flag,
        pause: SharedPause,
        watch: TopicWatch | None,
        state: bytes | None,
    ) -> None:
        self._log = log
        self._number = number
        self._stopped = stopped
        self._records_max = settings.log.source_records
        self._items = PartitionItems(log.reader(number), settings.window.spec)
        self._reader = self._items.reader
        self._end = None if log.bounded is None else log.bounded.end_offsets[number]
        self._has_ended = False
        self._watch = watch
        if state is not None:
            self._items.restore(msgspec.msgpack.decode(state, type=PartitionState))
        self._progress = GroupProgress(log, number, settings.log.group)
        client = client_settings(
            log.location.brokers,
            log.properties,
            enable_auto_commit=False,
            enable_auto_offset_store=False,
            auto_offset_reset="error",  # what retention has removed is not skipped in silence
            enable_partition_eof=log.bounded is not None,  # past markers of transactions, which are no records
            fetch_wait_max_ms=500 if log.bounded is None else _EMPTY_FETCH_MS,
            queued_max_messages_kbytes=_PREFETCHED_KBYTES,
            fetch_queue_backoff_ms=10,  # by default a full queue makes it wait for 1 s
        )
        self._consumer = Consumer({**client, **self._progress.client_settings()})
        self._consumer.assign([TopicPartition(log.location.topic, number, self._reader.next_offset)])
        self._place = TopicPartition(log.location.topic, number)
        self._lag = log.metrics.lag.labels(str(number))
        self._pause = pause
        pause.join()

    def next_batch(self) -> list[SourceItem]:
        if self._has_ended or self._stopped.is_set():
            raise StopIteration
        if self._reader.has_ended or (self._end is not None and self._reader.next_offset >= self._end):
            self._has_ended = True
            return self._items.at_end(self._log.end_ms(self._reader.clock_ms))
        if self._watch is not None:
            self._watch.look()
        self._progress.note(self._consumer, self._reader.next_offset)
        messages = self._consumer.consume(self._records_max, timeout=0)
        self._pause.after(len(messages))
        return self._items_of(messages) if messages else []

    def next_awake(self) -> datetime:
        return AT_ONCE

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode(self._items.snapshot())

    def close(self) -> None:
        self._pause.leave()
        self._progress.note(self._consumer, self._reader.next_offset, is_last=True)
        self._consumer.close()

    def _items_of(self, messages: list[Message]) -> list[SourceItem]:
        number = self._number
        records = []
        past = 0  # up to here the log is known to hold no further record for us
        for message in messages:
            error = message.error()
            if error is not None:
                past = max(past, self._past(error, message))
                continue
            offset = message.offset()
            assert offset is not None
            if self._end is not None and offset >= self._end:
                past = self._end
                break
            records.append(Record(number, offset, message.timestamp()[1], message.key(), message.value()))
        items = self._items.of(records)
        if not self._reader.has_ended and past > self._reader.next_offset:
            self._reader.next_offset = past
        _, end = self._consumer.get_watermark_offsets(self._place, cached=True)
        self._lag.set(max(end - self._reader.next_offset, 0))
        return items

    def _past(self, error: KafkaError, message: Message) -> int:
        """The end of the partition, if that is what the error says. An unavailable broker is waited for.

        Raises:
            BrokerError: the rest ends the run.
        """
        where = f"{self._log.location}, partition {self._number}"
        if error.code() == KafkaError._PARTITION_EOF:
            return message.offset() or 0
        if error.code() in _GONE:
            raise BrokerError(
                f"{where}: the records from offset {self._reader.next_offset} on are gone, by retention or with the "
                "topic; they cannot be made up for, so start anew with another --state"
            )
        if not (error.retriable() or error.code() in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}):
            raise BrokerError(f"{where}: {error.str()}")
        return 0
