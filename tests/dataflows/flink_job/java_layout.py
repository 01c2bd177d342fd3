"""Java's half of the bytes that cross, written once more in Python for tests; golden bytes hold both to one layout."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import pack, unpack_from
from typing import Final

__all__ = [
    "CLAMPED",
    "CONTINUE",
    "FLUSH",
    "JUMPED",
    "RECORD",
    "REJECTED",
    "SAVE",
    "WAKE_UP",
    "batch",
    "golden",
    "messages",
    "record_frame",
    "wake_up",
]

CONTINUE, FLUSH, SAVE = range(3)
RECORD, WAKE_UP = range(2)
CLAMPED, JUMPED = 0x10, 0x20
REJECTED = 2
"""Added to the first byte of a record frame: its value is a rejection already."""

_GOLDEN: Final = (
    Path(__file__).parents[3] / "dataflows/flink_job/java/src/test/resources/io/latecomer/flink/golden.properties"
)


def golden() -> dict[str, bytes]:
    """The bytes that both languages are tested with."""
    lines = _GOLDEN.read_text(encoding="ascii").splitlines()
    pairs = (line.split(" = ") for line in lines if line and not line.startswith("#"))
    return {name: bytes.fromhex(text) for name, text in pairs}


def record_frame(arrival_ms: int, partition: int, offset: int, key: bytes | None, value: bytes | None) -> bytes:
    """As ``RecordFrame.row``."""
    kind = 0 if value is not None else 3 if key is not None else 1
    key_size = -1 if key is None else len(key)
    return pack(">bqiqi", kind, arrival_ms, partition, offset, key_size) + (key or b"") + (value or b"")


def wake_up(now_ms: int, key: bytes) -> bytes:
    """As ``DeviceOperator.onEventTime``."""
    return pack(">q", now_ms) + key


def batch(purpose: int, entries: Iterable[tuple[int, bytes, bytes | None]]) -> bytes:
    """As ``Batch``: of each entry the kind, the payload and the snapshot that is handed over."""
    parts = [pack(">b", purpose)]
    for kind, payload, snapshot in entries:
        parts += [pack(">bi", kind, len(payload)), payload]
        parts += [pack(">i", -1 if snapshot is None else len(snapshot)), snapshot or b""]
    return b"".join(parts)


def messages(answer: bytes) -> Iterator[tuple[int, bytes | None, bytes]]:
    """As ``Answer.read``: of each message the kind, the key and the value."""
    at = 0
    while at < len(answer):
        kind, key_size = unpack_from(">bi", answer, at)
        at += 5
        key = None if key_size < 0 else answer[at : at + key_size]
        at += max(key_size, 0)
        (size,) = unpack_from(">i", answer, at)
        at += 4
        yield kind, key, answer[at : at + size]
        at += size
