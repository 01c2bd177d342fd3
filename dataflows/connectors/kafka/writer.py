"""Writes records to a topic, in order and each once, and reports what the broker refused."""

from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from dataflows.connectors.kafka.client import BrokerError, KafkaLocation, producer_settings

__all__ = ["TopicWriter"]

_PAUSE_S: Final = 0.1
"""How long one wait for the broker is, and so how soon an error or a Ctrl-C is seen."""


class TopicWriter:
    """A producer for one topic. Each of its methods raises ``BrokerError`` once the broker has refused a record."""

    def __init__(
        self, location: KafkaLocation, properties: Mapping[str, str], max_message_bytes: int | None = None
    ) -> None:
        """Nothing is connected yet.

        Args:
            location: the topic.
            properties: those of the user's file.
            max_message_bytes: largest batch that the topic takes; ``None`` if that is not known.
        """
        self._location = location
        self._max_message_bytes = max_message_bytes
        self._error: KafkaError | None = None
        self._producer = Producer(producer_settings(location.brokers, properties, max_message_bytes, self._on_error))

    def write(self, value: bytes, key: bytes | None, timestamp_ms: int = 0) -> None:
        """Begin to write a record; while the queue is full, wait for the broker.

        Args:
            value: of the record.
            key: of the record.
            timestamp_ms: counts where timestamps are the producers'; 0: now.
        """
        while True:
            try:
                self._producer.produce(
                    self._location.topic, value, key, timestamp=timestamp_ms, on_delivery=self._on_delivery
                )
                return
            except BufferError:
                self._producer.poll(_PAUSE_S)
                self._check()
            except KafkaException as error:
                raise self._refused(error.args[0]) from None

    def look(self) -> None:
        """Raise an error that has occurred so far, without waiting."""
        self._producer.poll(0)
        self._check()

    def settle(self) -> None:
        """Wait until the broker has acknowledged all."""
        while self._producer.flush(_PAUSE_S):
            self._check()
        self._check()

    def drop(self) -> None:
        """Give up what is not acknowledged."""
        self._producer.purge()

    def _check(self) -> None:
        if self._error is not None:
            raise self._refused(self._error)

    def _refused(self, error: KafkaError) -> BrokerError:
        advice = ""
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE and self._max_message_bytes is not None:
            advice = f"; raise max.message.bytes of the topic, which is {self._max_message_bytes}"
        return BrokerError(f"{self._location} refused a record: {error.str()}{advice}")

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        self._error = self._error or error

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._error = error
