"""What Bytewax 0.21.1 reads and writes of its recovery database, and in which transactions.

Modelled from ``src/recovery.rs``: a run notes that it began (``exs``); at the end of each epoch the snapshots of it are
written, then the frontier of its only worker, then the commit, which removes the snapshots that newer ones replace.
Each is a transaction, and a process can die between any two. ``test_bytewax_database.py`` holds this against the real
one.
"""

import pickle
import sqlite3
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bytewax.recovery import init_db_dir

from dataflows.bytewax_flow.database import _INDEXES
from tests.simulation.process import Process

__all__ = ["Execution", "Snapshot", "new_database"]

Snapshot = tuple[str, str, Any]
"""The step, the key, and what the step gave; ``None``: it has nothing to keep any more."""


def new_database() -> sqlite3.Connection:
    """A database as ``make_database`` makes it, in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.executescript(_schema() + _INDEXES)
    return connection


@cache
def _schema() -> str:
    """The tables and rows of a database that the real Bytewax has made."""
    with TemporaryDirectory() as folder:
        init_db_dir(Path(folder), 1)
        made = sqlite3.connect(Path(folder) / "part-0.sqlite3")
        script = "\n".join(made.iterdump())
        made.close()
    return script


class Execution:
    """One run's use of the database.

    Attributes:
        epoch: the one that it resumes.
    """

    def __init__(self, connection: sqlite3.Connection, process: Process) -> None:
        self._connection = connection
        self._process = process
        self.number, self.epoch = self._resumed()
        self._write(
            f"exs {self.number} {self.epoch}",
            [("INSERT INTO exs (ex_num, worker_count, resume_epoch) VALUES (?, 1, ?)", (self.number, self.epoch))],
        )

    def snapshots(self) -> Mapping[tuple[str, str], Any]:
        """The last snapshot of each step and key from before the epoch that is resumed, if there is one."""
        found: dict[tuple[str, str], Any] = {}
        rows = self._connection.execute(
            "SELECT step_id, state_key, ser_change FROM snaps WHERE snap_epoch < ? ORDER BY snap_epoch", (self.epoch,)
        )
        for step, key, change in rows:
            found[step, key] = None if change is None else pickle.loads(change)
        return {place: state for place, state in found.items() if state is not None}

    def end_epoch(self, epoch: int, snapshots: Iterable[Snapshot]) -> None:
        """Write that an epoch is over: its snapshots, its frontier, the commit."""
        upsert = (
            "INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (step_id, state_key, snap_epoch) DO UPDATE SET ser_change = excluded.ser_change"
        )
        changes = [(step, key, epoch, None if state is None else pickle.dumps(state)) for step, key, state in snapshots]
        for part in self._parts(changes):
            self._write(f"snaps {epoch} {[change[:2] for change in part]}", [(upsert, change) for change in part])
        front = (
            "INSERT INTO fronts (ex_num, worker_index, worker_frontier) VALUES (?, 0, ?) "
            "ON CONFLICT (ex_num, worker_index) DO UPDATE SET worker_frontier = excluded.worker_frontier"
        )
        self._write(f"fronts {epoch + 1}", [(front, (self.number, epoch + 1))])
        commit = (
            "INSERT INTO commits (part_index, commit_epoch) VALUES (0, ?) "
            "ON CONFLICT (part_index) DO UPDATE SET commit_epoch = excluded.commit_epoch"
        )
        collect = (
            "DELETE FROM snaps WHERE snap_epoch < (SELECT MAX(newer.snap_epoch) FROM snaps AS newer WHERE "
            "newer.step_id = snaps.step_id AND newer.state_key = snaps.state_key AND newer.snap_epoch <= ?)"
        )
        self._write(f"commits {epoch}", [(commit, (epoch,)), (collect, (epoch,))])

    def _parts(self, changes: list[Any]) -> list[list[Any]]:
        """What goes into one transaction: what has come to the writer by the time at which it looks."""
        if len(changes) > 1 and self._process.random.random() < 0.5:
            cut = self._process.random.randrange(1, len(changes))
            return [changes[:cut], changes[cut:]]
        return [changes] if changes else []

    def _resumed(self) -> tuple[int, int]:
        """The number of this execution, and the first epoch that the last one has not ended."""
        last = self._connection.execute("SELECT ex_num, resume_epoch FROM exs ORDER BY ex_num DESC LIMIT 1")
        for number, first in last:
            front = "SELECT max(worker_frontier) FROM fronts WHERE ex_num = ?"
            [frontier] = self._connection.execute(front, (number,)).fetchone()
            return number + 1, frontier or first
        return 0, 1

    def _write(self, what: str, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        self._process.effect(what)
        self._connection.execute("BEGIN")
        for statement, values in statements:
            self._connection.execute(statement, values)
        self._connection.execute("COMMIT")
