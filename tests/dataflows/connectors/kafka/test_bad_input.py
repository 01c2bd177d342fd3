"""What cannot work is said in one line, before anything starts or when it shows."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from threading import Event
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from dataflows.connectors.kafka import topic_watch
from dataflows.connectors.kafka.client import BrokerError, kafka_location
from dataflows.connectors.kafka.topic import TopicReader
from dataflows.kafka_broker.broker import Broker, running_broker
from dataflows.kafka_broker.topics import make_topics
from runtime.errors import SettingsError
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC, START_MS, fleet_lines
from tests.dataflows.connectors.kafka.topics import PASSWORD, USER, Topics, records_of
from tests.interop.page import free_ports


def test_a_missing_topic_is_named_with_the_command_that_makes_it(
    topics: Topics, kafka_pipelines: KafkaPipelines
) -> None:
    missing = f"kafka://{topics.address}/missing"
    for places in ({"log": missing}, {"log": topics.made(), "output": missing}):
        with pytest.raises(
            SettingsError, match=r"there is no such topic; create it with kafka-topics.sh .*--topic missing"
        ):
            kafka_pipelines.run(spec=SPEC, **places)


def test_a_broker_that_comes_up_may_get_its_topics_a_moment_later(
    has_broker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    [port] = free_ports(["any"]).values()
    found_missing = Event()
    location = kafka_location("--output", f"kafka://127.0.0.1:{port}/t")
    said: Queue[str] = Queue()
    reader = TopicReader("--output", location, {}, 60_000, said.put)
    ask = reader._client.describe_topics

    def noted_ask(*arguments: Any, **options: Any) -> Any:
        answers = ask(*arguments, **options)
        error = answers["t"].exception()
        if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            found_missing.set()
        return answers

    monkeypatch.setattr(reader._client, "describe_topics", noted_ask)
    with ThreadPoolExecutor(1) as pool:
        traits = pool.submit(reader.traits)
        assert said.get(timeout=60).startswith("waiting for the Kafka broker")
        with running_broker(None, int(port)) as broker:
            assert found_missing.wait(60)
            make_topics(broker.address, {"t": {}}, 3)
            assert traits.result(60).partitions == 3


def test_a_broker_that_is_not_there_is_waited_for_and_then_given_up(kafka_pipelines: KafkaPipelines) -> None:
    nobody = "127.0.0.1:1"
    with pytest.raises(BrokerError, match=f"no Kafka broker answers at {nobody}; waited 1500ms"):
        kafka_pipelines.run(f"kafka://{nobody}/t", SPEC, rejections="-", wait_for_broker_ms=1_500)
    assert kafka_pipelines.said == [f"waiting for the Kafka broker at {nobody}"]


def test_the_command_ends_with_1_and_one_line(kafka_pipelines: KafkaPipelines) -> None:
    options = ["--input", "kafka://127.0.0.1:1/t", "--output", "kafka://127.0.0.1:1/p", "--wait-for-broker", "10ms"]
    result = subprocess.run(kafka_pipelines.command(*options), capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("latecomer: no Kafka broker answers")


def test_a_password_lets_in_and_a_wrong_one_is_said_and_never_shown(
    broker: Broker, topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    assert broker.secured_address is not None
    log, output, rejections = topics.made(), topics.made(), topics.made()
    topics.fill(log, records_of(fleet_lines(2, 5)))
    secured = [text.replace(topics.address, broker.secured_address) for text in (log, output, rejections)]
    properties = tmp_path / "kafka.properties"
    places = {"log": secured[0], "output": secured[1], "rejections": secured[2], "kafka_properties": str(properties)}
    for password in (PASSWORD, "a wrong word"):
        properties.write_text(
            "# how to get in\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanisms=PLAIN\n"
            f"sasl.username={USER}\nsasl.password={password}\n"
        )
        if password == PASSWORD:
            kafka_pipelines.run_only(spec=SPEC, **places)
            assert topics.records(output)
            continue
        with pytest.raises(
            SettingsError, match=r"authentication failed, see --kafka-properties: .*Authentication"
        ) as error:
            kafka_pipelines.run_only(spec=SPEC, **places)
        assert password not in str(error.value)


def test_a_record_too_large_for_its_topic_ends_the_run(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    log, rejections = topics.made(), topics.made(max_message_bytes="20000")
    small, large = (b"{", START_MS), (b"x" * 30_000, START_MS + 1)
    topics.fill(log, [(None, value, at_ms) for value, at_ms in (small, large)])
    with pytest.raises(BrokerError, match=r"refused a record: .*raise max.message.bytes of the topic.* 20000"):
        kafka_pipelines.run(log, SPEC, rejections=rejections)


def test_records_that_together_are_too_large_for_a_batch_are_written(
    topics: Topics, kafka_pipelines: KafkaPipelines
) -> None:
    log, rejections = topics.made(), topics.made(max_message_bytes="100000")
    topics.fill(log, [(None, b"x" * 60_000, START_MS)] * 20)
    assert len(kafka_pipelines.run(log, SPEC, rejections=rejections)[None].rejected) == 20


def test_a_state_is_refused_with_other_partitions(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    log, more = (
        topics.made(2),
        {"output": topics.made(), "rejections": topics.made(), "folder": str(tmp_path / "state")},
    )
    topics.fill(log, records_of(fleet_lines(2, 5)))
    kafka_pipelines.run(log, SPEC, **more)
    topics.add_partitions(log, 3)
    with pytest.raises(
        SettingsError, match=r"belongs to a run with --input .* of 2 partitions, not .* of 3 partitions"
    ):
        kafka_pipelines.run(log, SPEC, **more)


def test_partitions_added_under_a_run_are_seen(
    topics: Topics, kafka_pipelines: KafkaPipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_watch, "_EVERY_S", 0)
    log = topics.made(2)
    opened = kafka_pipelines.opened(log)
    topics.add_partitions(log, 3)
    with pytest.raises(BrokerError, match="has 3 partitions now, and had 2"):
        kafka_pipelines.run_opened(opened)


def test_records_that_retention_removed_are_not_skipped_in_silence(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    log, more = topics.made(), {"output": topics.made(), "rejections": topics.made(), "folder": str(tmp_path / "state")}
    records = records_of(fleet_lines(2, 5))
    topics.fill(log, records)
    kafka_pipelines.run(log, SPEC, **more)
    topics.fill(log, records)
    topics.remove_up_to(log, len(records) + 3)
    with pytest.raises(BrokerError, match=f"the records from offset {len(records)} on are gone"):
        kafka_pipelines.run(log, SPEC, **more)


def test_locations_are_checked() -> None:
    for text in ("kafka://h:1", "kafka://h/t", "kafka:///t", "kafka://h:1/a b", "kafka://u:p@h:1/t", "kafka://h:1/a/b"):
        with pytest.raises(SettingsError, match="--input must be written kafka://HOST:PORT"):
            kafka_location("--input", text)
