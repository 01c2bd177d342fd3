"""The partitioners of Java's client and of librdkafka, and what real producers do."""

import pytest

from dataflows.replay.partitioners import _murmur2, likely_partitions


@pytest.mark.parametrize(
    ("key", "number"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_that_of_kafka(key: bytes, number: int) -> None:
    """The numbers are those of Kafka's own ``UtilsTest``."""
    assert _murmur2(key) == number & 0xFFFFFFFF


@pytest.mark.parametrize("partitions", [1, 2, 7, 100])
def test_every_partition_is_named_once(partitions: int) -> None:
    assert sorted(likely_partitions("pump-7", partitions)) == list(range(partitions))


@pytest.mark.parametrize(("partitioner", "place"), [("murmur2_random", 0), ("consistent_random", 1)])
def test_a_producer_puts_a_device_where_it_is_looked_for(topics: object, partitioner: str, place: int) -> None:
    from confluent_kafka import Producer

    from tests.dataflows.connectors.kafka.topics import Topics

    assert isinstance(topics, Topics)
    log = topics.made(16)
    producer = Producer({"bootstrap.servers": topics.address, "partitioner": partitioner, "log_level": 2})
    devices = ["pump-7", "Größe ☃", "a/b/0", "x" * 255]
    for device in devices:
        producer.produce(log.rpartition("/")[2], b"{}", device.encode())
    producer.flush()
    for message in topics.records(log):
        likely = likely_partitions(message.key().decode(), 16)
        assert message.partition() in likely[: place + 1]
