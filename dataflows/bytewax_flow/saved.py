"""The state of a run on Bytewax as a state of any engine, and the other way round.

Bytewax resumes from snapshots of the steps of its flow. What is beside the windows in them, when each partition calls
its devices, follows from the windows: as far as they know, a device was heard last when its last event was accepted.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from dataflows.bytewax_flow.database import checked_database, seal_database, writable_database
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

__all__ = ["LOG_STEP", "OUTPUTS_STEP", "resume_epoch", "saved_by_bytewax", "seed_database"]

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


@contextmanager
def saved_by_bytewax(folder: Path, identity: Mapping[str, str]) -> Iterator[tuple[Origin, Iterator[SavedDevice]]]:
    """What the last whole epoch saved; the folder has to be locked, and stays as it is.

    Raises:
        SettingsError: no epoch has ended yet.
        SnapshotError: the state is damaged.
    """
    with checked_database(folder) as connection:
        epoch = resume_epoch(connection)
        parts = {part: loaded_pickle(data) for part, data in _snapshots(connection, LOG_STEP, epoch)}
        written = {kind: loaded_pickle(data) for kind, data in _snapshots(connection, OUTPUTS_STEP, epoch)}
        if not parts:
            raise SettingsError(f"--state {folder} has saved nothing yet: no epoch of its run has ended")
        place, partitions = _log_of(identity, parts)
        outputs = {
            kind: WrittenFile(identity[_FLAGS[kind]], msgspec.msgpack.decode(data, type=FileMark))
            for kind, data in written.items()
            if data is not None
        }
        positions = tuple(Position(part.next_offset, part.clock_ms) for part in partitions)
        origin = Origin(place, identity["sensors"], window_in(folder), positions, outputs)
        yield origin, _devices(connection, epoch, partitions)
    seal_database(folder)


def seed_database(folder: Path, file: Path, identity: Mapping[str, str]) -> None:
    """Have a new database hold a portable state, as if the first epoch had saved it.

    Args:
        folder: of the database.
        file: the portable state.
        identity: what the new state belongs to. An output that is a file is continued where it is the same one.
    """
    origin = read_origin(file, str(file))
    heard_ms: list[dict[str, int]] = [{} for _ in origin.partitions]
    with writable_database(folder) as connection:

        def save(step: str, key: str, stored: bytes) -> None:
            row = step, key, _EPOCH, stored
            connection.execute(
                "INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?)", row
            )

        for device_id, partition, snapshot in read_devices(file, str(file)):
            save(_WINDOWS_STEP, device_id, pickled(sealed(snapshot)))
            heard_ms[partition][device_id] = decoded_snapshot(snapshot).accepted_ms
        for number, (position, heard) in enumerate(zip(origin.partitions, heard_ms, strict=True)):
            state = PartitionState(position.next_offset, position.clock_ms, -1, heard)
            part: object = state if origin.log.mark is None else FileSnapshot(origin.log.mark, state)
            key = str(number) if origin.log.mark is None else _FILE
            save(LOG_STEP, key, pickled_state(msgspec.msgpack.encode(part)))
        for kind, written in origin.outputs.items():
            if identity[_FLAGS[kind]] == written.path:
                save(OUTPUTS_STEP, kind, pickled_state(msgspec.msgpack.encode(written.mark)))
        for statement in _ENDED:
            connection.execute(statement)


def _snapshots(connection: sqlite3.Connection, step: str, epoch: int) -> Iterator[tuple[str, bytes]]:
    """Those of a step at the beginning of an epoch, by the bytes of their keys; each was checked."""
    for key, stored, _ in connection.execute(_SNAPSHOTS, (step, epoch)):
        if stored is not None:
            checked_pickle(stored)
            yield key, stored


def _log_of(identity: Mapping[str, str], parts: dict[str, Any]) -> tuple[Place, list[PartitionState]]:
    """The log, and how far each of its partitions was read."""
    if _FILE in parts:
        snapshot = msgspec.msgpack.decode(parts[_FILE], type=FileSnapshot)
        return Place(path=identity["input"], mark=snapshot.mark), [snapshot.partition]
    location = identity["input"].partition(" ")[0]
    assert is_kafka(location)
    place = Place(kafka_location("--state", location).topic, identity.get(TOPIC_ID))
    return place, [msgspec.msgpack.decode(parts[str(number)], type=PartitionState) for number in range(len(parts))]


def _devices(connection: sqlite3.Connection, epoch: int, partitions: list[PartitionState]) -> Iterator[SavedDevice]:
    """The windows, each with the partition that heard its device last."""
    heard: dict[str, tuple[int, int]] = {}
    for number, partition in enumerate(partitions):
        for device_id, heard_ms in partition.heard_ms.items():
            heard[device_id] = max(heard.get(device_id, (-1, 0)), (heard_ms, number))
    for device_id, stored in _snapshots(connection, _WINDOWS_STEP, epoch):
        if device_id not in heard:
            raise SnapshotError(f"device {device_id} is in no partition")
        yield SavedDevice(device_id, heard[device_id][1], checked_pickle(stored))


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
