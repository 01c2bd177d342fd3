"""A share of all devices, always the same ones."""

from typing import Final
from zlib import crc32

__all__ = ["Sample"]

_ALL: Final = 1 << 32


class Sample:
    """Contains the devices whose ids fall into a share of all hashes.

    >>> [device for device in map(str, range(20)) if device in Sample(0.2)]
    ['0', '4', '8', '11', '15', '19']
    """

    def __init__(self, share: float) -> None:
        self._end = share * _ALL

    def __contains__(self, device_id: object) -> bool:
        # With a text of our own in front: the bare hash decides when a device ticks.
        return crc32(f"sample/{device_id}".encode()) < self._end
