"""Runs in a pod beside the broker, on the standard input of its Python, and says what it finds line by line as JSON.

``records TOPIC OFFSET[,...]`` prints what a topic holds from there on; ``beat TOPIC`` writes a heartbeat to each
partition and prints the least of their arrivals; ``watch TOPIC`` prints the time and the number of records five times a
second; ``connects HOST:PORT...`` prints those that can be reached.
"""

import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

BROKER = "kafka:9092"


def consumer():
    quiet = {"log_level": 2}  # a broker that is away on purpose is no news
    return Consumer({"bootstrap.servers": BROKER, "group.id": "tests", "enable.auto.commit": False, **quiet})


def partitions_of(client, topic):
    return sorted(client.list_topics(topic, timeout=20).topics[topic].partitions)


def ends_of(client, topic):
    return [client.get_watermark_offsets(TopicPartition(topic, number), timeout=20)[1]
            for number in partitions_of(client, topic)]  # fmt: skip


def records(topic, first):
    client = consumer()
    ends = ends_of(client, topic)
    starts = [int(offset) for offset in first.split(",")] if first else [0] * len(ends)
    client.assign([TopicPartition(topic, number, start) for number, start in enumerate(starts)])
    left = sum(max(end - start, 0) for start, end in zip(starts, ends, strict=True))
    while left > 0:
        for message in client.consume(2_000, timeout=1.0):
            assert message.error() is None, message.error()
            if message.offset() < ends[message.partition()]:
                left -= 1
                key, value = (None if part is None else part.decode() for part in (message.key(), message.value()))
                print(json.dumps([message.partition(), message.offset(), message.timestamp()[1], key, value]))
    client.close()


def beat(topic):
    producer = Producer({"bootstrap.servers": BROKER})
    positions = []

    def note(error, message):
        assert error is None, error
        positions.append((message.partition(), message.offset()))

    client = consumer()
    for number in partitions_of(client, topic):
        producer.produce(topic, partition=number, on_delivery=note)
    producer.flush()
    client.assign([TopicPartition(topic, number, offset) for number, offset in positions])
    arrivals = {}
    while len(arrivals) < len(positions):
        message = client.poll(1.0)
        if message is not None and message.value() is None:
            arrivals.setdefault(message.partition(), message.timestamp()[1])
    print(json.dumps(min(arrivals.values())))


def watch(topic):
    client, number = consumer(), -1
    while True:
        with suppress(KafkaException):  # the broker is away, and the topic as it was
            number = sum(ends_of(client, topic))
        print(json.dumps([int(time.time() * 1000), number]), flush=True)
        time.sleep(0.2)


def connects(*addresses):
    def answers(address):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError:
            return False
        return True

    with ThreadPoolExecutor(len(addresses)) as threads:
        reached = threads.map(answers, addresses)
    print(json.dumps([address for address, answered in zip(addresses, reached, strict=True) if answered]))


if __name__ == "__main__":
    {"records": records, "beat": beat, "watch": watch, "connects": connects}[sys.argv[1]](*sys.argv[2:])
