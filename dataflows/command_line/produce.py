"""``latecomer produce``: a simulated fleet, for trying things out."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click
from rich.progress import Progress

from dataflows.connectors.kafka.client import kafka_location, read_properties
from dataflows.connectors.kafka.input_topic import EventWriter
from dataflows.connectors.kafka.topic import TopicReader
from dataflows.connectors.locations import STANDARD
from dataflows.settings import KAFKA_SCHEME, BrokerSettings, EventFormat, check_sensors
from dataflows.simulated_fleet import SimulatedFleet
from runtime.errors import SettingsError
from runtime.options import GroupedCommand, settings_options
from runtime.settings import composed, group, setting
from runtime.terminal import Terminal, say
from runtime.written_files import naming

__all__ = ["produce", "write_events"]


@dataclass(frozen=True, slots=True)
class ProduceSettings:
    """The settings of ``latecomer produce``."""

    output: str = setting(
        "events.jsonl",
        "Where to write the events: a file, - for standard output, or a topic.",
        shows="FILE|-|kafka://...",
    )
    format: EventFormat = setting(
        "json", "Encoding of the value of a Kafka record.", kind="choice", choices=("json", "protobuf")
    )
    rate: float | None = setting(
        None, "Events per second, to Kafka only. Default: as fast as the broker accepts them.", kind="number"
    )
    fleet: SimulatedFleet = group(SimulatedFleet, "Fleet")
    broker: BrokerSettings = group(BrokerSettings, "Kafka brokers")

    def __post_init__(self) -> None:
        if self.rate is not None and not self.rate > 0:
            raise SettingsError("--rate must be above 0")
        if not self.output.startswith(KAFKA_SCHEME) and (self.rate is not None or self.format == "protobuf"):
            raise SettingsError("--rate and --format protobuf are for Kafka")
        check_sensors(self.fleet.sensors, self.format)


@click.command(cls=GroupedCommand)
@settings_options(ProduceSettings, "LATECOMER_PRODUCE_")
def produce(**options: Any) -> None:
    """Write the events of a simulated fleet: some late, too late, duplicate, or with a wrong clock.

    Each line of a file is a JSON object with the arrival. Each record of a topic has the device id as its key; the
    arrival is its timestamp if the topic accepts timestamps from producers (message.timestamp.type=CreateTime).
    """
    settings = composed(ProduceSettings, options)
    fleet, output = settings.fleet, settings.output
    messages = Terminal(stderr=True)
    if output.startswith(KAFKA_SCHEME):
        location = kafka_location("--output", output)
        properties = read_properties(settings.broker.kafka_properties)
        wait_ms = settings.broker.wait_for_broker_ms
        TopicReader("--output", location, properties, wait_ms, say, holds_events=True).traits()
        writer = EventWriter(location, properties, settings.format, fleet.codec)
        written = _shown(writer.write(fleet.logged_events(), settings.rate), fleet, messages)
    else:
        written = write_events(fleet, output, messages)
    messages.tell(f"{written:,} events in {'standard output' if output == STANDARD else output}")


def write_events(fleet: SimulatedFleet, output: str, messages: Terminal) -> int:
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
    with naming(output), Path(output).open("wb") as file:
        return _shown(_lines_written(fleet, file), fleet, messages)


def _lines_written(fleet: SimulatedFleet, file: BinaryIO) -> Iterator[int]:
    """Write a line for each event, and give how many there are so far."""
    encoded = fleet.codec.encoded
    for number, (event, arrival_ms) in enumerate(fleet.logged_events(), 1):
        file.write(encoded(event, arrival_ms) + b"\n")
        yield number
    file.flush()


def _shown(written: Iterable[int], fleet: SimulatedFleet, messages: Terminal) -> int:
    """Show on a terminal how far the writing has come, and give the number at its end."""
    number = 0
    with Progress(console=messages, transient=True, disable=not messages.is_terminal) as progress:
        task = progress.add_task("simulating a fleet", total=fleet.events)
        for number in written:
            if number % 1_000 == 0:
                progress.update(task, completed=number)
    return number
