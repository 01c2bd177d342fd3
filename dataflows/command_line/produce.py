"""``latecomer produce``: a simulated fleet, for trying things out."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import Progress

from dataflows.command_line.options import DURATION, say
from dataflows.kafka.client import kafka_location, read_properties
from dataflows.kafka.input_topic import EventWriter
from dataflows.kafka.topic import TopicReader
from dataflows.locations import STANDARD
from dataflows.records import EventFormat, encoded_event
from dataflows.settings import KAFKA_SCHEME, SettingsError
from dataflows.simulated_fleet import SimulatedFleet

__all__ = ["produce", "write_events"]

_FLEET = SimulatedFleet()
_SHARE = click.FloatRange(0, 1)


@click.command()
@click.option(
    "--output", default="events.jsonl", show_default=True, metavar="FILE|-|kafka://...", help="Where the events go."
)
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
@click.option(
    "--format",
    "event_format",
    type=click.Choice(["json", "protobuf"]),
    default="json",
    show_default=True,
    help="What the value of a Kafka record is.",
)
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Events per second, to Kafka.  [default: as fast as it can]"
)
@click.option("--kafka-properties", metavar="FILE", help="File with security.protocol, sasl.* and ssl.* properties.")
@click.option("--wait-for-broker", type=DURATION, default="30s", show_default=True, help="Wait at most, at the start.")
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
    event_format: EventFormat,
    rate: float | None,
    kafka_properties: str | None,
    wait_for_broker: int,
) -> None:
    """Write the events of a simulated fleet, with late, duplicate, too late and wrong-clock ones.

    A line of a file is JSON with the arrival; a record of a topic has the device id as its key, and the arrival as its
    timestamp, if the topic takes timestamps from producers (message.timestamp.type=CreateTime).
    """
    fleet = SimulatedFleet(
        devices, duration, every, start, interval, late, too_late, duplicates, wrong_clock, seed
    )  # fmt: skip
    messages = Console(stderr=True, highlight=False)
    if output.startswith(KAFKA_SCHEME):
        location = kafka_location("--output", output)
        properties = read_properties(kafka_properties)
        TopicReader("--output", location, properties, wait_for_broker, say, holds_events=True).traits()
        writer = EventWriter(location, properties, event_format)
        written = _shown(writer.write(fleet.logged_events(), rate), fleet, messages)
    elif rate is not None or event_format == "protobuf":
        raise SettingsError("--rate and --format protobuf are for Kafka")
    else:
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
    if output == STANDARD:
        return _shown(_lines_written(fleet, sys.stdout.buffer), fleet, messages)
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    with Path(output).open("wb") as file:
        return _shown(_lines_written(fleet, file), fleet, messages)


def _lines_written(fleet: SimulatedFleet, file: BinaryIO) -> Iterator[int]:
    """Write a line for each event, and give how many there are so far."""
    for number, (event, arrival_ms) in enumerate(fleet.logged_events(), 1):
        file.write(encoded_event(event, arrival_ms) + b"\n")
        yield number
    file.flush()


def _shown(written: Iterable[int], fleet: SimulatedFleet, messages: Console) -> int:
    """Show on a terminal how far the writing has come, and give the number at its end."""
    number = 0
    with Progress(console=messages, transient=True, disable=not messages.is_terminal) as progress:
        task = progress.add_task("simulating a fleet", total=fleet.events)
        for number in written:
            if number % 1_000 == 0:
                progress.update(task, completed=number)
    return number
