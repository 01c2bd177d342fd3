"""A state of several processes: another number of them, a death on the way, and a flipped bit lose nothing of it."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from unittest.mock import patch

import numpy as np
import pytest

from dataflows.bytewax_flow.database import make_database, seal_database
from dataflows.bytewax_flow.databases import databases_in
from dataflows.bytewax_flow.recovery import opened_state, resumed
from dataflows.bytewax_flow.saved import resume_epoch, saved_by_bytewax
from dataflows.connectors.kafka.log import TOPIC_ID
from dataflows.saved_state.origin import Origin, Place, Position, SavedDevice
from dataflows.saved_state.portable_file import write_portable_file
from window_core import DeviceWindow, Event, SnapshotError, WindowSpec

PARTITIONS = 5
FLIPS = 100
SPEC = WindowSpec()
IDENTITY = {
    "engine": "bytewax", "input": f"kafka://broker:9092/events of {PARTITIONS} partitions", TOPIC_ID: "an id",
    "sensors": "sensor1,sensor2,sensor3,sensor4", "output": "kafka://broker:9092/predictions",
    "rejections": "kafka://broker:9092/rejections",
}  # fmt: skip


def window_of(device_id: str, events: int) -> bytes:
    window = DeviceWindow(SPEC, device_id)
    for number in range(events):
        time_ms = 1_600_000_000_000 + number * 1_000
        window.on_event(Event(device_id, time_ms, np.full(4, number, np.float32).tobytes()), time_ms)
    return window.snapshot()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with devices in all partitions but one."""
    devices = [SavedDevice(f"d{number:02}", number % 4, window_of(f"d{number:02}", number + 1)) for number in range(30)]
    positions = tuple(Position(100 + number, 1_600_000_100_000 + number) for number in range(PARTITIONS))
    origin = Origin(Place("events", "an id"), IDENTITY["sensors"], None, positions, {})
    file = tmp_path_factory.mktemp("exported") / "state"
    write_portable_file(file, origin, devices)
    return file


@pytest.fixture
def state(tmp_path: Path, exported: Path) -> Path:
    """The same in the databases of three processes."""
    return begun(tmp_path, exported, 3)


def begun(folder: Path, exported: Path, processes: int) -> Path:
    imported = folder / "imported"
    shutil.copy(exported, imported)
    databases = opened_state(folder / "state", IDENTITY, imported, processes)
    assert len(databases) == processes
    for database in databases:
        seal_database(database)
    return folder / "state"


def content(state: Path) -> bytes:
    """All that a state holds, as a portable file."""
    file = state.with_name("content")
    with saved_by_bytewax(state, IDENTITY) as (origin, devices):
        write_portable_file(file, origin, devices)
    try:
        return file.read_bytes()
    finally:
        file.unlink()


def opened(state: Path, processes: int) -> set[str]:
    """Open a state as a run of so many processes does; the partitions that it has."""
    return set(resumed(opened_state(state, IDENTITY, None, processes)).log)


def names(state: Path) -> set[str]:
    return {path.name for path in state.iterdir()}


def died(*_: object, **__: object) -> None:
    raise RuntimeError("killed here")


@pytest.mark.parametrize("numbers", [(1, 3, 2, 1), (3, 5, 2), (2, 1, 4)])
def test_a_state_is_the_same_whatever_the_number_of_processes_is(
    tmp_path: Path, exported: Path, numbers: tuple[int, ...]
) -> None:
    state = begun(tmp_path, exported, numbers[0])
    for number in numbers:
        assert opened(state, number) == set(map(str, range(PARTITIONS)))
        assert len(databases_in(state)) == number
        assert content(state) == exported.read_bytes()


