"""The model of Bytewax's recovery against the real one: the same writes in the same order, the same states at a death.

A real run is made to die before any of its writes; what it leaves has to be a state that the model can leave, and what
the real one resumes from it has to be what the model resumes.
"""

import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

from dataflows.bytewax_flow.logic import DeviceLogic
from dataflows.bytewax_flow.sealed import sealed
from dataflows.services.client import Services
from tests.dataflows.bytewax_flow.states import StatefulRuns
from tests.dataflows.commands import sample_log
from tests.simulation.bytewax_database import Execution, Snapshot, new_database
from tests.simulation.process import Killed, Process

TABLES = {
    "exs": "ex_num, worker_count, resume_epoch",
    "fronts": "ex_num, worker_index, worker_frontier",
    "commits": "part_index, commit_epoch",
    "snaps": "step_id, state_key, snap_epoch, ser_change",
}
CHUNK = 3_000
"""Bytes of the log in an epoch."""

Content = dict[str, list[tuple[Any, ...]]]


class Write(NamedTuple):
    """A row that a real run has written, and which of all."""

    table: str
    row: tuple[Any, ...]


@pytest.fixture
def runs(tmp_path: Path, features_address: str, inference_address: str) -> StatefulRuns:
    runs = StatefulRuns(tmp_path, Services(features_address, inference_address), sample_log(devices=3, hours=1))
    runs.begin()
    runs.rows("CREATE TABLE written (number INTEGER PRIMARY KEY, name TEXT, a, b, c, d)")
    for table, columns in TABLES.items():
        values = ", ".join(f"new.{column}" for column in columns.split(", "))
        fields = ", ".join("abcd"[: columns.count(",") + 1])
        for kind in ("INSERT", "UPDATE"):
            note = f"INSERT INTO written (name, {fields}) VALUES ('{table}', {values})"
            runs.rows(f"CREATE TRIGGER note_{table}_{kind} AFTER {kind} ON {table} BEGIN {note}; END")
    return runs


def written(runs: StatefulRuns) -> list[Write]:
    rows = runs.rows("SELECT name, a, b, c, d FROM written ORDER BY number")
    return [Write(row[0], row[1 : TABLES[row[0]].count(",") + 2]) for row in map(tuple, rows)]


def dies_before(runs: StatefulRuns, number: int) -> bool:
    """Whether a run dies at the transaction in which its write of this number is."""
    condition = f"(SELECT count(*) FROM written) >= {number}"
    for table in TABLES:
        for kind in ("INSERT", "UPDATE"):
            abort = "BEGIN SELECT raise(ABORT, 'killed here'); END"
            runs.rows(f"CREATE TRIGGER die_{table}_{kind} BEFORE {kind} ON {table} WHEN {condition} {abort}")
    try:
        runs.run(chunk_bytes=CHUNK)
    except OSError as error:
        return "killed here" in str(error)
    finally:
        for table in TABLES:
            for kind in ("INSERT", "UPDATE"):
                runs.rows(f"DROP TRIGGER die_{table}_{kind}")
    return False


def real_content(runs: StatefulRuns) -> Content:
    return {table: sorted(map(tuple, runs.rows(f"SELECT {columns} FROM {table}"))) for table, columns in TABLES.items()}


def content(connection: sqlite3.Connection) -> Content:
    return {
        table: sorted(map(tuple, connection.execute(f"SELECT {columns} FROM {table}")))
        for table, columns in TABLES.items()
    }


def epochs_of(writes: list[Write]) -> list[tuple[int, list[Snapshot]]]:
    """The epochs of a run: the number and the snapshots."""
    epochs: dict[int, list[Snapshot]] = {}
    for table, row in writes:
        if table == "snaps":
            step, key, epoch, change = row
            epochs.setdefault(epoch, []).append((step, key, None if change is None else pickle.loads(change)))
        elif table == "fronts":
            epochs.setdefault(row[2] - 1, [])
    return sorted(epochs.items(), key=lambda found: found[0])


def model_state(writes: list[Write], kill_before: int | None = None, seed: int = 0) -> Content:
    """What the model's database holds after a run that makes these writes, or is killed before one of its own."""
    with closing(new_database()) as connection:
        with suppress(Killed):
            execution = Execution(connection, Process(f"states {seed}", kill_before, 0.0, []))
            for epoch, snapshots in epochs_of(writes):
                execution.end_epoch(epoch, snapshots)
        return content(connection)


def model_states(writes: list[Write]) -> Iterator[Content]:
    """What it may hold when the process dies; which snapshots share a transaction is a matter of chance."""
    for kill_before in reversed(range(len(writes) + 2)):
        for seed in range(4):
            yield model_state(writes, kill_before, seed)


def test_a_whole_run_writes_what_the_model_writes_in_the_order_of_the_model(runs: StatefulRuns) -> None:
    runs.run(chunk_bytes=CHUNK)
    writes = written(runs)
    order = [table for table, _ in groupby(writes, key=lambda write: write.table)]
    epochs = epochs_of(writes)
    assert len(epochs) > 3
    assert order == ["exs", *["snaps", "fronts", "commits"] * len(epochs)]
    assert real_content(runs) == model_state(writes)


@pytest.mark.parametrize("number", [0, 1, 3, 7, 8, 9, 16])
def test_a_run_that_dies_before_any_write_leaves_a_state_of_the_model_and_is_resumed_as_there(
    runs: StatefulRuns, number: int
) -> None:
    assert dies_before(runs, number)
    left = real_content(runs)
    assert any(left == state for state in model_states(written(runs)))
    with closing(new_database()) as copy:
        for table, rows in left.items():
            marks = ", ".join("?" * (TABLES[table].count(",") + 1))
            copy.executemany(f"INSERT INTO {table} ({TABLES[table]}) VALUES ({marks})", rows)
        resumed = Execution(copy, Process("resume", None, 0.0, []))
        expected = {state for (step, _), state in resumed.snapshots().items() if step == "latecomer.windows"}
    states: list[bytes] = []

    class Noted(DeviceLogic):
        def __init__(self, spec: Any, metrics: Any, state: bytes | None) -> None:
            super().__init__(spec, metrics, state)
            if state is not None:
                states.append(state)
                assert self.snapshot() == sealed(self._device.snapshot()) == state

    before = len(written(runs))
    with patch("dataflows.bytewax_flow.flow.DeviceLogic", Noted):
        runs.run(chunk_bytes=CHUNK)
    assert written(runs)[before] == Write("exs", (resumed.number, 1, resumed.epoch))
    assert set(states) == expected
