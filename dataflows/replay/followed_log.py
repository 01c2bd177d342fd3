"""What is new in a topic: its records from where each partition was read to, up to its present end."""

from collections.abc import Callable, Iterator
from typing import Final

from dataflows.connectors.kafka.committed_records import committed_messages
from dataflows.connectors.kafka.log import KafkaLog
from dataflows.connectors.kafka.topic import TopicReader
from dataflows.connectors.kafka.topic_watch import TopicWatch
from dataflows.pipeline.record import Record

__all__ = ["FollowedLog"]


class FollowedLog:
    """A topic that is read again and again, each record once."""

    def __init__(self, log: KafkaLog, say: Callable[[str], None]) -> None:
        """Nothing is read yet.

        Args:
            log: the topic.
            say: takes a line for the user.
        """
        self._log: Final = log
        self._reader: Final = TopicReader("--input", log.location, log.properties, log.wait_ms, say)
        self._watch: Final = TopicWatch(log)
        self._at: dict[int, int] = dict(enumerate(log.first_offsets))

    def resume(self, offsets: dict[int, int]) -> None:
        """Read on from these offsets."""
        self._at |= offsets

    def new(self, look: Callable[[], None] = lambda: None) -> Iterator[list[Record]]:
        """The committed records since the last call, many at once, those of a partition in their order.

        Args:
            look: called now and then.
        Raises:
            BrokerError: the records are gone meanwhile, the topic is another one, or the broker is away.
        """
        self._watch.look()
        ends = self._reader.first_offsets(self._log.partitions, "latest")
        bounds = {number: (self._at[number], end) for number, end in enumerate(ends)}
        for messages in committed_messages(
            self._log.location, self._log.properties, bounds, self._log.wait_ms, look=look
        ):
            yield [
                Record(
                    message.partition() or 0,
                    message.offset() or 0,
                    message.timestamp()[1],
                    message.key(),
                    message.value(),
                )
                for message in messages
            ]
        self._at = {number: max(start, end) for number, (start, end) in bounds.items()}
