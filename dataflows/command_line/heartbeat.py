"""``latecomer heartbeat``: keeps a topic's clock running, so that silent devices tick in time."""

import signal
from dataclasses import dataclass
from typing import Any

import click

from dataflows.settings import BrokerSettings
from runtime.errors import SettingsError
from runtime.options import GroupedCommand, settings_options
from runtime.settings import composed, group, setting
from runtime.terminal import say, show

__all__ = ["heartbeat"]


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """The settings of ``latecomer heartbeat``."""

    every_ms: int = setting(5_000, "Time between two heartbeats.", flag="--every", kind="duration")
    broker: BrokerSettings = group(BrokerSettings, "Kafka brokers")

    def __post_init__(self) -> None:
        if self.every_ms < 1:
            raise SettingsError("--every must be above 0")


@click.command(cls=GroupedCommand)
@click.argument("topic", metavar="kafka://HOST:PORT/TOPIC")
@settings_options(HeartbeatSettings, "LATECOMER_HEARTBEAT_")
def heartbeat(topic: str, **options: Any) -> None:
    """Write heartbeats to each partition of a topic until Ctrl-C or SIGTERM.

    A heartbeat is a record with neither key nor value. It moves the clock of its partition, so that devices tick in
    time even if none of them sends. Without heartbeats their ticks come late, but are never wrong.
    """
    from dataflows.connectors.kafka.client import kafka_location, read_properties
    from dataflows.connectors.kafka.input_topic import Heartbeats
    from dataflows.connectors.kafka.topic import BROKERS_CLOCK, TopicReader

    settings = composed(HeartbeatSettings, options)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    location = kafka_location("TOPIC", topic)
    properties = read_properties(settings.broker.kafka_properties)
    reader = TopicReader(
        "TOPIC", location, properties, settings.broker.wait_for_broker_ms, say, made_with=BROKERS_CLOCK
    )
    traits = reader.traits()
    heartbeats = Heartbeats(location, properties, traits.partitions, settings.every_ms)
    if not traits.is_log_append_time:
        say(f"the timestamps of {location.topic} are its producers': these heartbeats carry the clock of this machine")
    show(f"heartbeat: to {traits.partitions} partitions of {location}")
    try:
        heartbeats.run()
    except KeyboardInterrupt:
        heartbeats.stop()
