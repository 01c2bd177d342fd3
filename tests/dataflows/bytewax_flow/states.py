"""Runs over a file with a state, in this process, that can be made to die at any write of that state."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dataflows.bytewax_flow import file_source
from dataflows.bytewax_flow.databases import databases_in
from dataflows.bytewax_flow.recovery import opened_state
from dataflows.bytewax_flow.run import run_on_bytewax
from dataflows.connectors.file_log import FileLog
from dataflows.connectors.locations import Locations
from dataflows.pipeline.metrics import Metrics
from dataflows.services.client import Services
from dataflows.settings import RunSettings
from dataflows.state_folder import claim, held, identity_of
from tests.reference import Outputs, read_outputs

__all__ = ["StatefulRuns", "epochs", "refusing", "rows"]


class StatefulRuns:
    """Runs in one folder, from one file to two, one after another."""

    def __init__(self, folder: Path, services: Services, data: bytes) -> None:
        self.data = data
        self.state = folder / "state"
        self.predictions = folder / "predictions.jsonl"
        self.rejections = folder / "rejections.jsonl"
        self._folder = folder
        self._services = services
        self._log = folder / "events.jsonl"
        self._log.write_bytes(data)

    def copied(self, folder: Path) -> "StatefulRuns":
        """What was done so far, as if it had been done in another folder."""
        shutil.copytree(self._folder, folder)
        copy = StatefulRuns(folder, self._services, self.data)
        claim(copy.state, copy.identity)
        return copy

    @property
    def locations(self) -> Locations:
        return Locations(str(self._log), str(self.predictions), str(self.rejections), False)

    def run(self, *, chunk_bytes: int = 256 * 1024, epoch_ms: int = 1, **more: Any) -> None:
        """A run until the end of the log; by default an epoch ends with each chunk of it."""
        settings = RunSettings.of(**{"folder": str(self.state), "epoch_ms": epoch_ms, "timeout_ms": 60_000, **more})
        metrics = Metrics()
        with patch.object(file_source, "_CHUNK_BYTES", chunk_bytes):
            run_on_bytewax(settings, self.locations, self._services, metrics, FileLog(self.locations.input, metrics))

    @property
    def options(self) -> list[str]:
        """What says the same as ``locations`` and the state on a command line."""
        places = {"input": self._log, "output": self.predictions, "rejections": self.rejections, "state": self.state}
        return [word for name, place in places.items() for word in (f"--{name}", str(place))]

    @property
    def service_options(self) -> list[str]:
        return ["--features", self._services.features, "--inference", self._services.inference]

    @property
    def identity(self) -> dict[str, str]:
        return identity_of("bytewax", self.locations, FileLog(self.locations.input, Metrics()))

    def begin(self) -> None:
        """Make the state, as a run does first of all."""
        with held(self.state, self.identity):
            opened_state(self.state, self.identity)

    def dies(self, writes: str, when: str, **more: Any) -> bool:
        """Whether a run ends by it that the database of its state does not do what it is told.

        Args:
            writes: what it does not do, as ``INSERT UPDATE ON fronts``.
            when: of which rows.
            more: settings of the run.
        """
        try:
            with refusing(self.state, writes, when):
                self.run(**more)
        except OSError as error:
            return "killed here" in str(error)
        return False

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return rows(self.state, query)

    def epochs(self) -> int:
        return epochs(self.state)

    def outputs(self) -> Outputs:
        return read_outputs(self.predictions, self.rejections)


def rows(state: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query finds in the databases of a state."""
    found: list[tuple[Any, ...]] = []
    for database in databases_in(state):
        with closing(sqlite3.connect(database / "part-0.sqlite3", isolation_level=None)) as connection:
            found += connection.execute(query).fetchall()
    return found


def epochs(state: Path) -> int:
    """How many have ended, in all runs of a state so far; of several processes, in the one that is ahead."""
    if not (state / "latecomer.json").exists():
        return 0
    return max([0, *(frontier - 1 for (frontier,) in rows(state, "SELECT worker_frontier FROM fronts"))])


@contextmanager
def refusing(state: Path, writes: str, when: str) -> Iterator[None]:
    """Inside, the database of a state fails where it is told to do such writes, as ``INSERT UPDATE ON fronts``."""
    *kinds, _, table = writes.split()
    for kind in kinds:
        abort = "BEGIN SELECT raise(ABORT, 'killed here'); END"
        rows(state, f"CREATE TRIGGER test_{kind} BEFORE {kind} ON {table} WHEN {when} {abort}")
    try:
        yield
    finally:
        for kind in kinds:
            rows(state, f"DROP TRIGGER test_{kind}")
