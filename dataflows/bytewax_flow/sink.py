"""Writes predictions and rejections, each to a file or to a topic."""

from typing import Any

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from dataflows.bytewax_flow.file_sink import FileSink
from dataflows.bytewax_flow.kafka_sink import KafkaPartition
from dataflows.connectors.kafka.log import KafkaTarget
from dataflows.pipeline.record import OutputKind, OutputRecord

__all__ = ["OutputSink"]


class OutputSink(FixedPartitionedSink[OutputRecord, Any]):
    """A partition for each kind of output. Takes ``(kind, record)``."""

    def __init__(self, files: FileSink, targets: dict[OutputKind, KafkaTarget]) -> None:
        """Write the kinds in ``targets`` to their topics, and the others to their files."""
        self._files = files
        self._targets = targets
        self._kinds = sorted([*files.list_parts(), *targets])  # the order in which Bytewax numbers them

    def list_parts(self) -> list[str]:
        return self._kinds

    def part_fn(self, item_key: str) -> int:
        return self._kinds.index(item_key)

    def build_part(
        self, step_id: str, for_part: str, resume_state: bytes | None
    ) -> StatefulSinkPartition[OutputRecord, Any]:
        for kind, target in self._targets.items():
            if kind == for_part:
                return KafkaPartition(target)
        return self._files.build_part(step_id, for_part, resume_state)
