"""Training sets with a label at each event, beside the rolling mean of polars and the windows of a run, on one log."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

import polars as pl

from dataflows.pipeline.event_codec import PlainEvents
from dataflows.replay import Replay
from dataflows.replay.labels import Labels
from dataflows.replay.training_set import training_set
from dataflows.services.own_means import OwnMeans
from dataflows.simulated_fleet import SimulatedFleet
from window_core import DEMO_SENSORS

__all__ = ["main"]

DEVICES: Final = 100
HOURS: Final = 24
ROUNDS: Final = 3
"""Each figure is the median of these; the cases take turns."""

HELD_MS: Final = 36_000_000


class _Read(Replay):
    """A replay of what was read before."""

    def hold(self) -> None:
        self.held = list(super().columns(0))

    def columns(self, partition: int) -> Iterator[PlainEvents]:
        return iter(self.held)


def main() -> dict[str, float]:
    """Print rows/s by case, and give them."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "events.jsonl"
        fleet = SimulatedFleet(devices=DEVICES, duration_ms=HOURS * 3_600_000)
        with log.open("wb") as file:
            file.writelines(fleet.codec.encoded(event, ms) + b"\n" for event, ms in fleet.logged_events())
        replay, read = Replay.of(str(log)), _Read.of(str(log))
        read.hold()
        table = pl.read_ndjson(log)
        cases: dict[str, Callable[[], object]] = {
            "polars, from the file to Parquet": lambda: _rolled(pl.read_ndjson(log)).write_parquet(
                folder / "p.parquet"
            ),
            "--as-of, from the file to Parquet": lambda: _trained(replay, table, as_of=True, to=folder / "t.parquet"),
            "--as-known, from the file to Parquet": lambda: _trained(
                replay, table, as_of=False, to=folder / "k.parquet"
            ),
            "windows of a run, without services": lambda: sum(1 for _ in replay.outputs()),
            "polars, rolling mean alone": lambda: _rolled(table),
            "--as-of, windows and means alone": lambda: _trained(read, table, as_of=True),
        }
        rounds = [{case: _seconds(work) for case, work in cases.items()} for _ in range(ROUNDS)]
    medians = {case: len(table) / sorted(one[case] for one in rounds)[ROUNDS // 2] for case in cases}
    print(f"training sets: {len(table):,} events of {DEVICES} devices, a label at each, median of {ROUNDS} rounds")
    beside = next(iter(medians))
    for case, figure in medians.items():
        beside = case if case.startswith("polars") else beside
        print(f"  {case:<38}{figure:>12,.0f} rows/s{figure / medians[beside]:>8.2f} x polars")
    return medians


def _rolled(table: pl.DataFrame) -> pl.DataFrame:
    """The mean of each sensor over the last ten hours, at each event."""
    ordered = table.sort("device_id", "time").with_columns(pl.col("time").cast(pl.Datetime("ms")))
    windows = ordered.rolling("time", period=f"{HELD_MS}ms", group_by="device_id", closed="both")
    return windows.agg(pl.col(*DEMO_SENSORS.names).mean())


def _trained(replay: Replay, table: pl.DataFrame, *, as_of: bool, to: Path | None = None) -> None:
    labels = Labels(table.select("device_id", "time", "arrival"), time="time" if as_of else "arrival")
    found = training_set(replay, labels, OwnMeans(DEMO_SENSORS), as_of=as_of)
    assert found.table["sensor_1/v1"].null_count() < len(table) / 100
    if to is not None:
        found.table.write_parquet(to)


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
