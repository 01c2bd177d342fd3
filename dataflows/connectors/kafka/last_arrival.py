"""Finds the largest valid arrival among the committed records of a topic, by reading them.

The broker's own answer about its largest timestamp is not used: it counts the markers and the open records of
transactions, and timestamps that are no times, and brokers before 3.0 have none.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from time import monotonic
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from dataflows.connectors.kafka.client import BrokerError, KafkaLocation, client_settings
from window_core import MAX_TIME_MS

__all__ = ["LastArrival"]

_TAIL_RECORDS: Final = 100
"""Offsets looked at first from the end of a partition: where they hold markers and aborted records only, ever more."""

_TAIL_GROWS: Final = 10

_AT_ONCE: Final = 10_000
"""Records taken from the client at once."""

_PAUSE_S: Final = 0.5
"""How long one poll waits for records, and so how soon a Ctrl-C is noticed."""

_SAY_AFTER_S: Final = 2.0

_PREFETCHED_KBYTES: Final = 32_768


class LastArrival:
    """Reads a topic for its largest arrival."""

    def __init__(
        self, location: KafkaLocation, properties: Mapping[str, str], wait_ms: int, say: Callable[[str], None]
    ) -> None:
        """Read nothing yet.

        Args:
            location: the topic.
            properties: those of the user's file.
            wait_ms: how long to wait for a broker that gives nothing.
            say: takes a line for the user.
        """
        self._location = location
        self._wait_s = wait_ms / 1000
        self._say = say
        self._began_s = monotonic()
        self._has_said = False
        self._settings = client_settings(
            location.brokers,
            properties,
            group_id="latecomer",  # the client wants a name; nothing is committed under it
            enable_auto_commit=False,
            enable_auto_offset_store=False,
            auto_offset_reset="earliest",  # what retention takes meanwhile is no part of the log any more
            isolation_level="read_committed",
            enable_partition_eof=True,
            fetch_wait_max_ms=50,
            queued_max_messages_kbytes=_PREFETCHED_KBYTES,
            fetch_queue_backoff_ms=10,
        )

    def of_all(self, starts: tuple[int, ...], ends: tuple[int, ...]) -> int | None:
        """The largest arrival where timestamps are the producers': each record is read once.

        Raises:
            BrokerError: the broker gives no records.
        """
        return max(self._read(dict(enumerate(zip(starts, ends, strict=True)))).values(), default=None)

    def of_tails(self, starts: tuple[int, ...], ends: tuple[int, ...]) -> int | None:
        """The largest arrival where timestamps are the broker's, which do not go back: that of the last records.

        Raises:
            BrokerError: the broker gives no records.
        """
        found: dict[int, int] = {}
        unread = dict(enumerate(zip(starts, ends, strict=True)))
        records = _TAIL_RECORDS
        while unread:
            tails = {number: (max(start, end - records), end) for number, (start, end) in unread.items()}
            found |= self._read(tails)
            unread = {
                number: (start, tails[number][0])
                for number, (start, _) in unread.items()
                if number not in found and tails[number][0] > start
            }
            records *= _TAIL_GROWS
        return max(found.values(), default=None)

    def _read(self, bounds: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        """The largest arrival of each partition that has one between a first offset and an end."""
        found: dict[int, int] = {}
        ends = {number: end for number, (start, end) in bounds.items() if start < end}
        if not ends:
            return found
        topic = self._location.topic
        with closing(Consumer(self._settings)) as consumer:
            consumer.assign([TopicPartition(topic, number, bounds[number][0]) for number in ends])
            heard_s = monotonic()
            while ends:
                messages = consumer.consume(_AT_ONCE, timeout=_PAUSE_S)
                heard_s = monotonic() if messages else heard_s
                self._look(heard_s)
                for message in messages:
                    number = message.partition()
                    if number in ends and self._is_last(message, ends[number], found):
                        del ends[number]
                        consumer.pause([TopicPartition(topic, number)])
        return found

    def _is_last(self, message: Message, end: int, found: dict[int, int]) -> bool:
        """Take note of a record, or of what the client says of its partition, and tell whether that was the last."""
        error, number, offset = message.error(), message.partition(), message.offset()
        assert number is not None
        assert offset is not None
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                return True
            if not (error.retriable() or error.code() in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}):
                raise BrokerError(f"{self._location}, partition {number}: {error.str()}")
            return False
        arrival_ms = message.timestamp()[1]
        if offset < end and found.get(number, -1) < arrival_ms <= MAX_TIME_MS:
            found[number] = arrival_ms
        return offset >= end - 1

    def _look(self, heard_s: float) -> None:
        """Give up on a broker that gives nothing, and tell what takes long."""
        now_s = monotonic()
        if now_s - heard_s > self._wait_s:
            raise BrokerError(f"{self._location}: the broker at {self._location.brokers} returns no records")
        if not self._has_said and now_s - self._began_s > _SAY_AFTER_S:
            self._has_said = True
            self._say(f"looking for the last arrival of {self._location.topic}; --until would spare it")
