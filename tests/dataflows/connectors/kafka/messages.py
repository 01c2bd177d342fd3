"""What a client of Kafka gives, without a broker, for what no broker can be made to say."""

from typing import Any

import pytest
from confluent_kafka import KafkaError

from dataflows.connectors.kafka import committed_records

__all__ = ["PARTITION", "Message", "given"]

PARTITION = 3


class Message:
    """A record, or an error of its partition."""

    def __init__(self, offset: int, arrival_ms: int = 0, error: int | None = None) -> None:
        self._offset, self._arrival_ms = offset, arrival_ms
        self._error = None if error is None else KafkaError(error)

    def error(self) -> KafkaError | None:
        return self._error

    def partition(self) -> int:
        return PARTITION

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, self._arrival_ms


def given(monkeypatch: pytest.MonkeyPatch, *messages: Message) -> None:
    """The next consumer gives these, one at a time, then nothing."""
    left = list(messages)

    class Consumer:
        def __init__(self, settings: dict[str, Any]) -> None:
            pass

        def assign(self, partitions: list[Any]) -> None:
            pass

        def pause(self, partitions: list[Any]) -> None:
            pass

        def consume(self, number: int, timeout: float) -> list[Message]:
            return [left.pop(0)] if left else []

        def close(self) -> None:
            pass

    monkeypatch.setattr(committed_records, "Consumer", Consumer)
