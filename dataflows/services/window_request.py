"""Evaluations as the bytes of a ``WindowBatch``, with one copy of each event on the way.

The windows of one device mostly hold the same events, in the same columns: the rows that any of them holds are sent
once. Building the message and serialising it would copy them several times. A message is the sequence of its fields, so
the small ones are written by the library, and the columns are joined behind them. Source: "Encoding", the Protocol
Buffers documentation, on length-delimited fields.
"""

from array import array
from typing import Final

from dataflows.services.chunks import Chunk
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import WindowBatch
from window_core import Columns

__all__ = ["window_request"]

_COLUMNS: Final = tuple(
    (bytes([WindowBatch.DESCRIPTOR.fields_by_name[name].number << 3 | 2]), value_bytes)  # 2: length-delimited
    for name, value_bytes in (("times", 8), ("sensor1", 4), ("sensor2", 4), ("sensor3", 4), ("sensor4", 4))
)


def window_request(chunk: Chunk) -> bytes:
    """The request for the features of a chunk: a serialised ``WindowBatch``."""
    evaluations = chunk.evaluations
    spans: dict[Columns, tuple[int, int]] = {}  # of each device's columns, the rows to send
    for _, _, _, _, columns, start, end in evaluations:  # the later one neither starts nor ends before the other
        spans[columns] = (spans[columns][0] if columns in spans else start, end)
    moves: dict[Columns, int] = {}  # how far they stand elsewhere in the request
    row = 0
    for columns, (start, end) in spans.items():
        moves[columns] = row - start
        row += end - start
    small = WindowBatch(
        evaluation_id=chunk.ids,
        device_id=[columns.device_id for _, _, _, _, columns, _, _ in evaluations],
        starts=array("I", [start + moves[columns] for _, _, _, _, columns, start, _ in evaluations]).tobytes(),
        ends=array("I", [end + moves[columns] for _, _, _, _, columns, _, end in evaluations]).tobytes(),
    )
    parts: list[bytes | memoryview] = [small.SerializeToString()]
    sent = zip(*[columns.rows(start, end) for columns, (start, end) in spans.items()], strict=True)
    for (tag, value_bytes), column in zip(_COLUMNS, sent, strict=True):
        parts += (tag, _varint(row * value_bytes), *column)
    return b"".join(parts)


def _varint(number: int) -> bytes:
    """A length as it stands on the wire: seven bits a byte, the lowest first.

    >>> _varint(300).hex()
    'ac02'
    """
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
