"""Which records are looked at for the largest arrival, and what of a record counts, without a broker."""

from collections.abc import Mapping, Sequence

import pytest
from confluent_kafka import KafkaError

from dataflows.connectors.kafka.client import BrokerError, KafkaLocation
from dataflows.connectors.kafka.last_arrival import LastArrival
from window_core import MAX_TIME_MS

LOCATION = KafkaLocation("localhost:9092", "events")


class Log(LastArrival):
    """A topic in memory: of each partition the arrivals, or ``None`` for markers and what was aborted.

    Attributes:
        reads: the offsets that were read, by partition, for each time that the topic was.
    """

    def __init__(self, *partitions: Sequence[int | None]) -> None:
        super().__init__(LOCATION, {}, 1_000, lambda line: None)
        self.partitions = partitions
        self.reads: list[dict[int, tuple[int, int]]] = []

    def _read(self, bounds: Mapping[int, tuple[int, int]]) -> dict[int, int]:
        self.reads.append(dict(bounds))
        found = {
            number: [ms for ms in self.partitions[number][start:end] if ms is not None]
            for number, (start, end) in bounds.items()
        }
        return {number: max(arrivals) for number, arrivals in found.items() if arrivals}

    @property
    def ends(self) -> tuple[int, ...]:
        return tuple(map(len, self.partitions))

    @property
    def starts(self) -> tuple[int, ...]:
        return (0,) * len(self.partitions)


def test_of_producers_timestamps_each_record_is_read_once() -> None:
    log = Log([9, 1], [3], [])
    assert log.of_all((0, 0, 0), (2, 1, 0)) == 9
    assert log.of_all((1, 0, 0), (2, 1, 0)) == 3
    assert log.reads == [{0: (0, 2), 1: (0, 1), 2: (0, 0)}, {0: (1, 2), 1: (0, 1), 2: (0, 0)}]


def test_of_the_brokers_timestamps_the_last_records_are_read() -> None:
    log = Log(range(1_000), range(50))
    assert log.of_tails(log.starts, log.ends) == 999
    assert log.reads == [{0: (900, 1_000), 1: (0, 50)}]


def test_a_tail_without_a_record_is_looked_at_ten_times_further_back_and_nothing_twice() -> None:
    log = Log([5, *[None] * 5_000], [7])
    assert log.of_tails(log.starts, log.ends) == 7
    assert log.reads == [{0: (4_901, 5_001), 1: (0, 1)}, {0: (3_901, 4_901)}, {0: (0, 3_901)}]


def test_a_partition_that_began_later_is_not_looked_at_before_its_beginning() -> None:
    log = Log([8, *[None] * 300])
    assert log.of_tails((1,), log.ends) is None
    assert log.reads == [{0: (201, 301)}, {0: (1, 201)}]


def test_a_topic_without_records_has_no_last_arrival() -> None:
    assert Log([], []).of_all((0, 0), (0, 0)) is None
    assert Log([], []).of_tails((0, 0), (0, 0)) is None
    assert LastArrival(LOCATION, {}, 1_000, lambda line: None).of_all((5,), (5,)) is None  # and asks no broker


class Message:
    """What the client gives: a record, or an error of its partition."""

    def __init__(self, offset: int, arrival_ms: int = 0, error: KafkaError | None = None) -> None:
        self._offset, self._arrival_ms, self._error = offset, arrival_ms, error

    def error(self) -> KafkaError | None:
        return self._error

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, self._arrival_ms


def looked_at(*messages: Message, end: int = 10) -> tuple[list[bool], dict[int, int]]:
    """Whether each message was the last one of its partition, and the largest arrival."""
    found: dict[int, int] = {}
    log = LastArrival(LOCATION, {}, 1_000, lambda line: None)
    return [log._is_last(message, end, found) for message in messages], found  # type: ignore[arg-type]


def test_the_record_before_the_end_is_the_last_one() -> None:
    assert looked_at(Message(7, 5), Message(8, 9), Message(9, 6)) == ([False, False, True], {3: 9})


def test_a_record_behind_the_end_ends_the_reading_and_does_not_count() -> None:
    assert looked_at(Message(7, 5), Message(10, 9)) == ([False, True], {3: 5})


@pytest.mark.parametrize("arrival_ms", [-1, MAX_TIME_MS + 1])
def test_a_timestamp_that_is_no_time_does_not_count(arrival_ms: int) -> None:
    assert looked_at(Message(7, arrival_ms)) == ([False], {})
    assert looked_at(Message(7, 0), Message(8, arrival_ms), Message(8, MAX_TIME_MS)) == ([False] * 3, {3: MAX_TIME_MS})


def test_the_end_of_a_partition_is_the_end_whatever_its_offset() -> None:
    assert looked_at(Message(4, error=KafkaError(KafkaError._PARTITION_EOF))) == ([True], {})


@pytest.mark.parametrize("code", [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN])
def test_a_broker_that_is_away_is_waited_for(code: int) -> None:
    assert looked_at(Message(-1001, error=KafkaError(code))) == ([False], {})


def test_any_other_error_of_a_partition_is_told_with_its_number() -> None:
    with pytest.raises(BrokerError, match="partition 3: "):
        looked_at(Message(-1001, error=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)))
