"""The state of a run on Bytewax as a state of any engine, and the other way round.

Bytewax resumes from snapshots of the steps of its flow. What is beside the windows in them, when each partition calls
its devices, follows from the windows: as far as they know, a device was heard last when its last event was accepted.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from heapq import merge
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from dataflows.bytewax_flow.database import checked_database, seal_database, writable_database
from dataflows.bytewax_flow.databases import databases_in, without_orphans
from dataflows.bytewax_flow.file_source import FileSnapshot
from dataflows.bytewax_flow.partition import PartitionState
from dataflows.bytewax_flow.sealed import checked_pickle, loaded_pickle, pickled, pickled_state, sealed
from dataflows.connectors.file_mark import FileMark
from dataflows.connectors.kafka.client import kafka_location
from dataflows.connectors.kafka.log import TOPIC_ID
from dataflows.connectors.locations import is_kafka
from dataflows.saved_state.origin import Origin, Place, Position, SavedDevice, WrittenFile
from dataflows.saved_state.portable_file import read_devices, read_origin
from dataflows.state_folder import window_in
from runtime.errors import SettingsError
from window_core import SnapshotError, decoded_snapshot

__all__ = [
    "LOG_STEP",
    "OUTPUTS_STEP",
    "check_process",
    "redistribute",
    "resume_epoch",
    "saved_by_bytewax",
    "seed_databases",
]

LOG_STEP: Final = "latecomer.log"
OUTPUTS_STEP: Final = "latecomer.outputs"
_WINDOWS_STEP: Final = "latecomer.windows"

_FILE: Final = "file"
"""The one part of a log that is a file; those of a topic are numbers."""

_FLAGS: Final = {"predictions": "output", "rejections": "rejections"}
"""The kinds of outputs, and what they are called in the identity of a state."""

_EPOCH: Final = 1
"""Of the snapshots of a state that was not saved by Bytewax: the first that there is, which has ended."""

_ENDED: Final = (
    f"INSERT INTO exs (ex_num, worker_count, resume_epoch) VALUES (0, 1, {_EPOCH})",
    f"INSERT INTO fronts (ex_num, worker_index, worker_frontier) VALUES (0, 0, {_EPOCH + 1})",
)
"""A run of one worker that began with that epoch, and came to its end."""

_SNAPSHOTS: Final = """
    SELECT state_key, ser_change, max(snap_epoch) FROM snaps WHERE step_id = ? AND snap_epoch < ?
    GROUP BY state_key ORDER BY state_key
