"""In which partition the records of a device are, by the partitioners that producers have by default."""

from typing import Final
from zlib import crc32

__all__ = ["likely_partitions"]

_SEED: Final = 0x9747B28C
_FACTOR: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def likely_partitions(device_id: str, partitions: int) -> list[int]:
    """All partitions, the likely ones first: where Java's client puts the key (murmur2), and where librdkafka does.

    >>> likely_partitions("pump-7", 6)
    [0, 5, 1, 2, 3, 4]
    """
    key = device_id.encode()
    first = ((_murmur2(key) & 0x7FFFFFFF) % partitions, crc32(key) % partitions)
    return list(dict.fromkeys((*first, *range(partitions))))


def _murmur2(key: bytes) -> int:
    """The hash of ``org.apache.kafka.common.utils.Utils.murmur2``, unsigned.

    >>> _murmur2(b"foobar") == -790332482 & _MASK
    True
    """
    number = (_SEED ^ len(key)) & _MASK
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        part = int.from_bytes(key[at : at + 4], "little") * _FACTOR & _MASK
        part = (part ^ part >> 24) * _FACTOR & _MASK
        number = number * _FACTOR & _MASK ^ part
    if rest := key[whole:]:
        number = (number ^ int.from_bytes(rest, "little")) * _FACTOR & _MASK
    number = (number ^ number >> 13) * _FACTOR & _MASK
    return number ^ number >> 15
