"""``latecomer run``: the pipeline, from a log to predictions."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from time import perf_counter
from typing import Any, Final

import click
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from dataflows.command_line.produce import write_events
from dataflows.connectors.kafka.client import kafka_location, read_properties
from dataflows.connectors.kafka.input_topic import Heartbeats
from dataflows.connectors.locations import STANDARD, Locations, is_parquet, located
from dataflows.connectors.log import Log, opened_log
from dataflows.pipeline.metrics import Metrics
from dataflows.services.client import Services
from dataflows.services.embedded import services_of
from dataflows.services.errors import ServiceError
from dataflows.settings import RunSettings, run_options, write_record
from dataflows.simulated_fleet import SimulatedFleet
from dataflows.summary import RejectionsSoFar, print_summary
from runtime.metrics_server import MetricsServer
from runtime.options import GroupedCommand
from runtime.pinned_packages import moved_packages
from runtime.terminal import Terminal

__all__ = ["run"]

_REFRESH_S: Final = 0.2

_TELL_EVERY_S: Final = 10.0
"""Often enough for whoever has just started a run, and no flood in a log file."""

_REQUIREMENTS: Final = Path(__file__).parents[2] / "requirements"
"""Of a checkout; an installed package has none."""


@click.command(cls=GroupedCommand)
@run_options
def run(**options: Any) -> None:
    """Turn events into predictions.

    Without options it simulates a day of a fleet, starts both services, and writes to latecomer-output. Every option
    can also be set in the environment, for example LATECOMER_RUN_INTERVAL=10h.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # both end a run from its first step on, also one in the background
        signal.signal(number, signal.default_int_handler)
    settings = RunSettings.of(**options)
    locations = located(settings)
    messages = Terminal(stderr=True, quiet=settings.quiet)
    if (moved := moved_packages(_REQUIREMENTS)) is not None:
        messages.warn(f"not the versions that are tested: {moved}; install with -c requirements/constraints.txt")
    metrics = Metrics(None if settings.log.has_end else messages.warn)  # what ends soon tells it in its summary
    log = opened_log(settings, locations, metrics, messages.tell)
    if settings.amendments.amend is not None:
        from dataflows.replay.amending_process import amended, check_amended  # numpy is loaded when it is needed

        check_amended(settings, messages.tell)
    with ExitStack() as stack:
        if locations.makes_sample:
            write_events(
                SimulatedFleet(interval_ms=settings.window.interval_ms, sensors=settings.log.sensors),
                locations.input,
                messages,
            )
        write_record(log.with_end(settings), locations.input)
        services = stack.enter_context(services_of(settings))
        if settings.log.heartbeat_ms is not None:
            topic = kafka_location("--input", locations.input)
            properties = read_properties(settings.broker.kafka_properties)
            stack.enter_context(Heartbeats(topic, properties, log.partitions, settings.log.heartbeat_ms))
        if settings.metrics_port is not None and settings.engine == "bytewax":  # Flink's job serves its own
            messages.tell(f"metrics: {_served_metrics(metrics, settings, stack)}")
        if settings.amendments.amend is not None:
            stack.enter_context(amended(settings, services, messages.warn))
        start = perf_counter()
        with (
            _progress(messages, metrics),
            _rejections_so_far(messages, metrics, settings),
            _parquet_at_the_end(locations) as files,
        ):
            _run_engine(settings, files, services, metrics, log)
        seconds = perf_counter() - start
    to_standard_error = STANDARD in (locations.predictions, locations.rejections)
    summary = Terminal(stderr=to_standard_error, quiet=settings.quiet)
    print_summary(summary, metrics, locations, seconds, settings.amendments.amend)
    refused = metrics.value("latecomer_rejections_total", reason="REFUSED")
    if refused and refused == sum(metrics.by_cause().values()):
        commonest = metrics.commonest_cause("REFUSED")
        assert commonest is not None
        raise ServiceError(f"every evaluation was refused, {refused:,} in all; {commonest.cause}")


def _served_metrics(metrics: Metrics, settings: RunSettings, stack: ExitStack) -> str:
    """Where to ask for them, for as long as the stack is not left."""
    assert settings.metrics_port is not None
    try:
        server = MetricsServer(metrics, settings.metrics_host, settings.metrics_port)
    except OSError as error:
        raise OSError(f"--metrics-port {settings.metrics_port}: {error.strerror}") from None
    stack.callback(server.close)
    return server.url


def _run_engine(settings: RunSettings, locations: Locations, services: Services, metrics: Metrics, log: Log) -> None:
    """Run the engine that was chosen; only that one is loaded."""
    if settings.engine == "flink":
        from dataflows.flink_job.run import run_on_flink

        run_on_flink(settings, locations, services, metrics, log)
    else:
        from dataflows.bytewax_flow.run import run_on_bytewax

        run_on_bytewax(settings, locations, services, metrics, log)


@contextmanager
def _parquet_at_the_end(locations: Locations) -> Iterator[Locations]:
    """Where the engine writes lines; those of a Parquet output are turned into it once they are complete."""
    outputs = {
        path: Path(path + ".lines") for path in (locations.predictions, locations.rejections) if is_parquet(path)
    }
    lines = locations._replace(
        predictions=str(outputs.get(locations.predictions, locations.predictions)),
        rejections=str(outputs.get(locations.rejections, locations.rejections)),
    )
    yield lines
    if outputs:
        from dataflows.connectors.parquet import written_as_parquet  # polars is loaded when it is needed

        for path, written in outputs.items():
            written_as_parquet(written, Path(path))


@contextmanager
def _rejections_so_far(messages: Terminal, metrics: Metrics, settings: RunSettings) -> Iterator[None]:
    """Tells what a run without an end rejects; that of one with an end stands in its summary."""
    if settings.log.has_end or messages.quiet:
        yield
        return
    so_far = RejectionsSoFar(messages, metrics)
    with _repeated(so_far.tell, _TELL_EVERY_S):
        yield


@contextmanager
def _progress(messages: Terminal, metrics: Metrics) -> Iterator[None]:
    """Shows on a terminal how far the run has come."""
    if not messages.is_terminal or messages.quiet:
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=messages, transient=True) as progress:
        task = progress.add_task("starting", total=None)

        def show() -> None:
            records = metrics.value("latecomer_records_total")
            evaluations = sum(metrics.by_cause().values())
            progress.update(task, description=f"{records:,} records, {evaluations:,} evaluations")

        with _repeated(show, _REFRESH_S):
            yield


@contextmanager
def _repeated(step: Callable[[], None], every_s: float) -> Iterator[None]:
    """Takes a step again and again, until it is left."""
    ended = Flag()

    def repeat() -> None:
        while not ended.wait(every_s):
            step()

    thread = Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
