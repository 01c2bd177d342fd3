"""Runs the flow on this machine until its input ends."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from functools import singledispatch
from pathlib import Path
from threading import Event as Flag
from types import FrameType
from typing import Any

from bytewax.run import cli_main

from dataflows.bytewax_flow.database import seal_database
from dataflows.bytewax_flow.failure import cause_of, without_panics
from dataflows.bytewax_flow.file_sink import FileSink
from dataflows.bytewax_flow.file_source import FileSource
from dataflows.bytewax_flow.flow import latecomer_flow
from dataflows.bytewax_flow.kafka_source import KafkaSource
from dataflows.bytewax_flow.recovery import SavedEnds, opened_state
from dataflows.bytewax_flow.sink import OutputSink
from dataflows.connectors.file_log import FileLog
from dataflows.connectors.kafka.log import KafkaLog, KafkaTarget, opened_target
from dataflows.connectors.locations import Locations, is_kafka
from dataflows.connectors.log import Log
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.prediction_step import PredictionStep
from dataflows.pipeline.record import OutputKind
from dataflows.saved_state.imported import imported_state
from dataflows.services.client import ServiceClient, Services
from dataflows.settings import RunSettings
from dataflows.state_folder import held, identity_of, note_settings
from runtime.busy_process import OBJECTS_OF_BATCHES, prepare_for_load

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
    recovery, saved = None, SavedEnds({}, {})
    with ExitStack() as stack:
        if settings.state.folder is not None:
            folder, identity = Path(settings.state.folder), identity_of("bytewax", locations, log)
            stack.enter_context(held(folder, identity))
            imported = imported_state(folder, log, settings.state.from_export)
            recovery, saved = opened_state(folder, identity, imported)
            note_settings(folder, settings.window.spec, settings.outputs.delivery)
        files, targets = _sink(locations, settings)
        stopped = Flag()
        source = _source(log, settings, stopped, saved.log)
        if settings.state.folder is not None:
            files.check(saved.outputs, settings.state.folder)
        files.begin(saved.outputs)
        client = stack.enter_context(closing(ServiceClient(services, settings, metrics)))
        client.check()
        flow = latecomer_flow(
            source,
            OutputSink(files, targets),
            PredictionStep(client, settings.log.layout.sensors, metrics),
            settings.window.spec,
            metrics,
        )
        prepare_for_load(OBJECTS_OF_BATCHES)
        silence = stack.enter_context(without_panics())
        stack.enter_context(_ended_by_signals(None if settings.log.has_end else stopped, silence))
        try:
            cli_main(
                flow,
                workers_per_process=settings.parallelism,
                epoch_interval=timedelta(milliseconds=settings.state.epoch_ms),
                recovery_config=recovery,
            )
        except BaseException as error:
            raise cause_of(error, settings.state.folder) from None
        if settings.state.folder is not None:
            seal_database(Path(settings.state.folder))


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
    return KafkaSource(log, settings, stopped)


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
