"""How far a topic was read, committed under a consumer group for Kafka's own tools; a run never reads it back."""

from time import monotonic
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from dataflows.connectors.kafka.log import KafkaLog

__all__ = ["GroupProgress"]

_EVERY_S: Final = 5.0
"""As often as Kafka's own clients commit by themselves."""


class GroupProgress:
    """Of one partition. What it cannot commit is one warning: the run does not depend on it."""

    def __init__(self, log: KafkaLog, number: int, group: str | None) -> None:
        """Commit nothing yet; without a group, never."""
        self._log = log
        self._number = number
        self._group = group
        self._committed = -1
        self._committed_s = monotonic()

    def client_settings(self) -> dict[str, Any]:
        """What the consumer needs for it. The client wants the name of a group, also where nothing is committed."""
        if self._group is None:
            return {"group.id": "latecomer"}
        return {"group.id": self._group, "on_commit": self._on_commit}

    def note(self, consumer: Consumer, offset: int, *, is_last: bool = False) -> None:
        """Everything below an offset was read; the last time, it is waited for."""
        if self._group is None or offset == self._committed:
            return
        now_s = monotonic()
        if not is_last and now_s - self._committed_s < _EVERY_S:
            return
        self._committed, self._committed_s = offset, now_s
        place = TopicPartition(self._log.location.topic, self._number, offset)
        try:
            if is_last:
                consumer.commit(offsets=[place], asynchronous=False)
            else:
                consumer.commit(offsets=[place], asynchronous=True)
        except KafkaException as error:
            self._on_commit(error.args[0], [place])

    def _on_commit(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        if error is not None:
            self._log.metrics.warn(
                "group", f"--group {self._group}: how far the topic was read could not be committed: {error.str()}"
            )
