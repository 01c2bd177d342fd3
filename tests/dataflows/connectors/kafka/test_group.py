"""Progress under a consumer group: what Kafka's own tools see of a run, and what a run never looks at."""

import signal
from pathlib import Path
from time import monotonic, sleep

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient

from dataflows.connectors.kafka.client import kafka_location
from tests.dataflows.commands import latecomer, started
from tests.dataflows.connectors.kafka.logs import fleet_lines
from tests.dataflows.connectors.kafka.topics import Topics, records_of, values_of

GIVE_UP_S = 120
LINES = fleet_lines(devices=5, minutes=30)


def committed(log: str, group: str) -> dict[int, int]:
    """The offset of each partition under a group."""
    brokers, _ = kafka_location("--input", log)
    admin = AdminClient({"bootstrap.servers": brokers})
    found = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(30)
    return {place.partition: place.offset for place in found.topic_partitions}


def commit(log: str, group: str, offset: int) -> None:
    brokers, topic = kafka_location("--input", log)
    admin = AdminClient({"bootstrap.servers": brokers})
    places = [TopicPartition(topic, number, offset) for number in range(2)]
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, places)])[group].result(30)


def of_events(topics: Topics, output: str) -> list[bytes]:
    """The predictions but for those of ticks, of which the end of a bounded run brings more."""
    return sorted(line for line in values_of(topics.records(output)) if b'"position":null' not in line)


@pytest.mark.parametrize("engine", ["bytewax", "flink"])
def test_a_run_commits_how_far_it_has_read_and_never_reads_it_back(
    engine: str,
    request: pytest.FixtureRequest,
    topics: Topics,
    features_address: str,
    inference_address: str,
    tmp_path: Path,
) -> None:
    if engine == "flink":
        request.getfixturevalue("has_flink")
    log = topics.made(2)
    topics.fill(log, records_of(LINES))
    ends = dict(enumerate(topics.readable_ends(log, IsolationLevel.READ_COMMITTED)))
    group = f"latecomer-{engine}"
    services = ["--features", features_address, "--inference", inference_address]
    options = ["--engine", engine, "--input", log, *services, "--epoch", "1s", "--group", group]
    first, second = topics.made(), topics.made()
    live = ["--output", first, "--rejections", topics.made(), "--state", tmp_path / "live"]
    with started("run", *options, *live, cwd=tmp_path) as process:
        give_up_s = monotonic() + GIVE_UP_S
        while committed(log, group) != ends and process.poll() is None and monotonic() < give_up_s:
            sleep(0.1)
        assert committed(log, group) == ends
        process.send_signal(signal.SIGINT)
        assert process.wait(GIVE_UP_S) == 0, process.stderr.read()

    commit(log, group, 1)
    bounded = ["--bounded", "--output", second, "--rejections", topics.made(), "--state", tmp_path / "bounded"]
    run = latecomer("run", *options, *bounded, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert of_events(topics, first) == of_events(topics, second) != []


def test_a_run_without_a_group_commits_nothing(
    topics: Topics, features_address: str, inference_address: str, tmp_path: Path
) -> None:
    log = topics.made(2)
    topics.fill(log, records_of(LINES))
    services = ["--features", features_address, "--inference", inference_address]
    assert latecomer("run", "--input", log, "--bounded", *services, cwd=tmp_path).returncode == 0
    assert log not in str(committed(log, "latecomer"))


def test_a_group_is_for_topics(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(LINES)
    said = latecomer("run", "--input", "events.jsonl", "--group", "mine", cwd=tmp_path)
    assert said.returncode == 2
    assert "--group is for Kafka; a file has no consumer groups" in said.stderr.decode()