"""
"""The last of each key: with a bare max() SQLite takes the other columns from its row. In the order of UTF-8 bytes."""

_SAVE: Final = "INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?)"

_Row: TypeAlias = tuple[int, str, str, bytes]
"""A snapshot: the partition it belongs to, its step and key, and what Bytewax stores of it."""


@contextmanager
def saved_by_bytewax(folder: Path, identity: Mapping[str, str]) -> Iterator[tuple[Origin, Iterator[SavedDevice]]]:
    """What the last whole epoch saved; the folder has to be locked, and stays as it is.

    Raises:
        SettingsError: no epoch has ended yet.
        SnapshotError: the state is damaged.
    """
    with without_orphans(folder), _opened(databases_in(folder)) as databases:
        parts = {part: loaded_pickle(stored) for part, stored in _of_log(databases)}
        written = {kind: loaded_pickle(stored) for one in databases for kind, stored in one.snapshots(OUTPUTS_STEP)}
        if len(parts) < _partitions(identity):
            raise SettingsError(f"--state {folder} has saved nothing yet: no epoch of its run has ended")
        place, partitions = _log_of(identity, parts)
        outputs = {
            kind: WrittenFile(identity[_FLAGS[kind]], msgspec.msgpack.decode(data, type=FileMark))
            for kind, data in written.items()
            if data is not None
        }
        positions = tuple(Position(part.next_offset, part.clock_ms) for part in partitions)
        origin = Origin(place, identity["sensors"], window_in(folder), positions, outputs)
        found = ((saved, checked_pickle(stored)) for saved, stored in _devices(databases, dict(enumerate(partitions))))
        yield origin, (SavedDevice(device_id, partition, window) for (device_id, partition), window in found)


def seed_databases(folders: list[Path], file: Path, identity: Mapping[str, str]) -> None:
    """Have new databases hold a portable state, as if the first epoch had saved it.

    Args:
        folders: of the databases, one for each process.
        file: the portable state.
        identity: what the new state belongs to. An output that is a file is continued where it is the same one.
    """
    origin = read_origin(file, str(file))
    heard_ms: list[dict[str, int]] = [{} for _ in origin.partitions]

    def rows() -> Iterator[_Row]:
        for device_id, partition, snapshot in read_devices(file, str(file)):
            yield partition, _WINDOWS_STEP, device_id, pickled(sealed(snapshot))
            heard_ms[partition][device_id] = decoded_snapshot(snapshot).accepted_ms
        for number, (position, heard) in enumerate(zip(origin.partitions, heard_ms, strict=True)):
            state = PartitionState(position.next_offset, position.clock_ms, -1, heard)
            part: object = state if origin.log.mark is None else FileSnapshot(origin.log.mark, state)
            key = str(number) if origin.log.mark is None else _FILE
            yield number, LOG_STEP, key, pickled_state(msgspec.msgpack.encode(part))
        for kind, written in origin.outputs.items():
            if identity[_FLAGS[kind]] == written.path:
                yield 0, OUTPUTS_STEP, kind, pickled_state(msgspec.msgpack.encode(written.mark))

    _save(folders, rows())


def redistribute(old: list[Path], new: list[Path]) -> None:
    """Have new databases hold what the last whole epochs saved in others, each snapshot as it is.

    Args:
        old: the folders of the databases of a topic's state.
        new: those of the new ones, which are empty.
    """
    with _opened(old) as databases:
        log = {int(key): stored for key, stored in _of_log(databases)}
        partitions = {
            number: msgspec.msgpack.decode(loaded_pickle(stored), type=PartitionState) for number, stored in log.items()
        }

        def rows() -> Iterator[_Row]:
            for number, stored in log.items():
                yield number, LOG_STEP, str(number), stored
            for (device_id, partition), stored in _devices(databases, partitions):
                yield partition, _WINDOWS_STEP, device_id, stored

        _save(new, rows())


def _save(folders: list[Path], rows: Iterable[_Row]) -> None:
    """Have new databases hold snapshots, each that of the process which reads its partition."""
    with ExitStack() as stack:
        databases = [stack.enter_context(writable_database(folder)) for folder in folders]
        for partition, step, key, stored in rows:
            databases[partition % len(databases)].execute(_SAVE, (step, key, _EPOCH, stored))
        for database in databases:
            for statement in _ENDED:
                database.execute(statement)


class _Database(NamedTuple):
    """One of the databases of a state, and the epoch that its process resumes with."""

    connection: sqlite3.Connection
    epoch: int

    def snapshots(self, step: str) -> Iterator[tuple[str, bytes]]:
        """Those of a step at the beginning of the epoch, by the bytes of their keys; each was checked."""
        for key, stored, _ in self.connection.execute(_SNAPSHOTS, (step, self.epoch)):
            if stored is not None:
                checked_pickle(stored)
                yield key, stored


@contextmanager
def _opened(folders: list[Path]) -> Iterator[list[_Database]]:
    """The databases of a state, which stay as they are."""
    with ExitStack() as stack:
        connections = [stack.enter_context(checked_database(folder)) for folder in folders]
        yield [_Database(connection, resume_epoch(connection)) for connection in connections]
    for folder in folders:
        seal_database(folder)


def check_process(part: str, number: int, processes: int) -> None:
    """Check that a part of a log is in the database of the process that reads it.

    Raises:
        SnapshotError: it is not.
    """
    if part != _FILE and int(part) % processes != number:
        raise SnapshotError(f"partition {part} is in the database of process {number} of {processes}")


def _of_log(databases: list[_Database]) -> Iterator[tuple[str, bytes]]:
    """How far each part of the log was read. Raises as ``check_process`` does."""
    for number, database in enumerate(databases):
        for part, stored in database.snapshots(LOG_STEP):
            check_process(part, number, len(databases))
            yield part, stored


def _partitions(identity: Mapping[str, str]) -> int:
    """How many partitions the log of a state has."""
    location, _, number = identity["input"].removesuffix(" partitions").rpartition(" of ")
    return int(number) if is_kafka(location) else 1


def _log_of(identity: Mapping[str, str], parts: dict[str, Any]) -> tuple[Place, list[PartitionState]]:
    """The log, and how far each of its partitions was read."""
    if _FILE in parts:
        snapshot = msgspec.msgpack.decode(parts[_FILE], type=FileSnapshot)
        return Place(path=identity["input"], mark=snapshot.mark), [snapshot.partition]
    location = identity["input"].partition(" ")[0]
    assert is_kafka(location)
    place = Place(kafka_location("--state", location).topic, identity.get(TOPIC_ID))
    return place, [msgspec.msgpack.decode(parts[str(number)], type=PartitionState) for number in range(len(parts))]


def _devices(
    databases: list[_Database], partitions: Mapping[int, PartitionState]
) -> Iterator[tuple[tuple[str, int], bytes]]:
    """The windows by the bytes of their ids, each with the partition that heard its device last."""
    heard: dict[str, tuple[int, int]] = {}
    for number, partition in partitions.items():
        for device_id, heard_ms in partition.heard_ms.items():
            heard[device_id] = max(heard.get(device_id, (-1, 0)), (heard_ms, number))

    def of_process(number: int, database: _Database) -> Iterator[tuple[tuple[str, int], bytes]]:
        for device_id, stored in database.snapshots(_WINDOWS_STEP):
            if device_id not in heard:
                raise SnapshotError(f"device {device_id} is in no partition")
            partition = heard[device_id][1]
            if partition % len(databases) == number:  # else its device has moved, and is another process's now
                yield (device_id, partition), stored

    yield from merge(*map(of_process, range(len(databases)), databases), key=lambda found: found[0][0].encode())


def resume_epoch(connection: sqlite3.Connection) -> int:
    """The epoch that Bytewax starts with: the first that one of the last run's workers has not ended.

    Source: ``resume_from`` in src/recovery.rs of Bytewax. A worker of which there is no frontier has ended none.
    """
    last = connection.execute("SELECT ex_num, worker_count, resume_epoch FROM exs ORDER BY ex_num DESC LIMIT 1")
    for number, workers, first_epoch in last:
        frontiers: dict[int, int] = dict.fromkeys(range(workers), first_epoch)
        written = "SELECT worker_index, worker_frontier FROM fronts WHERE ex_num = ?"
        for worker, frontier in connection.execute(written, (number,)):
            frontiers[worker] = max(frontier, frontiers.get(worker, frontier))
        return min(frontiers.values())
    return 1  # where there was no run, or it died before it had written that it began
