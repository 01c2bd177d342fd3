"""One process of a run: the flow over some partitions of a topic, or over the whole log.

``python -m dataflows.bytewax_flow.one_process`` is one of several. It is given its share by its standard input, and
reports by its standard output, to ``processes.py``; what is said there is pickled. Signals are not for it: the run
that has started it tells it to stop, and it ends at once when that run is gone.
"""

import os
import pickle
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from io import FileIO
from pathlib import Path
from struct import Struct
from threading import Event as Flag
from threading import Thread
from typing import Any, Final

from bytewax.inputs import FixedPartitionedSource
from bytewax.run import cli_main

from dataflows.bytewax_flow.database import seal_database
from dataflows.bytewax_flow.failure import cause_of, without_panics
from dataflows.bytewax_flow.file_sink import FileSink
from dataflows.bytewax_flow.flow import latecomer_flow
from dataflows.bytewax_flow.kafka_source import KafkaSource
from dataflows.bytewax_flow.recovery import recovery_of
from dataflows.bytewax_flow.sink import OutputSink
from dataflows.connectors.kafka.log import KafkaLog, KafkaTarget
from dataflows.pipeline.first_records import FirstRecords
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.prediction_step import PredictionStep
from dataflows.pipeline.record import OutputKind
from dataflows.services.client import ServiceClient, Services
from dataflows.settings import RunSettings
from runtime.busy_process import OBJECTS_OF_BATCHES, prepare_for_load
from runtime.errors import CommandError
from runtime.opened_traces import opened_traces
from runtime.traces import RUN_IN_TRACES
from window_core import SnapshotError

__all__ = ["SIZE", "Share", "run_flow"]

SIZE: Final = Struct("<Q")
"""In front of a share: how long it is."""

_REPORT_EVERY_S: Final = 0.2


@dataclass(frozen=True)
class Share:
    """What one of several processes works on.

    Attributes:
        settings: of the run.
        services: those that it asks.
        log: the topic, with the ends that the run has looked up once for all processes.
        number: of the process, from 0 on.
        processes: how many there are: partition p belongs to process p modulo that.
        targets: the topics of its outputs.
        databases: the folders of the databases of the state, by the numbers of the processes; none without a state.
    """

    settings: RunSettings
    services: Services
    log: KafkaLog
    number: int
    processes: int
    targets: dict[OutputKind, KafkaTarget]
    databases: list[Path]

    @property
    def partitions(self) -> Sequence[int]:
        return range(self.number, self.log.partitions, self.processes)

    def pickled(self) -> bytes:
        """What another process is given: the rest of the log it makes by itself."""
        made_there: Any = {"metrics": None, "first_records": None, "layout": None}
        return pickle.dumps(replace(self, log=replace(self.log, **made_there)))

    def run(self, metrics: Metrics, stopped: Flag) -> None:
        """Read the partitions to their ends, or until ``stopped`` is set. Raises as ``run_flow`` does."""
        read = self.settings.log
        first_records = FirstRecords(str(self.log.location), is_framed=read.schema_registry is not None, stops=False)
        log = replace(self.log, metrics=metrics, first_records=first_records, layout=read.layout)
        database = self.databases[self.number] if self.databases else None
        source = KafkaSource(log, self.partitions, self.settings, stopped)
        sink = OutputSink(FileSink({}), self.targets)
        run_flow(source, sink, self.settings, self.services, metrics, database, nullcontext)


def run_flow(
    source: FixedPartitionedSource[Any, Any],
    sink: OutputSink,
    settings: RunSettings,
    services: Services,
    metrics: Metrics,
    database: Path | None,
    ended_by: Callable[[Callable[[], None]], AbstractContextManager[object]],
) -> None:
    """Run the flow in this process until its source ends.

    Args:
        source: what it reads.
        sink: where it writes.
        settings: of the run.
        services: those that it asks.
        metrics: what it counts.
        database: the folder of its database, which is sealed at the end; ``None``: it keeps no state.
        ended_by: the context in which it can be told to end; it is given what silences standard error.
    Raises:
        SettingsError: a variable of OpenTelemetry is wrong.
        ServiceError: a service failed.
        OSError: an input or output failed.
    """
    recovery = None if database is None else recovery_of(database)
    with ExitStack() as stack:
        traces = stack.enter_context(closing(opened_traces(settings.traces, RUN_IN_TRACES, metrics.warn_of_traces)))
        client = stack.enter_context(closing(ServiceClient(services, settings, metrics, traces)))
        client.check()
        step = PredictionStep(client, settings.log.layout.sensors, metrics, traces)
        flow = latecomer_flow(source, sink, step, settings.window.spec, metrics)
        prepare_for_load(OBJECTS_OF_BATCHES)
        silence = stack.enter_context(without_panics())
        stack.enter_context(ended_by(silence))
        try:
            cli_main(flow, epoch_interval=timedelta(milliseconds=settings.state.epoch_ms), recovery_config=recovery)
        except BaseException as error:
            raise cause_of(error, None if database is None else str(database)) from None
        if database is not None:
            seal_database(database)


def main() -> None:
    """Work on a share, and say how it goes. Exit status: 0, or 1 for a failure, which is said too."""
    for number in (signal.SIGINT, signal.SIGTERM):  # of a whole group of processes, say: the run is told as well
        signal.signal(number, signal.SIG_IGN)
    reports = os.dup(1)
    os.dup2(2, 1)
    share = pickle.loads(_read(*SIZE.unpack(_read(SIZE.size))))
    metrics, stopped, ended = Metrics(), Flag(), Flag()
    Thread(target=_obey, args=(stopped,), daemon=True).start()
    with FileIO(reports, "w") as to:
        reporter = Thread(target=_report, args=(metrics, ended, to), daemon=True)
        reporter.start()
        failure: Exception | None = None
        try:
            share.run(metrics, stopped)
        except (CommandError, SnapshotError, OSError, ValueError) as error:
            failure = error
        ended.set()
        reporter.join()
        _say(metrics.report() | {"samples": metrics.samples()}, to)
        if failure is not None:
            _say(_pickles(failure), to)
    os._exit(0 if failure is None else 1)  # a thread waits for the run, which waits for this process


def _read(size: int) -> bytes:
    """So many bytes of standard input; none of what follows. The process ends with the run that has started it."""
    data = b""
    while len(data) < size:
        if not (part := os.read(0, size - len(data))):
            os._exit(1)
        data += part
    return data


def _obey(stopped: Flag) -> None:
    """Stop gracefully once the run says so."""
    while True:
        _read(1)
        stopped.set()


def _report(metrics: Metrics, ended: Flag, to: FileIO) -> None:
    while not ended.wait(_REPORT_EVERY_S):
        _say(metrics.report() | {"samples": metrics.samples()}, to)


def _say(something: object, to: FileIO) -> None:
    left = memoryview(pickle.dumps(something))
    with suppress(BrokenPipeError):  # the run is gone, and this process about to end
        while left:
            left = left[to.write(left) :]


def _pickles(error: Exception) -> Exception:
    """An error that another process can raise again."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever a class of errors does there
        return CommandError(str(error))
    return error


if __name__ == "__main__":
    main()
