"""From a topic, the flow writes for each device what it writes from a file, to topics or to files."""

from pathlib import Path

import pytest

from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines, without_positions
from tests.dataflows.connectors.kafka.logs import SPEC, START_MS, fleet_lines
from tests.dataflows.connectors.kafka.topics import Topics, records_of
from tests.reference import first_difference, reference

LINES = fleet_lines(devices=12, minutes=40)


def test_one_partition_gives_the_bytes_of_the_file(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log = topics.made()
    topics.fill(log, records_of(LINES))
    assert first_difference(reference(LINES, SPEC), kafka_pipelines.run(log, SPEC)) == ""
    assert kafka_pipelines.metrics.by_cause()["tick"] > 0
    assert all(number > 0 for reason, number in kafka_pipelines.metrics.by_reason().items() if "FU" not in reason)


@pytest.mark.parametrize("parallelism", [1, 2, 3])
def test_several_partitions_give_the_same_outputs(
    topics: Topics, kafka_pipelines: KafkaPipelines, parallelism: int
) -> None:
    log, output = topics.made(3), topics.made(4)
    topics.fill(log, records_of(LINES))
    actual = kafka_pipelines.run(log, SPEC, output=output, parallelism=parallelism, source_records=70)
    assert without_positions(actual) == without_positions(reference(LINES, SPEC))


def test_a_device_stands_in_the_partition_where_javas_client_puts_it(
    topics: Topics, kafka_pipelines: KafkaPipelines
) -> None:
    log, output = topics.made(), topics.made(4)
    topics.fill(log, records_of(LINES))
    kafka_pipelines.run(log, SPEC, output=output)
    found = {(message.key(), message.partition()) for message in topics.records(output)}
    assert {partition for _, partition in found} == {0, 1, 2, 3}
    # Kafka's own Utils.murmur2 gives these, for 4 partitions.
    assert {(key, partition) for key, partition in found if key in {b"device-0000", b"device-0001"}} == {
        (b"device-0000", _java_partition(b"device-0000", 4)),
        (b"device-0001", _java_partition(b"device-0001", 4)),
    }


def _java_partition(key: bytes, partitions: int) -> int:
    """``Utils.toPositive(Utils.murmur2(key)) % partitions``, written anew from its description."""
    mask, mix = 0xFFFFFFFF, 0x5BD1E995
    value = (0x9747B28C ^ len(key)) & mask
    whole = len(key) - len(key) % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * mix & mask
        word = (word ^ word >> 24) * mix & mask
        value = value * mix & mask ^ word
    if whole < len(key):
        value = (value ^ int.from_bytes(key[whole:], "little")) * mix & mask
    value = (value ^ value >> 13) * mix & mask
    return ((value ^ value >> 15) & 0x7FFFFFFF) % partitions


def test_outputs_may_be_files(topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path) -> None:
    log = topics.made()
    topics.fill(log, records_of(LINES))
    output, rejections = str(tmp_path / "predictions.jsonl"), str(tmp_path / "rejections.jsonl")
    actual = kafka_pipelines.run(log, SPEC, output=output, rejections=rejections)
    assert first_difference(reference(LINES, SPEC), actual) == ""


def test_a_file_may_go_to_a_topic_and_another_file(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    log, rejections = tmp_path / "events.jsonl", str(tmp_path / "rejections.jsonl")
    log.write_bytes(LINES)
    actual = kafka_pipelines.run(str(log), SPEC, rejections=rejections, bounded=False)
    assert first_difference(reference(LINES, SPEC), actual) == ""


def test_records_after_until_are_not_read(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log, until_ms = topics.made(), START_MS + 15 * 60_000
    topics.fill(log, records_of(LINES))
    actual = kafka_pipelines.run(log, SPEC, until_ms=until_ms)
    assert first_difference(reference(LINES, SPEC, until_ms), actual) == ""


def test_an_empty_topic_gives_nothing(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    assert kafka_pipelines.run(topics.made(2), SPEC) == {}
