"""Writes to the input topic: events of a fleet, and the heartbeats that keep its clock running."""

from collections.abc import Callable, Iterable, Mapping
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import Self, TypeAlias

from confluent_kafka import KafkaError, Message, Producer

from dataflows.connectors.kafka.client import BrokerError, KafkaLocation, producer_settings
from dataflows.connectors.kafka.writer import TopicWriter
from dataflows.pipeline.event_codec import EventCodec, EventFormat
from window_core import Event

__all__ = ["Due", "EventWriter", "Heartbeats"]

Due: TypeAlias = Callable[[int, int], float]
"""When an event is due, in seconds since the writing began: of its number, from 0, and its arrival in ms."""


class EventWriter:
    """Writes events to a topic, each under the key of its device.

    Attributes:
        written: how many have been written so far.
    """

    def __init__(
        self, location: KafkaLocation, properties: Mapping[str, str], event_format: EventFormat, codec: EventCodec
    ) -> None:
        self._encoded = codec.encoded_message if event_format == "protobuf" else codec.encoded
        self._writer = TopicWriter(location, properties)
        self.written = 0

    def write(self, events: Iterable[tuple[Event, int]], due_s: Due | None = None) -> Iterable[int]:
        """Write events with their arrivals in ms, which count where timestamps are the producers'.

        Args:
            events: what to write.
            due_s: when each is due; ``None``: as fast as the broker takes them.
        Yields:
            How many have been written so far, after each.
        Raises:
            BrokerError: the broker refused one.
        """
        start_s = monotonic()
        waiting = Flag()
        for event, arrival_ms in events:
            if due_s is not None:
                waiting.wait(max(0.0, start_s + due_s(self.written, arrival_ms) - monotonic()))
            self._writer.write(self._encoded(event), event.device_id.encode(), arrival_ms)
            self.written += 1
            self._writer.look()
            yield self.written

    def settle(self) -> None:
        """Wait until the broker has acknowledged all. Raises as ``write`` does."""
        self._writer.settle()


class Heartbeats:
    """Writes a heartbeat, a record with neither key nor value, to each partition of a topic at an interval."""

    def __init__(self, location: KafkaLocation, properties: Mapping[str, str], partitions: int, every_ms: int) -> None:
        self._location = location
        self._partitions = partitions
        self._every_s = every_ms / 1000
        self._stopped = Flag()
        self._error: KafkaError | None = None
        # One that cannot be written while the broker is away need not be: the next will do.
        self._producer = Producer({**producer_settings(location.brokers, properties), "message.timeout.ms": every_ms})
        self._failure: BrokerError | None = None
        self._thread = Thread(target=self._run, daemon=True)

    def run(self) -> None:
        """Write them until stopped.

        Raises:
            BrokerError: the broker refuses them.
        """
        while not self._stopped.is_set():
            for partition in range(self._partitions):
                try:
                    self._producer.produce(self._location.topic, partition=partition, on_delivery=self._on_delivery)
                except BufferError:
                    break
            self._producer.poll(0)
            if self._error is not None:
                raise BrokerError(f"{self._location} refused a heartbeat: {self._error.str()}")
            self._stopped.wait(self._every_s)

    def stop(self) -> None:
        self._stopped.set()

    def __enter__(self) -> Self:
        """Write them in a thread, until the end of the context."""
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._thread.join()
        if self._failure is not None and exception[0] is None:
            raise self._failure

    def _run(self) -> None:
        try:
            self.run()
        except BrokerError as error:
            self._failure = error

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and error.code() not in {KafkaError._MSG_TIMED_OUT, KafkaError._PURGE_QUEUE}:
            self._error = error
