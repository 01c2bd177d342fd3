"""A state in one file, the same for both engines: what one of them saved, the other one begins with.

Layout, integers little-endian: magic and version, the size of the origin (uint32) and the origin as JSON; for each
device, by the bytes of its id, the size of the id (uint16), the id in UTF-8, the size of the rest (uint32), its
partition (int32) and its snapshot; a size of 0; the number of devices (uint64); SHA-256 of all before it. Equal states
are equal bytes. ``ExportedDevices.java`` reads the devices, too.
"""

import os
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final

import msgspec

from dataflows.saved_state.origin import Origin, SavedDevice
from runtime.written_files import naming
from window_core import SnapshotError, decoded_snapshot

__all__ = ["PARTITION", "read_devices", "read_origin", "write_portable_file"]

_VERSION: Final = 1
_MAGIC: Final = b"LCST"
_HEAD: Final = Struct("<4sHI")
_ID_SIZE: Final = Struct("<H")
_SIZE: Final = Struct("<I")
_COUNT: Final = Struct("<Q")

PARTITION: Final = Struct("<i")
"""In front of a snapshot; Flink's state has it, too."""

_DIGEST_BYTES: Final = 32
_PART_BYTES: Final = 1 << 20
_ORIGIN_MAX_BYTES: Final = 1 << 20
"""Far above any: 10,000 partitions take half of it."""


def write_portable_file(file: Path, origin: Origin, devices: Iterable[SavedDevice]) -> int:
    """Write a state, for its owner alone, whole or not at all.

    Args:
        file: it must not be there.
        origin: what the state belongs to.
        devices: in the order of the bytes of their ids.
    Returns:
        How many devices there are.
    Raises:
        FileExistsError: the file is there.
    """
    new = file.with_name(file.name + ".new")
    count = 0
    digest = sha256()
    with (
        naming(file),
        os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as to,
    ):

        def write(*parts: bytes) -> None:
            for part in parts:
                digest.update(part)
                to.write(part)

        encoded = msgspec.json.encode(origin)
        write(_HEAD.pack(_MAGIC, _VERSION, len(encoded)), encoded)
        for device_id, partition, snapshot in devices:
            key, value = device_id.encode(), PARTITION.pack(partition) + snapshot
            write(_ID_SIZE.pack(len(key)), key, _SIZE.pack(len(value)), value)
            count += 1
        write(_ID_SIZE.pack(0), _COUNT.pack(count))
        to.write(digest.digest())
        to.flush()
        os.fsync(to.fileno())
    try:
        os.link(new, file)  # unlike a rename, it replaces nothing
    finally:
        new.unlink()
    return count


def read_origin(file: Path, name: str) -> Origin:
    """What a state belongs to, once every byte of the file was checked.

    Args:
        file: the state.
        name: of it, for errors.
    Raises:
        SnapshotError: it is damaged, of another version, or no state.
    """
    with file.open("rb") as data:
        head = data.read(_HEAD.size)
        if len(head) < _HEAD.size or head[: len(_MAGIC)] != _MAGIC:
            raise SnapshotError(f"{name} is no file of latecomer state export")
        _, version, size = _HEAD.unpack(head)
        if version != _VERSION:
            raise SnapshotError(
                f"{name} has version {version}, this program reads version {_VERSION}: use the release that wrote it"
            )
        if size > _ORIGIN_MAX_BYTES or not _is_whole(data):
            raise SnapshotError(f"{name} is damaged: its checksum does not match its content")
        data.seek(_HEAD.size)
        try:
            return msgspec.json.decode(data.read(size), type=Origin)
        except (msgspec.DecodeError, ValueError) as error:
            raise SnapshotError(f"{name} is damaged: {error}") from None


def read_devices(file: Path, name: str) -> Iterator[SavedDevice]:
    """The devices of a state that ``read_origin`` has checked, in the order of the bytes of their ids.

    Raises:
        SnapshotError: a window was saved by another version.
    """
    with file.open("rb") as data:
        _, _, size = _HEAD.unpack(data.read(_HEAD.size))
        data.seek(size, os.SEEK_CUR)
        while id_size := _number(data, _ID_SIZE):
            device_id = data.read(id_size).decode()
            value = data.read(_number(data, _SIZE))
            snapshot = value[PARTITION.size :]
            try:
                decoded_snapshot(snapshot)
            except SnapshotError as error:
                raise SnapshotError(f"{name}: device {device_id}: {error}") from None
            yield SavedDevice(device_id, PARTITION.unpack_from(value)[0], snapshot)


def _number(data: BinaryIO, layout: Struct) -> int:
    number: int = layout.unpack(data.read(layout.size))[0]
    return number


def _is_whole(data: BinaryIO) -> bool:
    """Whether a file ends with the digest of what stands before."""
    left = data.seek(0, os.SEEK_END) - _DIGEST_BYTES
    data.seek(0)
    digest = sha256()
    while left > 0 and (part := data.read(min(left, _PART_BYTES))):
        digest.update(part)
        left -= len(part)
    return left == 0 and data.read() == digest.digest()