def test_a_state_in_which_nothing_was_saved_yet_gets_other_processes(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for number in (3, 1, 2):
        assert opened(state, number) == set()
        assert len(databases_in(state)) == number


@pytest.mark.parametrize(
    "where",
    [
        "database.init_db_dir",  # folders without databases
        "saved.writable_database",  # empty databases
        "saved._devices",  # databases in the midst of their only transaction
        "databases.seal_database",  # whole ones, which the note does not name
        "databases.write_note",
        "databases.remove_leftovers",  # the note names the new ones, and all of the old ones are there
        "databases.rmtree",
    ],
)
@pytest.mark.parametrize("begins_with", [1, 3])
def test_a_death_on_the_way_to_another_number_leaves_the_old_state_or_the_new_one(
    tmp_path: Path, exported: Path, where: str, begins_with: int
) -> None:
    state = begun(tmp_path, exported, begins_with)
    if where == "databases.rmtree" and begins_with == 1:
        where = "databases.remove_database"
    with patch(f"dataflows.bytewax_flow.{where}", died), pytest.raises(RuntimeError, match="killed here"):
        opened_state(state, IDENTITY, None, 2)
    assert content(state) == exported.read_bytes()
    opened_state(state, IDENTITY, None, 2)
    assert content(state) == exported.read_bytes()
    assert len(names(state) & {"part-0.sqlite3", "databases-1", "databases-2"}) == 1


@pytest.mark.parametrize("number", range(4))
def test_a_death_between_any_two_removals_leaves_the_new_state(tmp_path: Path, exported: Path, number: int) -> None:
    state = begun(tmp_path, exported, 3)
    left = number
    unlink = Path.unlink

    def dies_then(path: Path) -> None:
        nonlocal left
        for file in sorted(path.rglob("*")):
            if file.is_file():
                left -= 1
                if left < 0:
                    raise RuntimeError("killed here")
                unlink(file)

    with patch("dataflows.bytewax_flow.databases.rmtree", dies_then), pytest.raises(RuntimeError, match="killed here"):
        opened_state(state, IDENTITY, None, 2)
    assert content(state) == exported.read_bytes()
    opened_state(state, IDENTITY, None, 3)
    assert content(state) == exported.read_bytes()


def test_every_flipped_bit_of_several_databases_is_found(state: Path, tmp_path: Path) -> None:
    random = Random(1)
    opened_state(state, IDENTITY, None, 2)
    whole = content(state)
    copy = tmp_path / "copy"
    for _ in range(FLIPS):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(state, copy)
        files = sorted(path for path in copy.rglob("*") if path.is_file() and path.stat().st_size)
        path = random.choice(files)
        data = bytearray(path.read_bytes())
        at = random.randrange(len(data))
        data[at] ^= 1 << random.randrange(8)
        path.write_bytes(data)
        with pytest.raises(SnapshotError, match="is damaged"):
            opened(copy, 2)
    assert content(state) == whole


def a_database_is_gone(state: Path) -> None:
    shutil.rmtree(databases_in(state)[1])


def the_note_is_gone(state: Path) -> None:
    (state / "latecomer.databases.json").unlink()


def two_have_changed_places(state: Path) -> None:
    one, other, _ = databases_in(state)
    one.rename(state / "it")
    other.rename(one)
    (state / "it").rename(other)


@pytest.mark.parametrize("change", [a_database_is_gone, the_note_is_gone, two_have_changed_places])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_state_of_which_a_part_is_missing_is_never_begun_anew(
    state: Path, change: Callable[[Path], None], number: int
) -> None:
    change(state)
    with pytest.raises(SnapshotError, match="is damaged"):
        opened(state, number)
    with pytest.raises(SnapshotError, match="is damaged"):
        content(state)


def test_a_run_of_several_workers_is_resumed_where_the_slowest_was(tmp_path: Path) -> None:
    """Such as an earlier version had, in threads of one process."""
    make_database(tmp_path)
    with closing(sqlite3.connect(tmp_path / "part-0.sqlite3")) as connection:
        connection.execute("INSERT INTO exs (ex_num, worker_count, resume_epoch) VALUES (0, 3, 4)")
        connection.execute("INSERT INTO fronts (ex_num, worker_index, worker_frontier) VALUES (0, 0, 7), (0, 2, 6)")
        assert resume_epoch(connection) == 4
        connection.execute("INSERT INTO fronts (ex_num, worker_index, worker_frontier) VALUES (0, 1, 9)")
        assert resume_epoch(connection) == 6
