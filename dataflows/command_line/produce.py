"""``latecomer produce``: a simulated fleet, for trying things out."""

import sys
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from dataflows.command_line.options import DURATION
from dataflows.locations import STANDARD
from dataflows.records import encoded_event
from dataflows.settings import SettingsError
from dataflows.simulated_fleet import SimulatedFleet

__all__ = ["produce", "write_events"]

_FLEET = SimulatedFleet()
_SHARE = click.FloatRange(0, 1)


@click.command()
@click.option("--output", default="events.jsonl", show_default=True, metavar="FILE|-", help="Where the events go.")
@click.option("--devices", type=click.INT, default=_FLEET.devices, show_default=True, help="Devices of the fleet.")
@click.option("--duration", type=DURATION, default="1d", show_default=True, help="How long they send.")
@click.option("--every", type=DURATION, default="2m", show_default=True, help="Between two readings.")
@click.option("--start", type=click.INT, default=_FLEET.start_ms, show_default=True, metavar="MS", help="The first.")
@click.option("--interval", type=DURATION, default="10h", show_default=True, help="What is too late.")
@click.option("--late", type=_SHARE, default=_FLEET.late, show_default=True, help="Share that is late.")
@click.option("--too-late", type=_SHARE, default=_FLEET.too_late, show_default=True, help="Share that is too late.")
@click.option("--duplicates", type=_SHARE, default=_FLEET.duplicates, show_default=True, help="Share sent twice.")
@click.option("--wrong-clock", type=_SHARE, default=_FLEET.wrong_clock, show_default=True, help="Share ahead of time.")
@click.option("--seed", type=click.INT, default=_FLEET.seed, show_default=True, help="The same seed, the same events.")
def produce(
    output: str,
    devices: int,
    duration: int,
    every: int,
    start: int,
    interval: int,
    late: float,
    too_late: float,
    duplicates: float,
    wrong_clock: float,
    seed: int,
) -> None:
    """Write the events of a simulated fleet, with late, duplicate, too late and wrong-clock ones, as JSON lines."""
    fleet = SimulatedFleet(
        devices, duration, every, start, interval, late, too_late, duplicates, wrong_clock, seed
    )  # fmt: skip
    messages = Console(stderr=True, highlight=False)
    written = write_events(fleet, output, messages)
    messages.print(f"{written:,} events in {'standard output' if output == STANDARD else output}")


def write_events(fleet: SimulatedFleet, output: str, messages: Console) -> int:
    """Write a fleet's events with their arrivals, and give their number.

    Raises:
        SettingsError: the output is a folder.
        OSError: it cannot be written.
    """
    if output != STANDARD and Path(output).is_dir():
        raise SettingsError(f"--output {output} is a folder, not a file")
    written = 0
    with ExitStack() as stack:
        if output == STANDARD:
            file = sys.stdout.buffer
        else:
            Path(output).parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(Path(output).open("wb"))
        progress = stack.enter_context(Progress(console=messages, transient=True))
        task = progress.add_task("simulating a fleet", total=fleet.events)
        for event, arrival_ms in fleet.logged_events():
            file.write(encoded_event(event, arrival_ms) + b"\n")
            written += 1
            if written % 1_000 == 0:
                progress.update(task, completed=written)
        file.flush()
    return written
