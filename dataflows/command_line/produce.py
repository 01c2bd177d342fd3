"""``latecomer produce``: a simulated fleet, for trying things out, of a time of its own or living now.

One that lives reads the machine's clock once, for its start, and waits by a monotonic one.
"""

import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from pathlib import Path
from time import time
from typing import Any, BinaryIO, Final

import click
from rich.progress import Progress

from dataflows.connectors.kafka.client import KafkaLocation, kafka_location, read_properties
from dataflows.connectors.kafka.input_topic import Due, EventWriter
from dataflows.connectors.kafka.topic import FLEETS_CLOCK, TopicReader
from dataflows.connectors.locations import STANDARD
from dataflows.settings import KAFKA_SCHEME, BrokerSettings, EventFormat, check_sensors
from dataflows.simulated_fleet import DEMO_START_MS, SimulatedFleet
from runtime.errors import SettingsError
from runtime.options import GroupedCommand, settings_options
from runtime.settings import composed, group, setting
from runtime.terminal import Terminal, say
from runtime.written_files import naming

__all__ = ["living_now", "produce", "write_events"]

_ANOTHER_CLOCK: Final = (
    "the arrivals in {topic} are the broker's (LogAppendTime), and this fleet lives at another time: its wrong clocks "
    "look right there, and most of its events come TOO_LATE after one; use --live, or a topic with "
    "message.timestamp.type=CreateTime"
)

_SHOWN_EVERY: Final = 100
"""Events between two updates of the progress bar, which costs more than they do."""


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
    events_wanted: int | None = setting(
        None, "Number of events after which to end. Default: those of --duration.", flag="--events", kind="integer"
    )
    live: bool = setting(
        False,
        "To Kafka only: send each event at its own time, as a real fleet does, until --duration, --events or Ctrl-C "
        "ends it.",
        kind="switch",
    )
    speed: float = setting(
        1.0,
        "With --live: how many times faster than this machine's clock the fleet's time passes. The fleet starts in "
        "the past, so that it ends in the present: at 60, a day takes 24 minutes.",
        kind="number",
    )
    fleet: SimulatedFleet = group(SimulatedFleet, "Fleet")
    broker: BrokerSettings = group(BrokerSettings, "Kafka brokers")

    def __post_init__(self) -> None:
        if self.rate is not None and not self.rate > 0:
            raise SettingsError("--rate must be above 0")
        if not self.output.startswith(KAFKA_SCHEME) and (self.rate is not None or self.format == "protobuf"):
            raise SettingsError("--rate and --format protobuf are for Kafka")
        if self.events_wanted is not None and self.events_wanted < 1:
            raise SettingsError("--events must be above 0")
        self._check_live()
        check_sensors(self.fleet.sensors, self.format)

    def _check_live(self) -> None:
        if not self.speed >= 1:  # a slower fleet would be ahead of the clock
            raise SettingsError("--speed must be 1 or more")
        if not self.live:
            if self.speed != 1:
                raise SettingsError("--speed needs --live")
            return
        if not self.output.startswith(KAFKA_SCHEME):
            raise SettingsError("--live is for Kafka")
        if self.rate is not None:
            raise SettingsError("--live and --rate cannot be used together: the fleet's time says when an event is due")
        if self.fleet.start_ms != DEMO_START_MS:
            raise SettingsError("--live and --start cannot be used together: the fleet lives now")


@click.command(cls=GroupedCommand)
@settings_options(ProduceSettings, "LATECOMER_PRODUCE_")
def produce(**options: Any) -> None:
    """Write the events of a simulated fleet: some late, too late, duplicate, or with a wrong clock.

    Each line of a file is a JSON object with the arrival. Each record of a topic has the device id as its key; the
    arrival is its timestamp if the topic accepts timestamps from producers (message.timestamp.type=CreateTime).
    """
    settings = composed(ProduceSettings, options)
    output = settings.output
    messages = Terminal(stderr=True)
    if output.startswith(KAFKA_SCHEME):
        written = _sent(settings, kafka_location("--output", output), messages)
    else:
        written = write_events(settings.fleet, output, messages, settings.events_wanted)
    messages.tell(f"{written:,} events in {'standard output' if output == STANDARD else output}")


