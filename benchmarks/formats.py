"""The same events as JSON lines, CSV and Parquet, side by side: reading and decoding alone, and whole runs.

Rounds alternate between the formats, and the best of each counts: what else the machine does hits all alike. A start
and an end are measured by a run that finds no event, and taken off.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

import polars as pl

from dataflows.connectors.file_content import format_of
from dataflows.connectors.file_log import FileLog
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import LoggedEvent
from dataflows.services.embedded import embedded_service
from runtime.python_process import python_environment

__all__ = ["main"]

DEVICES: Final = 100
EVENTS: Final = 60_000
PERIOD_MS: Final = 120_000
START_MS: Final = 1_587_920_555_000
ROUNDS: Final = 3

_FORMATS: Final = {"jsonl": "JSON lines", "csv": "CSV", "parquet": "Parquet"}

_STRANGE: Final = ("--time-unit", "iso", "--fields", "device_id=asset,time=ts")
"""As others have them: a text of ISO 8601, and names of their own."""


def main() -> dict[str, dict[str, float]]:
    """Print events/s of each format, and give them."""
    found: dict[str, dict[str, float]] = {}

    def measure(what: str, seconds: Callable[[str], float]) -> None:
        best = dict.fromkeys(_FORMATS, float("inf"))
        for _ in range(ROUNDS):
            for suffix in _FORMATS:
                best[suffix] = min(best[suffix], seconds(suffix))
        rates = found[what] = {suffix: EVENTS / least for suffix, least in best.items()}
        cells = (f"{rate:,.0f} ({rate / rates['jsonl']:.2f})" for rate in rates.values())
        print(f"  {what:<34}" + "".join(f"{cell:>20}" for cell in cells), flush=True)

    print(f"formats: {EVENTS:,} events of {DEVICES} devices, best of {ROUNDS} rounds, events/s (x JSON lines)")
    print(f"  {'':<34}" + "".join(f"{text:>20}" for text in _FORMATS.values()))
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder)
        strange = EventLayout(paths={"device_id": "asset", "time": "ts"}, time_unit="iso")
        measure("read and decoded", lambda suffix: _read(folder / f"own.{suffix}", EventLayout()))
        measure("read, other names and ISO times", lambda suffix: _read(folder / f"strange.{suffix}", strange))
        with embedded_service("features") as features, embedded_service("inference") as inference:
            services = ("--features", features, "--inference", inference)
            nothing = min(_run(folder, "none.jsonl", *services) for _ in range(ROUNDS))
            measure("run, both services", lambda suffix: _run(folder, f"own.{suffix}", *services) - nothing)
            options = (*services, *_STRANGE)
            measure(
                "run, other names and ISO times", lambda suffix: _run(folder, f"strange.{suffix}", *options) - nothing
            )
    return found


def _write(folder: Path) -> None:
    numbers = range(EVENTS)
    table = pl.DataFrame(
        {
            "device_id": [f"device-{number % DEVICES:03d}" for number in numbers],
            "time": [START_MS + PERIOD_MS * (number // DEVICES) + number % DEVICES for number in numbers],
            **{f"sensor{one}": [(number * 7919 * one % 100_003) / 1_000 for number in numbers] for one in range(1, 5)},
        }
    )
    instants = pl.from_epoch("time", time_unit="ms").dt.replace_time_zone("UTC")
    strange = table.with_columns(instants).rename({"device_id": "asset", "time": "ts"})
    texts = strange.with_columns(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    table.write_ndjson(folder / "own.jsonl")
    table.write_csv(folder / "own.csv")
    table.write_parquet(folder / "own.parquet")
    texts.write_ndjson(folder / "strange.jsonl")
    texts.write_csv(folder / "strange.csv")
    strange.write_parquet(folder / "strange.parquet")
    (folder / "none.jsonl").touch()


def _read(path: Path, layout: EventLayout) -> float:
    log = FileLog(str(path), Metrics(), layout=layout, format=format_of(path.name, None))
    reader = log.reader()
    start = perf_counter()
    events = sum(isinstance(reader.read(record), LoggedEvent) for record in log.records())
    seconds = perf_counter() - start
    assert events == EVENTS, f"{path.name}: {events}"
    return seconds


def _run(folder: Path, name: str, *options: str) -> float:
    command = [sys.executable, "-m", "dataflows.command_line", "run", "--quiet", "--tick", "0", "--input", name]
    start = perf_counter()
    subprocess.run([*command, "--output", "out.jsonl", *options], cwd=folder, env=python_environment(), check=True)
    return perf_counter() - start
