"""The topics of the pipeline, with the settings they need. As a program it makes them, to try things out."""

import sys
from collections.abc import Mapping
from typing import Final

import click
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it is in the documentation

from dataflows.connectors.kafka.client import BrokerError, client_settings
from dataflows.connectors.kafka.topic import BROKERS_CLOCK, FLEETS_CLOCK
from runtime.options import DURATION
from runtime.terminal import say, show

__all__ = ["PIPELINE_TOPICS", "TRIAL_TOPICS", "make_topics"]

PIPELINE_TOPICS: Final[dict[str, dict[str, str]]] = {
    "raw-events": BROKERS_CLOCK,
    "predictions": {},
    "rejections": {},
}

TRIAL_TOPICS: Final = {**PIPELINE_TOPICS, "amendments": {}, "raw-events": FLEETS_CLOCK, "live-events": FLEETS_CLOCK}
"""The same for a broker that simulated fleets write to; one that lives now has a topic of its own."""

_MADE_WITHIN_S: Final = 30.0


def make_topics(
    address: str, topics: Mapping[str, Mapping[str, str]], partitions: int, retention_ms: int | None = None
) -> None:
    """Make topics on a broker of one node. One that is there already is left as it is.

    Args:
        address: of the broker, ``HOST:PORT``.
        topics: settings by name, which take precedence over the retention.
        partitions: of each topic.
        retention_ms: how long records are kept by their timestamp; ``None``: for ever.
    Raises:
        BrokerError: the broker does not make them.
    """
    retention = {"retention.ms": "-1" if retention_ms is None else str(retention_ms)}
    new = [
        NewTopic(name, num_partitions=partitions, replication_factor=1, config={**retention, **settings})
        for name, settings in topics.items()
    ]
    client = AdminClient(client_settings(address, {}))
    for name, made in client.create_topics(new, operation_timeout=_MADE_WITHIN_S).items():
        try:
            made.result(_MADE_WITHIN_S)
        except TimeoutError:
            raise BrokerError(f"the topic {name} cannot be created: no Kafka broker answers at {address}") from None
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerError(f"the topic {name} cannot be created: {error.args[0].str()}") from None


@click.command()
@click.argument("address", metavar="HOST:PORT")
@click.option("--partitions", type=click.IntRange(1), default=4, show_default=True, help="Of each topic.")
@click.option("--retention", type=DURATION, default="7d", show_default=True, help="Age of kept records; 0: for ever.")
def main(address: str, partitions: int, retention: int) -> None:
    """Make the topics raw-events, predictions and rejections; one that is there is left as it is."""
    try:
        make_topics(address, PIPELINE_TOPICS, partitions, retention or None)
    except BrokerError as error:
        say(f"latecomer: {error}")
        sys.exit(1)
    show(f"{address} has the topics {', '.join(PIPELINE_TOPICS)}")


if __name__ == "__main__":
    main()
