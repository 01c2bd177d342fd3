"""The committed records of a topic between given offsets, each once."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from time import monotonic
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from dataflows.connectors.kafka.client import BrokerError, KafkaLocation, client_settings

__all__ = ["Bounds", "committed_messages"]

Bounds = Mapping[int, tuple[int, int]]
"""Of each partition that is read: its first offset, and the one behind its last."""

_AT_ONCE: Final = 10_000
"""Records taken from the client at once."""

_PAUSE_S: Final = 0.5
"""How long one poll waits for records, and so how soon a Ctrl-C is noticed."""

_PREFETCHED_KBYTES: Final = 32_768

_GONE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


def committed_messages(
    location: KafkaLocation,
    properties: Mapping[str, str],
    bounds: Bounds,
    wait_ms: int,
    *,
    skips_removed: bool = False,
    look: Callable[[], None] = lambda: None,
) -> Iterator[list[Message]]:
    """Records of partitions, many at once, those of a partition in their order.

    Args:
        location: the topic.
        properties: those of the user's file.
        bounds: what is read.
        wait_ms: how long to wait for a broker that gives nothing.
        skips_removed: what retention takes meanwhile is passed over; else it is an error.
        look: called now and then.
    Raises:
        BrokerError: the broker gives no records, or no longer has them.
    """
    ends = {number: end for number, (start, end) in bounds.items() if start < end}
    if not ends:
        return
    settings = client_settings(
        location.brokers,
        properties,
        group_id="latecomer",  # the client wants a name; nothing is committed under it
        enable_auto_commit=False,
        enable_auto_offset_store=False,
        auto_offset_reset="earliest" if skips_removed else "error",
        isolation_level="read_committed",
        enable_partition_eof=True,
        fetch_wait_max_ms=50,
        queued_max_messages_kbytes=_PREFETCHED_KBYTES,
        fetch_queue_backoff_ms=10,
    )
    with closing(Consumer(settings)) as consumer:
        consumer.assign([TopicPartition(location.topic, number, bounds[number][0]) for number in ends])
        heard_s = monotonic()
        while ends:
            messages = consumer.consume(_AT_ONCE, timeout=_PAUSE_S)
            heard_s = monotonic() if messages else heard_s
            if monotonic() - heard_s >= wait_ms / 1000:
                raise BrokerError(f"{location}: the broker at {location.brokers} returns no records")
            look()
            found = []
            for message in messages:
                number = message.partition()
                if number not in ends:
                    continue
                if _is_record(location, message) and (message.offset() or 0) < ends[number]:
                    found.append(message)
                if _is_last(message, ends[number]):
                    del ends[number]
                    consumer.pause([TopicPartition(location.topic, number)])
            yield found


def _is_record(location: KafkaLocation, message: Message) -> bool:
    """Whether it is a record, and not what the client says of its partition. An unavailable broker is waited for."""
    error = message.error()
    if error is None:
        return True
    where = f"{location}, partition {message.partition()}"
    if error.code() in _GONE:
        raise BrokerError(f"{where}: records were removed while they were read, by retention or with the topic")
    if error.code() != KafkaError._PARTITION_EOF and not (
        error.retriable() or error.code() in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}
    ):
        raise BrokerError(f"{where}: {error.str()}")
    return False


def _is_last(message: Message, end: int) -> bool:
    """Whether nothing of its partition follows below the end: what does may be markers of transactions."""
    error, offset = message.error(), message.offset()
    if error is not None:
        return error.code() == KafkaError._PARTITION_EOF
    return offset is not None and offset >= end - 1
