"""Writes outputs to a topic. An epoch ends only after the broker has acknowledged every record of it."""

from bytewax.outputs import StatefulSinkPartition

from dataflows.connectors.kafka.log import KafkaTarget
from dataflows.connectors.kafka.writer import TopicWriter
from dataflows.pipeline.record import OutputRecord

__all__ = ["KafkaPartition"]


class KafkaPartition(StatefulSinkPartition[OutputRecord, None]):
    """A topic as the one partition of an output. It has no state: unacknowledged outputs are computed again."""

    def __init__(self, target: KafkaTarget) -> None:
        self._writer = TopicWriter(target.location, target.properties, target.max_message_bytes)

    def write_batch(self, items: list[OutputRecord]) -> None:
        for record in items:
            self._writer.write(record.value, record.key.encode() or None)
        self._writer.look()

    def snapshot(self) -> None:
        self._writer.settle()

    def close(self) -> None:
        self._writer.drop()  # on an orderly end nothing is left; else what is left will be made again
