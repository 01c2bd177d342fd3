"""Evaluations as the bytes of a ``WindowBatch``, with one copy of the windows on the way.

Building the message and serialising it would copy each window several times. A message is the sequence of its fields,
so the small ones are written by the library, and the columns are joined behind them. Source: "Encoding", the Protocol
Buffers documentation, on length-delimited fields.
"""

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from grpc_services.python.stubs.latecomer.v1.batch_pb2 import WindowBatch
from window_core import Evaluation

__all__ = ["window_request"]

_COLUMNS: Final = tuple(
    (bytes([WindowBatch.DESCRIPTOR.fields_by_name[name].number << 3 | 2]), value_bytes)  # 2: length-delimited
    for name, value_bytes in (("times", 8), ("sensor1", 4), ("sensor2", 4), ("sensor3", 4), ("sensor4", 4))
)


def window_request(evaluations: Sequence[Evaluation]) -> bytes:
    """The request for the features of some evaluations, at least one: a serialised ``WindowBatch``."""
    offsets = array("I", accumulate((evaluation.events for evaluation in evaluations), initial=0))
    small = WindowBatch(
        evaluation_id=[evaluation.evaluation_id for evaluation in evaluations],
        device_id=[evaluation.device_id for evaluation in evaluations],
        offsets=offsets.tobytes(),
    )
    parts: list[bytes | memoryview] = [small.SerializeToString()]
    columns = zip(*[evaluation.window() for evaluation in evaluations], strict=True)
    for (tag, value_bytes), column in zip(_COLUMNS, columns, strict=True):
        parts += (tag, _varint(offsets[-1] * value_bytes), *column)
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
