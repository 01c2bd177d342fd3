"""The contents of one request: evaluations, or the features of evaluations. Immutable, rows counted from 0."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dataflows.services.answers import Answer, Refusal
from grpc_services.python.batch_codec import MAX_EVENTS
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureBatch
from window_core import Columns, Evaluation

__all__ = ["Chunk", "FeatureRows", "Features", "chunks_of"]

_BYTES_BESIDE_EVENTS: Final = 36
"""Of a window, without its events and the id of its device: its column's number, room and rows, two bounds, lengths."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Evaluations that the feature service is asked about together; those of a device in their order.

    Attributes:
        evaluations: at least one, a row each.
    """

    evaluations: Sequence[Evaluation]

    def __len__(self) -> int:
        return len(self.evaluations)

    def part(self, start: int, end: int) -> "Chunk":
        """The rows ``start`` to ``end`` (not included)."""
        return Chunk(self.evaluations[start:end])

    def chosen(self, rows: Sequence[int]) -> "Chunk":
        return Chunk([self.evaluations[row] for row in rows])


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """The features of some evaluations, a row each: what the inference service is asked about together.

    Attributes:
        chunk: the evaluations.
        names: of the features, one for each column, each once.
        values: finite float32, row by row.
        message: a serialised ``FeatureBatch`` of just these rows, where the feature service has sent one.
    """

    chunk: Chunk
    names: Sequence[str]
    values: bytes
    message: bytes | None = None

    def __len__(self) -> int:
        return len(self.chunk)

    def part(self, start: int, end: int) -> "FeatureRows":
        """The rows ``start`` to ``end`` (not included)."""
        row_bytes = 4 * len(self.names)
        return FeatureRows(self.chunk.part(start, end), self.names, self.values[row_bytes * start : row_bytes * end])

    def chosen(self, rows: Sequence[int]) -> "FeatureRows":
        row_bytes = 4 * len(self.names)
        values = b"".join(self.values[row_bytes * row : row_bytes * (row + 1)] for row in rows)
        return FeatureRows(self.chunk.chosen(rows), self.names, values)

    def lists(self) -> list[list[float]]:
        """The values of each row."""
        if not self.names:
            return [[] for _ in range(len(self))]
        values: list[list[float]] = np.frombuffer(self.values, "<f4").reshape(-1, len(self.names)).tolist()
        return values

    def serialised(self) -> bytes:
        """These rows as a serialised ``FeatureBatch``; one that the feature service has sent is passed on as it is."""
        if self.message is not None:
            return self.message
        return FeatureBatch(rows=len(self), name=self.names, values=self.values).SerializeToString()


@dataclass(frozen=True, slots=True)
class Features:
    """What the feature service said about a chunk.

    Attributes:
        rows: the features of the evaluations that it did not refuse, in their order.
        refusals: by row of the chunk.
    """

    rows: FeatureRows
    refusals: dict[int, Refusal]

    @classmethod
    def refused(cls, chunk: Chunk, refusal: Refusal) -> "Features":
        """It refused the whole chunk."""
        return cls(FeatureRows(chunk.part(0, 0), (), b""), dict.fromkeys(range(len(chunk)), refusal))

    def completed(self, predictions: Sequence[Answer]) -> list[Answer]:
        """The answer to each evaluation of the chunk, from the answer to each of ``rows``."""
        if not self.refusals:
            return list(predictions)
        given = iter(predictions)
        rows = range(len(self.rows) + len(self.refusals))
        return [self.refusals[row] if row in self.refusals else next(given) for row in rows]


def chunks_of(evaluations: Sequence[Evaluation], windows_max: int, bytes_max: int) -> Iterator[Chunk]:
    """Cut evaluations into chunks of so many windows and bytes, and of the events that a server takes, at most.

    A window that is above a limit on its own goes alone.
    """
    sent: dict[Columns, int] = {}  # the row up to which the request holds these columns
    start = size = events = 0
    for row, (_, _, _, _, columns, first, last) in enumerate(evaluations):
        beside = len(columns.device_id.encode()) + _BYTES_BESIDE_EVENTS
        size += columns.event_bytes * (last - sent.get(columns, first)) + beside
        events += last - first
        if row > start and (row - start == windows_max or size > bytes_max or events > MAX_EVENTS):
            yield Chunk(evaluations[start:row])
            start, events = row, last - first
            size = columns.event_bytes * events + beside
            sent.clear()
        sent[columns] = last
    if start < len(evaluations):
        yield Chunk(evaluations[start:])
