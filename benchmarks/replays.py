"""A million events read again in a plain loop, beside the Bytewax engine: both without services, from file to file.

Each has a process of its own. Events per second of the processor tell more than those of the clock where others use the
machine.
"""

import multiprocessing
from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from benchmarks.unasked import Unasked
from dataflows.connectors.file_log import FileLog
from dataflows.connectors.locations import Locations
from dataflows.connectors.log import opened_log
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import OutputRecord
from dataflows.replay import Replay
from dataflows.settings import RunSettings
from dataflows.simulated_fleet import SimulatedFleet
from runtime.busy_process import OBJECTS_OF_BATCHES, prepare_for_load

__all__ = ["main"]

DEVICES: Final = 1_000
HOURS: Final = 34
"""A reading each two minutes: a million in all."""

_OUTPUTS_AT_ONCE: Final = 8_192


def main() -> dict[str, float]:
    """Print events/s of both, and give them."""
    with TemporaryDirectory() as name:
        log = Path(name, "events.jsonl")
        fleet = SimulatedFleet(devices=DEVICES, duration_ms=HOURS * 3_600_000)
        with log.open("wb") as file:
            file.writelines(fleet.codec.encoded(event, ms) + b"\n" for event, ms in fleet.logged_events())
        with log.open("rb") as file:
            events = sum(1 for _ in file)
        print(f"replay: {events:,} events of {DEVICES:,} devices, file to file, without services")
        rates = {}
        for engine, work in (("the replay", _replayed), ("the Bytewax engine", _on_bytewax)):
            wall_s, processor_s, outputs = _alone(work, log)
            rates[engine] = events / wall_s
            print(
                f"  {engine:<20}{rates[engine]:>10,.0f} events/s{events / processor_s:>10,.0f} each second of the "
                f"processor, {outputs:,} predictions"
            )
    print(f"  the replay is {rates['the replay'] / rates['the Bytewax engine']:.1f} x the engine")
    return rates


def _alone(work: Callable[[str, str], None], log: Path) -> tuple[float, float, int]:
    """Seconds by the clock and of the processor, and how many predictions there are."""
    output = f"{log}.{work.__name__}"
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_timed, args=(work, str(log), output, sender))
    process.start()
    process.join()
    wall_s, processor_s = receiver.recv()
    with Path(output).open("rb") as file:
        return wall_s, processor_s, sum(1 for _ in file)


def _timed(work, log, output, sender) -> None:  # type: ignore[no-untyped-def]
    prepare_for_load(OBJECTS_OF_BATCHES)
    start_s, before = perf_counter(), getrusage(RUSAGE_SELF)
    work(log, output)
    after = getrusage(RUSAGE_SELF)
    sender.send((perf_counter() - start_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))


def _replayed(log: str, output: str) -> None:
    step = Unasked()
    outputs = (one for one in Replay.of(log).outputs() if not isinstance(one, OutputRecord))
    with Path(output).open("wb") as file:
        while batch := list(islice(outputs, _OUTPUTS_AT_ONCE)):
            file.writelines(record.value + b"\n" for record in step.records(batch))


def _on_bytewax(log: str, output: str) -> None:
    from bytewax.run import cli_main

    from dataflows.bytewax_flow.file_sink import FileSink
    from dataflows.bytewax_flow.file_source import FileSource
    from dataflows.bytewax_flow.flow import latecomer_flow
    from dataflows.bytewax_flow.sink import OutputSink

    settings = RunSettings.of(input=log)
    metrics = Metrics()
    opened = opened_log(settings, Locations(log, output, f"{output}.rejections", False), metrics, print)
    assert isinstance(opened, FileLog)
    files = FileSink({"predictions": output, "rejections": f"{output}.rejections"})
    files.begin({})
    spec = settings.window.spec
    flow = latecomer_flow(FileSource(opened, spec), OutputSink(files, {}), Unasked(), spec, metrics)  # type: ignore[arg-type]
    cli_main(flow, workers_per_process=1, epoch_interval=timedelta(milliseconds=settings.state.epoch_ms))
