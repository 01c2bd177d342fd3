"""Which records are looked at for the largest arrival, and what of a record counts, without a broker."""

from collections.abc import Mapping, Sequence

import pytest

from dataflows.connectors.kafka.client import KafkaLocation
from dataflows.connectors.kafka.last_arrival import LastArrival
from tests.dataflows.connectors.kafka.messages import Message, given
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


@pytest.mark.parametrize("arrival_ms", [-1, MAX_TIME_MS + 1])
def test_a_timestamp_that_is_no_time_does_not_count(arrival_ms: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, Message(7, 0), Message(8, arrival_ms), Message(9, MAX_TIME_MS))
    assert LastArrival(LOCATION, {}, 1_000, lambda line: None).of_all((0, 0, 0, 0), (0, 0, 0, 10)) == MAX_TIME_MS
    given(monkeypatch, Message(9, arrival_ms))
    assert LastArrival(LOCATION, {}, 1_000, lambda line: None).of_all((0, 0, 0, 0), (0, 0, 0, 10)) is None