def _sent(settings: ProduceSettings, location: KafkaLocation, messages: Terminal) -> int:
    """Send a fleet's events to a topic, and give their number. Ctrl-C and SIGTERM end a fleet that lives, in order."""
    properties = read_properties(settings.broker.kafka_properties)
    wait_ms = settings.broker.wait_for_broker_ms
    traits = TopicReader("--output", location, properties, wait_ms, say, made_with=FLEETS_CLOCK).traits()
    lives_now = settings.live and settings.speed == 1
    if traits.is_log_append_time and settings.fleet.wrong_clock and not lives_now:
        messages.warn(_ANOTHER_CLOCK.format(topic=location.topic))
    writer = EventWriter(location, properties, settings.format, settings.fleet.codec)
    if settings.live:
        for number in (signal.SIGINT, signal.SIGTERM):  # also one in the background
            signal.signal(number, signal.default_int_handler)
        fleet = living_now(settings.fleet, settings.speed, round(time() * 1_000))
        end_ms = fleet.start_ms + fleet.duration_ms
        sent = islice(takewhile(lambda one: one[1] < end_ms, fleet.logged_events()), settings.events_wanted)
        with suppress(KeyboardInterrupt):
            _shown(writer.write(sent, _at_arrival(fleet.start_ms, settings.speed)), fleet.events, messages)
    else:
        sent = islice(settings.fleet.logged_events(), settings.events_wanted)
        _shown(writer.write(sent, _at_rate(settings.rate)), settings.fleet.events, messages)
    writer.settle()
    return writer.written


def living_now(fleet: SimulatedFleet, speed: float, now_ms: int) -> SimulatedFleet:
    """The fleet whose time, running this many times faster than the clock from now on, ends when the clock gets there.

    >>> living_now(SimulatedFleet(duration_ms=60_000), 60, now_ms=1_000_000).start_ms  # it lasts a second
    941000
    """
    return replace(fleet, start_ms=now_ms - fleet.duration_ms + round(fleet.duration_ms / speed))


def _at_arrival(start_ms: int, speed: float) -> Due:
    return lambda _, arrival_ms: (arrival_ms - start_ms) / 1_000 / speed


def _at_rate(rate: float | None) -> Due | None:
    return None if rate is None else lambda number, _: number / rate


def write_events(fleet: SimulatedFleet, output: str, messages: Terminal, wanted: int | None = None) -> int:
    """Write a fleet's events with their arrivals, at most as many as wanted, and give their number.

    Raises:
        SettingsError: the output is a folder.
        OSError: it cannot be written.
    """
    if output != STANDARD and Path(output).is_dir():
        raise SettingsError(f"--output {output} is a folder, not a file")
    if output == STANDARD:
        return _shown(_lines_written(fleet, sys.stdout.buffer, wanted), fleet.events, messages)
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    with naming(output), Path(output).open("wb") as file:
        return _shown(_lines_written(fleet, file, wanted), fleet.events, messages)


def _lines_written(fleet: SimulatedFleet, file: BinaryIO, wanted: int | None) -> Iterator[int]:
    """Write a line for each event, and give how many there are so far."""
    encoded = fleet.codec.encoded
    for number, (event, arrival_ms) in enumerate(islice(fleet.logged_events(), wanted), 1):
        file.write(encoded(event, arrival_ms) + b"\n")
        yield number
    file.flush()


def _shown(written: Iterable[int], expected: int, messages: Terminal) -> int:
    """Show on a terminal how far the writing has come, and give the number at its end."""
    number = 0
    with Progress(console=messages, transient=True, disable=not messages.is_terminal) as progress:
        task = progress.add_task("simulating a fleet", total=expected)
        for number in written:
            if number % _SHOWN_EVERY == 0:
                progress.update(task, completed=number)
    return number
