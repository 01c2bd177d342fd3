"""Writes outputs to a topic. An epoch ends only after the broker has acknowledged every record of it."""

from typing import Final

from bytewax.outputs import StatefulSinkPartition
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from dataflows.bytewax_flow.failure import fails_quietly
from dataflows.kafka_client import BrokerError, producer_settings
from dataflows.kafka_log import KafkaTarget
from dataflows.prediction_step import OutputRecord

__all__ = ["KafkaPartition"]

_PAUSE_S: Final = 0.1
"""How long one wait for the broker is, and so how soon an error or a Ctrl-C is seen."""


class KafkaPartition(StatefulSinkPartition[OutputRecord, None]):
    """A topic as the one partition of an output. It has no state: what was not acknowledged is made again."""

    @fails_quietly
    def __init__(self, target: KafkaTarget) -> None:
        self._target = target
        self._error: KafkaError | None = None
        self._producer = Producer(
            producer_settings(target.location.brokers, target.properties, target.max_message_bytes, self._on_error)
        )

    @fails_quietly
    def write_batch(self, items: list[OutputRecord]) -> None:
        topic = self._target.location.topic
        produce = self._producer.produce
        for record in items:
            while True:
                try:
                    produce(topic, record.value, record.key.encode() or None, on_delivery=self._on_delivery)
                    break
                except BufferError:  # the queue is full: the flow waits for the broker
                    self._producer.poll(_PAUSE_S)
                    self._check()
                except KafkaException as error:
                    raise self._refused(error.args[0]) from None
        self._producer.poll(0)
        self._check()

    @fails_quietly
    def snapshot(self) -> None:
        while self._producer.flush(_PAUSE_S):
            self._check()
        self._check()

    def close(self) -> None:
        self._producer.purge()  # on an orderly end nothing is left; else what is left will be made again

    def _check(self) -> None:
        if self._error is not None:
            raise self._refused(self._error)

    def _refused(self, error: KafkaError) -> BrokerError:
        advice = ""
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            advice = f"; raise max.message.bytes of the topic, which is {self._target.max_message_bytes}"
        return BrokerError(f"{self._target.location} did not take a record: {error.str()}{advice}")

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._error is None:
            self._error = error

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._error = error
