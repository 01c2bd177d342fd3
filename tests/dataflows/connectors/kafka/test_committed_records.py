"""What the client says of a partition, and where the reading of one ends."""

import pytest
from confluent_kafka import KafkaError

from dataflows.connectors.kafka.client import BrokerError, KafkaLocation
from dataflows.connectors.kafka.committed_records import committed_messages
from tests.dataflows.connectors.kafka.messages import PARTITION, Message, given

LOCATION = KafkaLocation("localhost:9092", "raw-events")
END = KafkaError._PARTITION_EOF


def offsets(wait_ms: int = 60_000) -> list[int]:
    """Of the records below offset 10 that are read."""
    bounds = {PARTITION: (0, 10)}
    return [one.offset() for batch in committed_messages(LOCATION, {}, bounds, wait_ms) for one in batch]


def test_the_record_before_the_end_is_the_last_one(monkeypatch: pytest.MonkeyPatch):
    given(monkeypatch, Message(7), Message(9), Message(11))
    assert offsets() == [7, 9]


def test_a_record_behind_the_end_ends_the_reading_and_is_not_read(monkeypatch: pytest.MonkeyPatch):
    given(monkeypatch, Message(7), Message(10), Message(8))
    assert offsets() == [7]


def test_the_end_of_a_partition_is_the_end_whatever_its_offset(monkeypatch: pytest.MonkeyPatch):
    given(monkeypatch, Message(4), Message(4, error=END), Message(5))
    assert offsets() == [4]


@pytest.mark.parametrize("code", [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN])
def test_a_broker_that_is_away_is_waited_for(code: int, monkeypatch: pytest.MonkeyPatch):
    given(monkeypatch, Message(-1001, error=code), Message(9))
    assert offsets() == [9]


def test_a_broker_that_gives_nothing_is_waited_for_as_long_as_was_said(monkeypatch: pytest.MonkeyPatch):
    given(monkeypatch)
    with pytest.raises(BrokerError, match="returns no records"):
        offsets(wait_ms=0)


def test_any_other_error_of_a_partition_is_told_with_its_number(monkeypatch: pytest.MonkeyPatch):
    given(monkeypatch, Message(-1001, error=KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(BrokerError, match="partition 3: "):
        offsets()


def test_records_that_retention_took_meanwhile_are_told(monkeypatch: pytest.MonkeyPatch):
    given(monkeypatch, Message(7), Message(8, error=KafkaError._AUTO_OFFSET_RESET))
    with pytest.raises(BrokerError, match="records were removed while they were read"):
        offsets()


def test_nothing_to_read_asks_no_broker():
    assert list(committed_messages(LOCATION, {}, {PARTITION: (5, 5)}, 1_000)) == []
