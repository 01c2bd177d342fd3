"""Runs the flow on this machine until its input ends: in this process, or in several beside it."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial, singledispatch
from pathlib import Path
from threading import Event as Flag
from types import FrameType
from typing import Any

from dataflows.bytewax_flow.databases import without_orphans
from dataflows.bytewax_flow.file_sink import FileSink
from dataflows.bytewax_flow.file_source import FileSource
from dataflows.bytewax_flow.kafka_source import KafkaSource
from dataflows.bytewax_flow.one_process import Share, run_flow
from dataflows.bytewax_flow.processes import run_processes
from dataflows.bytewax_flow.recovery import SavedEnds, opened_state, resumed
from dataflows.bytewax_flow.sink import OutputSink
from dataflows.connectors.file_log import FileLog
from dataflows.connectors.kafka.log import KafkaLog, KafkaTarget, opened_target
from dataflows.connectors.locations import Locations, is_kafka
from dataflows.connectors.log import Log
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import OutputKind
from dataflows.saved_state.imported import imported_state
from dataflows.services.client import Services
from dataflows.settings import RunSettings
from dataflows.state_folder import held, identity_of, note_settings
from runtime.terminal import say

__all__ = ["run_on_bytewax"]


def run_on_bytewax(settings: RunSettings, locations: Locations, services: Services, metrics: Metrics, log: Log) -> None:
    """Read the log to its end, or resume from a saved state.

    An unbounded log is read until a signal stops the run gracefully. A second signal stops it at once.

    Raises:
        SettingsError: the state belongs to another run.
        ServiceError: a service failed.
        SnapshotError: the state cannot be read.
        OSError: an input or output failed.
        KeyboardInterrupt: a signal stopped the run.
    """
    processes = _processes(settings, locations, log)
    state, databases, lock, saved = settings.state.folder, list[Path](), None, SavedEnds({}, {})
    with ExitStack() as stack:
        if state is not None:
            folder, identity = Path(state), identity_of("bytewax", locations, log)
            stack.enter_context(held(folder, identity))
            imported = imported_state(folder, log, settings.state.from_export)
            databases = opened_state(folder, identity, imported, processes)
            lock = stack.enter_context(without_orphans(folder))
            saved = resumed(databases)
            note_settings(folder, settings.window.spec, settings.outputs.delivery)
        files, targets = _sink(locations, settings)
        stopped = Flag()
        stops = partial(_ended_by_signals, None if settings.log.has_end else stopped)
        if processes > 1:
            assert isinstance(log, KafkaLog)
            shares = [
                Share(settings, services, log, number, processes, targets, databases) for number in range(processes)
            ]
            with stops(lambda: None):
                run_processes(shares, metrics, stopped, lock)
            return
        database = databases[0] if databases else None
        source = _source(log, settings, stopped, saved.log)
        if state is not None:
            files.check(saved.outputs, state)
        files.begin(saved.outputs)
        run_flow(source, OutputSink(files, targets), settings, services, metrics, database, stops)


def _processes(settings: RunSettings, locations: Locations, log: Log) -> int:
    """In how many processes a run is: each reads partitions of its own, and none shares a file with another."""
    wanted = settings.parallelism
    if wanted == 1:
        return 1
    files = [f"{flag} {place}" for _, flag, place in _outputs(locations) if not is_kafka(place)]
    one = f"--input {locations.input} is a file" if not isinstance(log, KafkaLog) else None
    if one is None and files:
        one = f"{files[0]} is a file, which one process writes"
    if one is not None and not settings.quiet:
        say(f"--parallelism {wanted}: the run is one process, since {one}")
    return min(wanted, log.partitions) if one is None else 1


@singledispatch
def _source(log: Log, settings: RunSettings, stopped: Flag, saved: Mapping[str, bytes]) -> Any:
    """Bytewax's source of a log; what a state has saved of each part must fit it."""
    raise NotImplementedError(type(log))


@_source.register
def _file_source(log: FileLog, settings: RunSettings, stopped: Flag, saved: Mapping[str, bytes]) -> FileSource:
    source = FileSource(log, settings.window.spec)
    if saved:
        assert settings.state.folder is not None
        source.check(saved["file"], settings.state.folder)
    return source


@_source.register
def _topic_source(log: KafkaLog, settings: RunSettings, stopped: Flag, saved: Mapping[str, bytes]) -> KafkaSource:
    return KafkaSource(log, range(log.partitions), settings, stopped)


def _sink(locations: Locations, settings: RunSettings) -> tuple[FileSink, dict[OutputKind, KafkaTarget]]:
    """The outputs that are files, and those that are topics."""
    files: dict[OutputKind, str] = {}
    targets: dict[OutputKind, KafkaTarget] = {}
    for kind, flag, place in _outputs(locations):
        if is_kafka(place):
            targets[kind] = opened_target(flag, place, settings, _say_nothing)
        else:
            files[kind] = place
    return FileSink(files), targets


def _outputs(locations: Locations) -> tuple[tuple[OutputKind, str, str], ...]:
    return ("predictions", "--output", locations.predictions), ("rejections", "--rejections", locations.rejections)


def _say_nothing(line: str) -> None:
    """The topics were checked before, so there is nothing to wait for."""


@contextmanager
def _ended_by_signals(stopped: Flag | None, silence: Callable[[], None]) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM set ``stopped``; where it is set, or is none, they raise KeyboardInterrupt."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if stopped is not None and not stopped.is_set():
            stopped.set()
            return
        silence()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
