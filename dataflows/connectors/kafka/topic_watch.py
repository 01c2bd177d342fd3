"""Checks during a run that its topic is still the one that it started with, and has the same partitions."""

from concurrent.futures import Future
from time import monotonic
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from dataflows.connectors.kafka.client import BrokerError, client_settings
from dataflows.connectors.kafka.log import KafkaLog
from dataflows.connectors.kafka.topic import topic_id_of

__all__ = ["TopicWatch"]

_EVERY_S: Final = 5.0
"""How long it may go unseen: records of new partitions are read by nobody, and those of another topic are not ours."""

_ANSWERED_WITHIN_S: Final = 4.0


class TopicWatch:
    """Asks the broker about the topic of a log now and then, and waits for no answer."""

    def __init__(self, log: KafkaLog) -> None:
        self._log = log
        self._client = AdminClient(client_settings(log.location.brokers, log.properties))
        self._ask_s = monotonic() + _EVERY_S
        self._answer: Future[Any] | None = None

    def look(self) -> None:
        """Ask, or see whether there is an answer. An unavailable broker will answer another time.

        Raises:
            BrokerError: it is another topic, or has other partitions.
        """
        if self._answer is None:
            if monotonic() >= self._ask_s:
                self._ask_s = monotonic() + _EVERY_S
                topic = self._log.location.topic
                topics = TopicCollection([topic])
                self._answer = self._client.describe_topics(topics, request_timeout=_ANSWERED_WITHIN_S)[topic]
        elif self._answer.done():
            answer, self._answer = self._answer, None
            try:
                description = answer.result()
            except KafkaException:
                return
            self.check(topic_id_of(description), len(description.partitions))

    def check(self, topic_id: str | None, partitions: int) -> None:
        """Compare what the topic is now with what it was at the start.

        Raises:
            BrokerError: it is another topic, or has other partitions.
        """
        log = self._log
        if topic_id != log.topic_id:
            raise BrokerError(
                f"{log.location} was deleted, and another topic of that name is there now: start anew with another "
                "--state"
            )
        if log.bounded is None and partitions > log.partitions:
            raise BrokerError(
                f"{log.location} has {partitions} partitions now, and had {log.partitions}: devices have moved between "
                "them, so start anew with another --state"
            )
