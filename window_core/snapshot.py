"""The bytes that the state of a device is stored as: canonical, versioned, with a checksum.

Layout, little-endian: magic and version, the number of sensors, the numbers of ``Snapshot``, the device id in UTF-8,
the times (int64), the rows (float32), CRC-32 of all before it. The same state gives the same bytes on every engine.
"""

from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from window_core.columns import TIME_BYTES, Columns

__all__ = [
    "NEVER_MS",
    "SNAPSHOT_MAGIC",
    "SNAPSHOT_VERSION",
    "Snapshot",
    "SnapshotError",
    "decoded_snapshot",
    "encoded_snapshot",
]

SNAPSHOT_VERSION: Final = 2

NEVER_MS: Final = -1
"""Stands for an instant that has not been: the newest event of an empty window, the last tick before the first."""

SNAPSHOT_MAGIC: Final = b"LCWN"
"""Begins each snapshot."""

_HEADER: Final = Struct("<4sHBHqqqqI")
_CHECKSUM: Final = Struct("<I")
_READING_BYTES: Final = 4


class SnapshotError(ValueError):
    """Stored bytes are no snapshot that this version can read; going on would lose or invent windows."""


class Snapshot(NamedTuple):
    """The state of one device.

    Attributes:
        device_id: the device that the state belongs to.
        session_ms: the arrival that opened the session.
        accepted_ms: the arrival of the last accepted event.
        ticked_ms: the last tick that fired, ``NEVER_MS`` before the first.
        seq: number of evaluations of the session so far.
        columns: the columns that hold the window, in the rows ``start`` to ``end``; no rows: the device has no state.
        start: first row.
        end: one past the last row.
    """

    device_id: str
    session_ms: int
    accepted_ms: int
    ticked_ms: int
    seq: int
    columns: Columns
    start: int
    end: int


def encoded_snapshot(state: Snapshot) -> bytes:
    """The bytes of a state: 49, the device id, and 8 + 4k an event. Cost: one copy of the columns."""
    device_id = state.device_id.encode()
    header = _HEADER.pack(
        SNAPSHOT_MAGIC,
        SNAPSHOT_VERSION,
        state.columns.row_bytes // _READING_BYTES,
        len(device_id),
        state.session_ms,
        state.accepted_ms,
        state.ticked_ms,
        state.seq,
        state.end - state.start,
    )
    body = b"".join((header, device_id, *state.columns.between(state.start, state.end)))
    return body + _CHECKSUM.pack(crc32(body))


def decoded_snapshot(data: bytes) -> Snapshot:
    """The state of which ``data`` are the bytes.

    Raises:
        SnapshotError: they were damaged, or written by another version.
    """
    if len(data) < _HEADER.size + _CHECKSUM.size or data[:4] != SNAPSHOT_MAGIC:
        raise SnapshotError("these bytes are not the snapshot of a window")
    _, version, width, id_size, session_ms, accepted_ms, ticked_ms, seq, events = _HEADER.unpack_from(data)
    if version != SNAPSHOT_VERSION:
        raise SnapshotError(
            f"the snapshot has version {version}, this program reads version {SNAPSHOT_VERSION}: "
            "start it with the release that wrote the state"
        )
    row_bytes = _READING_BYTES * width
    body_size = _HEADER.size + id_size + (TIME_BYTES + row_bytes) * events
    if len(data) != body_size + _CHECKSUM.size:
        raise SnapshotError(
            f"the snapshot is damaged: {len(data)} bytes where {body_size + _CHECKSUM.size} were written"
        )
    with memoryview(data) as view:
        if crc32(view[:body_size]) != _CHECKSUM.unpack_from(data, body_size)[0]:
            raise SnapshotError("the snapshot is damaged: its checksum does not match its content")
        at = _HEADER.size + id_size
        device_id = str(view[_HEADER.size : at], "utf-8")
        rows_at = at + TIME_BYTES * events
        held = view[at:rows_at].cast("q"), view[rows_at:body_size]
        columns = Columns.with_room(device_id, session_ms, row_bytes, held)
    return Snapshot(device_id, session_ms, accepted_ms, ticked_ms, seq, columns, 0, events)
