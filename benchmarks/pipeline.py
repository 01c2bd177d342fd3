"""The whole local pipeline as a user runs it, JSON lines in and out, both services: batches against one window a call.

Every window is filled first, and the state kept; each way to call the services then resumes from a copy of it. What a
start and an end cost is measured by a run that finds nothing new, and taken off.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from dataflows.pipeline.event_codec import EventCodec
from dataflows.services.embedded import embedded_service
from runtime.python_process import python_environment
from window_core import DEMO_SENSORS, Event

__all__ = ["main"]

DEVICES: Final = 100
HELD: Final = 300
"""Events in each window: with two minutes between them, ten hours."""

NEW: Final = {"stream": 600, "batch": 600, "unary": 20}
"""New events a device, for each way: about two seconds of work."""

PERIOD_MS: Final = 120_000
START_MS: Final = 1_587_920_555_000
ROUNDS: Final = 3


def main() -> dict[str, float]:
    """Print windows/s for each way to call the services, and give them."""
    rates: dict[str, list[float]] = {rpc: [] for rpc in NEW}
    with (
        TemporaryDirectory() as name,
        embedded_service("features") as features,
        embedded_service("inference") as inference,
    ):
        pipeline = _Pipeline(Path(name), features, inference)
        pipeline.fill()
        for _ in range(ROUNDS):
            start_and_end = pipeline.seconds("batch", 0)
            for rpc, events in NEW.items():
                rates[rpc].append(DEVICES * events / (pipeline.seconds(rpc, events) - start_and_end))
    medians = {rpc: sorted(figures)[ROUNDS // 2] for rpc, figures in rates.items()}
    print(f"pipeline: JSON lines in and out, windows of {HELD} events, both services, median of {ROUNDS} rounds")
    for rpc, figure in medians.items():
        ratio = figure / medians["unary"]
        print(f"  --rpc {rpc:<30}{figure:>10,.0f} windows/s{ratio:>8.1f} x --rpc unary with 8 calls in flight")
    return medians


class _Pipeline:
    """Runs in a folder: each from a copy of the state in which every window is full."""

    def __init__(self, folder: Path, features: str, inference: str) -> None:
        self._folder = folder
        self._addresses = ["--features", features, "--inference", inference]
        self._log = folder / "events.jsonl"

    def fill(self) -> None:
        self._log.write_bytes(_lines(0, HELD))
        self._run("batch", "filled")

    def seconds(self, rpc: str, events: int) -> float:
        """Seconds that a run needs for so many new events of each device."""
        self._log.write_bytes(_lines(0, HELD + events))
        state = self._folder / "state"
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(self._folder / "filled", state)
        start = perf_counter()
        self._run(rpc, "state")
        return perf_counter() - start

    def _run(self, rpc: str, state: str) -> None:
        locations = ["--input", "events.jsonl", "--output", "predictions.jsonl", "--state", state]
        command = [sys.executable, "-m", "dataflows.command_line", "run", "--quiet", "--tick", "0", "--rpc", rpc]
        command += [*locations, *self._addresses]
        subprocess.run(command, cwd=self._folder, env=python_environment(), check=True)


def _lines(first: int, last: int) -> bytes:
    """The events of all devices, from number ``first`` up to, without, ``last``."""
    lines = []
    encoded = EventCodec().encoded
    row = DEMO_SENSORS.row((0.5, 1.5, 2.5, 3.5))
    for number in range(first, last):
        for device in range(DEVICES):
            time_ms = START_MS + PERIOD_MS * number + device
            event = Event(f"device-{device:03d}", time_ms, row)
            lines.append(encoded(event, time_ms) + b"\n")
    return b"".join(lines)
