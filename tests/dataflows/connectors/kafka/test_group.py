"""Progress under a consumer group: what Kafka's own tools see of a run, and what a run never looks at."""

import signal
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep

import pytest
from confluent_kafka import Consumer, IsolationLevel, TopicPartition

from dataflows.connectors.kafka.client import kafka_location
from tests.dataflows.commands import latecomer, started
from tests.dataflows.connectors.kafka.logs import fleet_lines
from tests.dataflows.connectors.kafka.topics import Topics, records_of, values_of

GIVE_UP_S = 120
LINES = fleet_lines(devices=5, minutes=30)


class Group:
    """A consumer group as Kafka's own tools see it."""

    def __init__(self, log: str, name: str) -> None:
        brokers, self._topic = kafka_location("--input", log)
        settings = {"bootstrap.servers": brokers, "group.id": name, "enable.auto.commit": False, "log_level": 2}
        self._consumer = Consumer(settings)

    def committed(self) -> list[int]:
        """The offset of each partition; below 0: none."""
        places = [TopicPartition(self._topic, number) for number in range(2)]
        return [place.offset for place in self._consumer.committed(places, timeout=30)]

    def commit(self, offset: int) -> None:
        places = [TopicPartition(self._topic, number, offset) for number in range(2)]
        self._consumer.commit(offsets=places, asynchronous=False)

    def close(self) -> None:
        self._consumer.close()


def of_events(topics: Topics, output: str) -> list[bytes]:
    """The predictions but for those of ticks, of which the end of a bounded run brings more."""
    return sorted(line for line in values_of(topics.records(output)) if b'"position":null' not in line)


@pytest.mark.parametrize(("engine", "processes"), [("bytewax", "1"), ("bytewax", "2"), ("flink", "1")])
def test_a_run_commits_how_far_it_has_read_and_never_reads_it_back(
    engine: str,
    processes: str,
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
    ends = topics.readable_ends(log, IsolationLevel.READ_COMMITTED)
    name = f"latecomer-{engine}-{processes}"
    services = ["--features", features_address, "--inference", inference_address]
    options = ["--engine", engine, "--input", log, *services, "--epoch", "1s", "--group", name]
    options += ["--parallelism", processes]
    first, second = topics.made(), topics.made()
    live = ["--output", first, "--rejections", topics.made(), "--state", tmp_path / "live"]
    with closing(Group(log, name)) as group:
        with started("run", *options, *live, cwd=tmp_path) as process:
            give_up_s = monotonic() + GIVE_UP_S
            while group.committed() != ends and process.poll() is None and monotonic() < give_up_s:
                sleep(0.1)
            assert group.committed() == ends
            process.send_signal(signal.SIGINT)
            assert process.wait(GIVE_UP_S) == 0, process.stderr.read()
        group.commit(1)

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
    with closing(Group(log, "latecomer")) as group:
        assert max(group.committed()) < 0


def test_a_group_is_for_topics(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(LINES)
    said = latecomer("run", "--input", "events.jsonl", "--group", "mine", cwd=tmp_path)
    assert said.returncode == 2
    assert "--group is for Kafka; a file has no consumer groups" in said.stderr.decode()
