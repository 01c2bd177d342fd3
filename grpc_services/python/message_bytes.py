"""Bounds a message before it becomes objects: it is decompressed up to a limit, and its fields are counted.

Both ends use it. gRPC decompresses without a limit (a request of 600 kB became 1.2 GB), so it is configured to leave
messages compressed. And an empty element of a repeated field is two bytes on the wire and some hundred in memory.
"""

import zlib
from typing import Final

from grpc_services.python.errors import RequestError, TooLargeError

__all__ = ["GZIP_ONLY", "IDENTITY_ONLY", "MAX_FIELDS", "check_fields", "unpacked"]

IDENTITY_ONLY: Final = (("grpc.compression_enabled_algorithms_bitset", 1),)
"""Options of a channel or server that refuses packed messages: identity is bit 0, deflate 1, gzip 2."""

GZIP_ONLY: Final = (("grpc.compression_enabled_algorithms_bitset", 0b101), ("grpc.per_message_decompression", 0))
"""Options of one that takes gzip, and gives messages as they came."""

MAX_FIELDS: Final = 1 << 18
"""Fields of a request, each element of a repeated one counted: 262,144 events of the original demo's form take 80 MB,
and a batch of the most rows has 196,608 and the names of its features."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
"""No message begins so: it would be a tag of wire type 7, which does not exist."""

_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS


def unpacked(data: bytes, max_bytes: int) -> bytes:
    """The message itself.

    Raises:
        TooLargeError: it is larger than that once unpacked; no more than that was held.
        RequestError: it is damaged.
    """
    if not data.startswith(_GZIP_MAGIC):
        return data
    unpacking = zlib.decompressobj(_GZIP_FORMAT)
    try:
        message = unpacking.decompress(data, max_bytes + 1)
    except zlib.error:
        raise RequestError("request: these bytes are not gzip") from None
    if len(message) > max_bytes:
        raise TooLargeError(f"request: larger than {max_bytes} bytes once unpacked")
    if not unpacking.eof or unpacking.unused_data:
        raise RequestError("request: these bytes are not gzip")
    return message


def check_fields(data: bytes, max_fields: int = MAX_FIELDS) -> None:
    """Refuse a message of too many fields. What is no message at all is left to the parser to say.

    Cost: nothing for a message too short to hold so many, else a step for each field until there are too many.

    Raises:
        TooLargeError: it has more than ``max_fields`` fields at its top level; none of ours nests a repeated field.
    """
    position, end = 0, len(data)
    if end <= 2 * max_fields:
        return
    for _ in range(max_fields):
        try:
            position = _after_field(data, position)
        except IndexError:
            return
        if position >= end:
            return
    raise TooLargeError(f"request: more than {max_fields} fields")


def _after_field(data: bytes, position: int) -> int:
    """Where the field that begins here ends; a group, which no message of ours has, counts as its parts."""
    kind = data[position] & 7
    while data[position] >= 0x80:
        position += 1
    position += 1
    if kind == 2:
        size = shift = 0
        while data[position] >= 0x80:
            size |= (data[position] & 0x7F) << shift
            shift += 7
            position += 1
        return position + 1 + (size | data[position] << shift)
    if kind == 0:
        while data[position] >= 0x80:
            position += 1
        return position + 1
    return position + {1: 8, 5: 4}.get(kind, 0)
