"""Runs of the shipped command on Bytewax, around which everything is simulated."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from threading import Event as Flag
from typing import Any
from unittest.mock import patch

from dataflows.bytewax_flow import databases, file_source, kafka_source, one_process, recovery, run, waiting
from dataflows.connectors import log as logs
from dataflows.connectors.locations import Locations
from dataflows.pipeline.metrics import Metrics
from dataflows.services.client import Services
from dataflows.settings import RunSettings
from tests.simulation.bytewax_database import new_database
from tests.simulation.bytewax_runtime import Runtime
from tests.simulation.kafka_clients import Clients
from tests.simulation.process import Process
from tests.simulation.seams import simulated_clients, simulated_services

__all__ = ["BytewaxState", "run_bytewax"]

_LOOKS_MAX = 20_000
"""More than any run of these sizes takes: one that goes on for longer hangs."""


class BytewaxState:
    """The database of a state, which outlives the processes that use it."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None

    def copied(self) -> bytes | None:
        return None if self.connection is None else self.connection.serialize()

    def restore(self, copy: bytes | None) -> None:
        if copy is not None:
            self.connection = sqlite3.connect(":memory:", isolation_level=None)
            self.connection.deserialize(copy)

    def make(self, folder: Path) -> None:
        self.connection = new_database()

    @contextmanager
    def checked(self, folder: Path) -> Iterator[sqlite3.Connection]:
        assert self.connection is not None
        yield self.connection


def run_bytewax(
    settings: RunSettings,
    locations: Locations,
    state: BytewaxState,
    clients: Clients,
    servers: Any,
    stops_after: int | None,
    look: Callable[[], None],
) -> None:
    """What ``latecomer run`` does between its settings and its summary.

    Args:
        settings: of the run.
        locations: where it reads and writes.
        state: its database.
        clients: its clients of Kafka.
        servers: both services.
        stops_after: looks at the clock after which a signal stops it; ``None``: none does.
        look: called as often.
    """
    process: Process = clients.process
    with ExitStack() as stack:
        simulated_clients(stack, clients)
        simulated_services(stack, servers, process)
        stack.enter_context(patch.object(kafka_source, "Consumer", clients.consumer))
        stack.enter_context(patch.object(waiting, "sleep", process.sleep))
        stack.enter_context(patch.object(file_source, "_CHUNK_BYTES", process.random.choice((40, 150, 400, 1 << 18))))
        stack.enter_context(patch.object(databases, "make_database", state.make))
        stack.enter_context(patch.object(recovery, "checked_database", state.checked))
        stack.enter_context(patch.object(one_process, "seal_database", lambda folder: None))
        stack.enter_context(patch.object(one_process, "prepare_for_load", lambda objects: None))
        stack.enter_context(patch.object(one_process, "without_panics", lambda: nullcontext(lambda: None)))
        flags: list[Flag | None] = []
        stack.enter_context(patch.object(run, "_ended_by_signals", lambda flag, _: nullcontext(flags.append(flag))))

        looks = 0

        def tick() -> None:
            nonlocal looks
            looks += 1
            assert looks < _LOOKS_MAX, "the run hangs"
            process.now_s += 0.001
            if looks == stops_after and flags[0] is not None:
                flags[0].set()
            look()

        def cli_main(flow: Any, *, epoch_interval: object, recovery_config: object) -> None:
            Runtime(flow, state.connection, process, tick).run()

        stack.enter_context(patch.object(one_process, "cli_main", cli_main))
        metrics = Metrics()
        log = logs.opened_log(settings, locations, metrics, lambda line: None)
        services = Services(settings.calls.features or "", settings.calls.inference or "")
        run.run_on_bytewax(settings, locations, services, metrics, log)
