"""Runs the flow on this machine until its input ends."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import NoReturn

from bytewax.run import cli_main

from dataflows.bytewax_flow.failure import StandardError
from dataflows.bytewax_flow.file_sink import FileSink
from dataflows.bytewax_flow.file_source import FileSource
from dataflows.bytewax_flow.flow import latecomer_flow
from dataflows.bytewax_flow.recovery import opened_state
from dataflows.file_log import FileLog
from dataflows.locations import Locations
from dataflows.metrics import Metrics
from dataflows.prediction_step import PredictionStep
from dataflows.service_client import ServiceClient, Services
from dataflows.settings import RunSettings

__all__ = ["run_on_bytewax"]


def run_on_bytewax(
    settings: RunSettings, locations: Locations, services: Services, metrics: Metrics, log: FileLog
) -> None:
    """Read the log to its end, or go on from the state of a run that did not come so far.

    Raises:
        SettingsError: the state belongs to another run.
        ServiceError: a service could not be worked with.
        SnapshotError: the state cannot be read.
        OSError: an input or output failed.
        KeyboardInterrupt: a signal asked for an end.
    """
    recovery = None
    if settings.state is not None:
        identity = {
            "input": str(Path(locations.input).resolve()),
            "output": str(Path(locations.predictions).resolve()),
            "rejections": str(Path(locations.rejections).resolve()),
        }
        recovery = opened_state(Path(settings.state), identity)
    client = ServiceClient(services, settings, metrics)
    flow = latecomer_flow(
        FileSource(locations.input, log, settings.spec),
        FileSink({"predictions": locations.predictions, "rejections": locations.rejections}),
        PredictionStep(client, metrics),
        settings.spec,
        metrics,
    )
    with closing(client), StandardError.opened_at_the_end(), _interrupted_by_signals():
        try:
            cli_main(
                flow,
                workers_per_process=settings.parallelism,
                epoch_interval=timedelta(milliseconds=settings.epoch_ms),
                recovery_config=recovery,
            )
        except BaseException as error:
            raise _cause_of(error) from None


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Inside, SIGINT and SIGTERM raise KeyboardInterrupt, and nothing but that comes out."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        StandardError.shut()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _cause_of(error: BaseException) -> BaseException:
    """What one of our functions raised: Bytewax wraps it in errors of its own that say where it was called."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
