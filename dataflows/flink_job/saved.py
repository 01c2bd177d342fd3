"""The state of a run on Flink as a state of any engine: read by a small job of Flink's own, which restores it.

So it does not matter how Flink keeps it: heap or RocksDB, checkpoint or savepoint, of how many subtasks.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from tempfile import TemporaryDirectory
from typing import Final

from dataflows.flink_job.causes import first_cause
from dataflows.flink_job.installation import check_installation
from dataflows.flink_job.run import JobError, environment
from dataflows.flink_job.state_reader import BACKENDS
from dataflows.flink_job.stopping import CHECKPOINTS, newest_state
from dataflows.saved_state.origin import Origin, Place, Position, SavedDevice
from dataflows.saved_state.portable_file import PARTITION, read_devices, read_origin
from dataflows.state_folder import IMPORTED_FILE, window_in, wrote_in_transactions
from runtime.errors import SettingsError
from window_core import SNAPSHOT_MAGIC, WindowSpec

__all__ = ["saved_by_flink", "saved_in_folder"]

_SIZE: Final = Struct(">i")
_JVM_LOCK: Final = "job.lock"

Saved = tuple[Origin, Iterator[SavedDevice]]


@contextmanager
def saved_in_folder(folder: Path, identity: Mapping[str, str]) -> Iterator[Saved]:
    """What the newest checkpoint or savepoint of a run on this machine holds; the folder has to be locked.

    Raises:
        SettingsError: nothing was saved yet, outputs may be uncommitted, or the JVM of a killed run is still there.
        JobError: it cannot be read.
    """
    with _without_jvm(folder):
        newest = newest_state(folder)
        if newest is None:
            file = folder / IMPORTED_FILE
            if not file.is_file():
                raise SettingsError(f"--state {folder} has saved nothing yet: no checkpoint of its run is complete")
            yield read_origin(file, str(file)), read_devices(file, str(file))
            return
        if wrote_in_transactions(folder) and CHECKPOINTS in newest.parts:
            raise SettingsError(
                f"--state {folder}: outputs may stand in a transaction that its run did not commit before it ended: "
                "start the run again, and stop it with Ctrl-C"
            )
        with saved_by_flink(newest, window_in(folder), (identity["state-backend"],)) as saved:
            yield saved


@contextmanager
def saved_by_flink(
    state: Path, window: WindowSpec | None = None, backends: tuple[str, ...] = tuple(BACKENDS)
) -> Iterator[Saved]:
    """What a checkpoint or savepoint of a stopped job holds.

    Args:
        state: its folder.
        window: the numbers of its windows, which Flink does not keep; ``None``: they are not known.
        backends: where its run may have kept windows.
    Raises:
        SettingsError: Java, the package or a jar is missing, or it has not all positions.
        JobError: it cannot be read.
    """
    check_installation()
    with TemporaryDirectory(prefix="latecomer-") as name:
        splits, devices = Path(name) / "splits", Path(name) / "devices"
        for backend in backends:
            failed = _job_error(state, BACKENDS[backend], splits, devices)
            if failed is None:
                break
        else:
            raise JobError(f"--state {state} cannot be read: {failed}")
        origin = _origin(splits.read_text(), window, state)
        yield origin, _devices(devices, origin, state)


def _job_error(state: Path, backend: str, splits: Path, devices: Path) -> str | None:
    """Run the job that reads a state; why it failed."""
    finished = subprocess.run(
        [sys.executable, "-m", "dataflows.flink_job.state_reader", str(state), backend, str(splits), str(devices)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment(splits.parent),
        check=False,
    )
    return first_cause(finished.stdout) if finished.returncode else None


def _origin(splits: str, window: WindowSpec | None, state: Path) -> Origin:
    """Everything but the devices, out of a line for each partition."""
    lines = sorted((line.split("\t") for line in splits.splitlines()), key=lambda line: int(line[0]))
    if not lines or [int(line[0]) for line in lines] != list(range(len(lines))):
        raise SettingsError(f"--state {state} was saved before its run read all partitions: take a later one")
    positions = tuple(
        Position(int(offset), None if int(clock_ms) < 0 else int(clock_ms)) for _, offset, clock_ms, *_ in lines
    )
    *_, topic, topic_id, sensors = lines[0]
    is_known = topic_id.strip("A") != ""
    in_librdkafka = topic_id.replace("-", "+").replace("_", "/")
    return Origin(Place(topic, in_librdkafka if is_known else None), sensors, window, positions, {})


def _devices(file: Path, origin: Origin, state: Path) -> Iterator[SavedDevice]:
    """The devices, in the order of the bytes of their ids. Their places alone are held in memory."""
    places: list[tuple[bytes, int]] = []
    with file.open("rb") as data:
        while head := data.read(_SIZE.size):
            key = data.read(_SIZE.unpack(head)[0])
            places.append((key, data.tell()))
            data.seek(_SIZE.unpack(data.read(_SIZE.size))[0], os.SEEK_CUR)
        for key, at in sorted(places):
            data.seek(at)
            value = data.read(_SIZE.unpack(data.read(_SIZE.size))[0])
            device_id = key.decode()
            if value.startswith(SNAPSHOT_MAGIC):
                if len(origin.partitions) > 1:
                    raise SettingsError(
                        f"--state {state}: device {device_id} was saved by an earlier version, which did not keep its "
                        "partition: run the job until the device has sent once more"
                    )
                yield SavedDevice(device_id, 0, value)
            else:
                yield SavedDevice(device_id, PARTITION.unpack_from(value)[0], value[PARTITION.size :])


@contextmanager
def _without_jvm(folder: Path) -> Iterator[None]:
    """Keep the JVM of a run away, which holds this lock: that of a killed run outlives it by seconds.

    Raises:
        SettingsError: it is still there.
    """
    if not (folder / _JVM_LOCK).exists():
        yield
        return
    with (folder / _JVM_LOCK).open("r+b") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsError(f"--state {folder} is in use by another run, or by what a killed one left") from None
        yield
