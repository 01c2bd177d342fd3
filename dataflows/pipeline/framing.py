"""The bytes in front of a value by which a schema registry's clients name its schema.

Confluent's wire format: a zero, the id of the schema (4 bytes, big-endian), and for Protobuf the place of the message
in its file: how many numbers, and these, each that of a message within the one before. All are varints in zigzag; a
single zero stands for the first message.
https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from typing import Final

from window_core import EventError

__all__ = ["SCHEMA_ID", "is_framed", "message_place", "unframed"]

SCHEMA_ID: Final = "schema_id"
"""What an ``INVALID`` names as the field at fault where the framing or the schema is."""

_HEAD_BYTES: Final = 5

_ID_BYTE_END: Final = 0x80
"""Registries number schemas by integers of 32 bits with a sign. Asked for a larger number, some answer a mere 404."""

_DEPTH_MAX: Final = 100
"""Messages within messages; the compiler of Protobuf allows fewer."""

_VARINT_BITS_MAX: Final = 32
"""No number of a message needs more."""


def is_framed(value: bytes) -> bool:
    """Whether a value begins as framed ones do; others may, too."""
    return len(value) >= _HEAD_BYTES and value[0] == 0 and value[1] < _ID_BYTE_END


def unframed(value: bytes) -> tuple[int, bytes]:
    """The id of the schema, and what comes behind it.

    Raises:
        EventError: there is no such head.

    >>> unframed(bytes([0, 0, 0, 1, 2]) + b"{}")
    (258, b'{}')
    """
    if not is_framed(value):
        raise EventError("not_an_event", SCHEMA_ID)
    return int.from_bytes(value[1:_HEAD_BYTES]), value[_HEAD_BYTES:]


def message_place(value: bytes) -> tuple[tuple[int, ...], bytes]:
    """Where in its file the message type stands, and the message.

    Args:
        value: what comes behind the id.
    Raises:
        EventError: it does not begin with such a place.

    >>> message_place(bytes([0, 8])), message_place(bytes([4, 2, 0, 8]))
    (((0,), b'\\x08'), ((1, 0), b'\\x08'))
    """
    length, at = _varint(value, 0)
    if not 0 <= length <= _DEPTH_MAX:
        raise EventError("not_an_event", SCHEMA_ID)
    place = []
    for _ in range(length):
        number, at = _varint(value, at)
        place.append(number)
    return tuple(place) or (0,), value[at:]


def _varint(value: bytes, at: int) -> tuple[int, int]:
    """A number, and where the next one begins."""
    number = 0
    for shift in range(0, _VARINT_BITS_MAX, 7):
        if at == len(value):
            break
        byte = value[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
    raise EventError("not_an_event", SCHEMA_ID)
