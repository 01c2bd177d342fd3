"""``latecomer heartbeat``: keeps a topic's clock running, so that silent devices tick in time."""

import signal

import click

from dataflows.command_line.options import DURATION, say

__all__ = ["heartbeat"]


@click.command()
@click.argument("topic", metavar="kafka://HOST:PORT/TOPIC")
@click.option("--every", type=DURATION, default="5s", show_default=True, help="Between two heartbeats.")
@click.option("--kafka-properties", metavar="FILE", help="File with security.protocol, sasl.* and ssl.* properties.")
@click.option("--wait-for-broker", type=DURATION, default="30s", show_default=True, help="Wait at most, at the start.")
def heartbeat(topic: str, every: int, kafka_properties: str | None, wait_for_broker: int) -> None:
    """Write a record with neither key nor value to each partition, now and then, until Ctrl-C or SIGTERM.

    It tells a pipeline how late it is where no device speaks. Without it, ticks of silent devices come late, never
    wrong.
    """
    from dataflows.kafka.client import kafka_location, read_properties
    from dataflows.kafka.input_topic import Heartbeats
    from dataflows.kafka.topic import TopicReader
    from dataflows.settings import SettingsError

    if every < 1:
        raise SettingsError("--every must be above 0")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    location = kafka_location("TOPIC", topic)
    properties = read_properties(kafka_properties)
    reader = TopicReader("TOPIC", location, properties, wait_for_broker, say, holds_events=True)
    partitions = reader.traits().partitions
    heartbeats = Heartbeats(location, properties, partitions, every)
    click.echo(f"heartbeat: to {partitions} partitions of {location}")
    try:
        heartbeats.run()
    except KeyboardInterrupt:
        heartbeats.stop()
