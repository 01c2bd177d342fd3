"""Makes Bytewax store nothing but bytes with a checksum.

Bytewax pickles what a step gives it, and a pickle runs what it names when it is loaded. So every snapshot, of a source,
a window or a sink, is one ``bytes`` object, and ``checked_pickle`` finds that out without loading the pickle.
"""

import pickle
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from zlib import crc32

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from window_core import SnapshotError

__all__ = [
    "SealedSink",
    "SealedSource",
    "checked_pickle",
    "loaded_pickle",
    "pickled",
    "pickled_state",
    "sealed",
    "unsealed",
]

_MAGIC: Final = b"latecomer/1:"
"""Begins each snapshot, so that it can be found in its pickle; with the version of what stands behind it."""

_CHECKSUM_BYTES: Final = 4
_PICKLE_END: Final = len(pickle.dumps(b"")) - pickle.dumps(b"").index(b"\x94")
"""What a pickle of bytes has behind them: two opcodes, which keep the object and end the pickle."""


def sealed(data: bytes) -> bytes:
    """A snapshot with its checksum."""
    data = _MAGIC + data
    return data + crc32(data).to_bytes(_CHECKSUM_BYTES, "big")


def unsealed(snapshot: bytes) -> bytes:
    """The bytes that were sealed.

    Raises:
        SnapshotError: they are damaged.
    """
    data, checksum = snapshot[:-_CHECKSUM_BYTES], snapshot[-_CHECKSUM_BYTES:]
    if not data.startswith(_MAGIC) or crc32(data).to_bytes(_CHECKSUM_BYTES, "big") != checksum:
        raise SnapshotError("a snapshot does not match its checksum")
    return data.removeprefix(_MAGIC)


def checked_pickle(stored: bytes) -> bytes:
    """Check a pickled snapshot before anything loads it.

    Returns:
        What was sealed.
    Raises:
        SnapshotError: it is anything but the pickle of a sealed snapshot, to the last bit.
    """
    snapshot = stored[max(stored.find(_MAGIC), 0) : -_PICKLE_END]
    if pickle.dumps(snapshot) != stored:
        raise SnapshotError("a snapshot is not the bytes that were pickled")
    return unsealed(snapshot)


def pickled(snapshot: bytes) -> bytes:
    """A sealed snapshot as Bytewax stores it."""
    return pickle.dumps(snapshot)


def pickled_state(state: Any) -> bytes:
    """What a source or a sink gives, as Bytewax stores it."""
    return pickled(_stored(state))


def loaded_pickle(stored: bytes) -> Any:
    """What a source or a sink gave, out of a pickle that was checked."""
    return _loaded(stored[stored.find(_MAGIC) : -_PICKLE_END])


class SealedSource(FixedPartitionedSource[Any, bytes]):
    """A source that seals the snapshots of another one, whatever they are made of."""

    def __init__(self, source: FixedPartitionedSource[Any, Any]) -> None:
        self._source = source

    def list_parts(self) -> list[str]:
        return self._source.list_parts()

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> "_SourcePartition":
        return _SourcePartition(self._source.build_part(step_id, for_part, _loaded(resume_state)))


class _SourcePartition(StatefulSourcePartition[Any, bytes]):
    def __init__(self, part: StatefulSourcePartition[Any, Any]) -> None:
        self._part = part

    def next_batch(self) -> Iterable[Any]:
        return self._part.next_batch()

    def next_awake(self) -> datetime | None:
        return self._part.next_awake()

    def snapshot(self) -> bytes:
        return _stored(self._part.snapshot())

    def close(self) -> None:
        self._part.close()


class SealedSink(FixedPartitionedSink[Any, bytes]):
    """A sink that seals the snapshots of another one."""

    def __init__(self, sink: FixedPartitionedSink[Any, Any]) -> None:
        self._sink = sink

    def list_parts(self) -> list[str]:
        return self._sink.list_parts()

    def part_fn(self, item_key: str) -> int:
        return self._sink.part_fn(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> "_SinkPartition":
        return _SinkPartition(self._sink.build_part(step_id, for_part, _loaded(resume_state)))


class _SinkPartition(StatefulSinkPartition[Any, bytes]):
    def __init__(self, part: StatefulSinkPartition[Any, Any]) -> None:
        self._part = part

    def write_batch(self, items: list[Any]) -> None:
        self._part.write_batch(items)

    def snapshot(self) -> bytes:
        return _stored(self._part.snapshot())

    def close(self) -> None:
        self._part.close()


def _stored(state: Any) -> bytes:
    return sealed(msgspec.msgpack.encode(state))


def _loaded(snapshot: bytes | None) -> Any:
    return None if snapshot is None else msgspec.msgpack.decode(unsealed(snapshot))
