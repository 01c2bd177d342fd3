"""A million events read again in a plain loop, and as a training set, beside the Bytewax engine: all without services,
from file to file.

Each has a process of its own. Events per second of the processor tell more than those of the clock where others use the
machine.
"""

import multiprocessing
from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

import polars as pl

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
    """Print events/s of each, and give them."""
    with TemporaryDirectory() as name:
        log = Path(name, "events.jsonl")
        fleet = SimulatedFleet(devices=DEVICES, duration_ms=HOURS * 3_600_000)
        with log.open("wb") as file:
            file.writelines(fleet.codec.encoded(event, ms) + b"\n" for event, ms in fleet.logged_events())
        with log.open("rb") as file:
            events = sum(1 for _ in file)
        print(f"replay: {events:,} events of {DEVICES:,} devices, file to file, without services")
        rates, of_processor = {}, {}
        for name, work in _WORKS.items():
            wall_s, processor_s, outputs = _alone(work, log)
            rates[name], of_processor[name] = events / wall_s, events / processor_s
            print(
                f"  {name:<24}{rates[name]:>10,.0f} events/s{of_processor[name]:>10,.0f} each second of the "
                f"processor, {outputs:,} rows"
            )
    for name in list(_WORKS)[:-1]:
        faster, less = (of[name] / of[_ENGINE] for of in (rates, of_processor))
        print(f"  {name}: {faster:.1f} x the engine, {less:.1f} x each second of the processor")
    return rates


def _alone(work: Callable[[str, str], None], log: Path) -> tuple[float, float, int]:
    """Seconds by the clock and of the processor, and how many rows there are."""
    output = f"{log}.{work.__name__}"
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_timed, args=(work, str(log), output, sender))
    process.start()
    process.join()
    wall_s, processor_s = receiver.recv()
    if work is _trained:
        return wall_s, processor_s, pl.scan_parquet(output).select(pl.len()).collect().item()
    with Path(output).open("rb") as file:
        return wall_s, processor_s, sum(1 for _ in file)


def _timed(work, log, output, sender) -> None:  # type: ignore[no-untyped-def]
    prepare_for_load(OBJECTS_OF_BATCHES)
    start_s, before_s = perf_counter(), _processor_s()
    work(log, output)
    sender.send((perf_counter() - start_s, _processor_s() - before_s))


def _processor_s() -> float:
    """Of this process and of those that it started, and that have ended."""
    used = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    return sum(one.ru_utime + one.ru_stime for one in used)


def _replayed(log: str, output: str) -> None:
    step = Unasked()
    outputs = (one for one in Replay.of(log).outputs() if not isinstance(one, OutputRecord))
    with Path(output).open("wb") as file:
        while batch := list(islice(outputs, _OUTPUTS_AT_ONCE)):
            file.writelines(record.value + b"\n" for record in step.records(batch))


def _trained(log: str, output: str) -> None:
    """A label at each event, when it arrived; by a process for each core."""
    from dataflows.replay.labels import Labels
    from dataflows.replay.training_processes import cores, split_training_set

    labels = Labels(pl.read_ndjson(log).select("device_id", "arrival"), time="arrival")
    split_training_set(Replay.of(log), labels, cores()).table.write_parquet(output)


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
    cli_main(flow, epoch_interval=timedelta(milliseconds=settings.state.epoch_ms))


_ENGINE: Final = "the Bytewax engine"
_WORKS: Final = {"the replay": _replayed, "training-set, as known": _trained, _ENGINE: _on_bytewax}
