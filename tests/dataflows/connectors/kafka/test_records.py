"""What a record of a topic is: its key, its value and its timestamp decide together."""

import json
from hashlib import sha256
from typing import Any

import pytest

from dataflows.connectors.kafka.client import kafka_location
from dataflows.pipeline.event_codec import EventCodec
from runtime.errors import SettingsError
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines, without_positions
from tests.dataflows.connectors.kafka.logs import SPEC, START_MS, fleet_lines
from tests.dataflows.connectors.kafka.topics import Record, Topics, records_of
from tests.events import demo_event
from tests.reference import Outputs, reference
from window_core import Event
from window_core.device_window import first_tick_ms


def event_of(device_id: str, after_ms: int) -> Event:
    return demo_event(device_id, START_MS + after_ms, 1.0, 2.0, 3.0, 4.0)


def record_of(device_id: str, after_ms: int) -> Record:
    return device_id.encode(), EventCodec().encoded(event_of(device_id, after_ms)), START_MS + after_ms


def invalid_of(outputs: Outputs) -> list[dict[str, Any]]:
    return [json.loads(line) for line in outputs[None].rejected]


def test_a_key_that_is_not_the_device_id_is_invalid(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log = topics.made()
    _, value, at_ms = record_of("a", 0)
    topics.fill(log, [(b"b", value, at_ms), (None, value, at_ms + 5), (b"a", value, at_ms + 6)])
    outputs = kafka_pipelines.run(log, SPEC)
    wrong, missing = invalid_of(outputs)
    assert (wrong["error"], wrong["position"], wrong["arrival_ms"]) == ("key", "0/0", START_MS)
    assert (missing["error"], missing["position"], missing["arrival_ms"]) == ("key", "0/1", START_MS + 5)
    [prediction] = outputs["a"].predictions
    assert json.loads(prediction)["position"] == "0/2"


def test_an_invalid_record_keeps_size_digest_and_beginning_of_its_value(
    topics: Topics, kafka_pipelines: KafkaPipelines
) -> None:
    log, rejections = topics.made(max_message_bytes="8000000"), topics.made()
    value = b'{"device_id":"' + b"x" * 5_000_000 + b'"}'
    topics.fill(log, [(b"x", value, START_MS), record_of("a", 1)])
    outputs = kafka_pipelines.run(log, SPEC, rejections=rejections)
    [large] = invalid_of(outputs)
    assert (large["error"], large["size"]) == ("not_an_event", len(value))
    assert large["sha256"] == sha256(value).hexdigest()
    assert len(large["raw"]) == 87_384  # 64 KiB as base64
    assert len(outputs["a"].predictions) == 1
    assert [message.key() for message in topics.records(rejections)] == [None]


def test_a_bounded_run_ends_at_the_offsets_that_it_is_given(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log = topics.made(2)
    topics.fill(log, [record_of("a", after_ms) for after_ms in range(5)])
    [partition] = {message.partition() for message in topics.records(log)}
    ends = {partition: 3, 1 - partition: 0}
    outputs = kafka_pipelines.run(log, SPEC, end_offsets=f"{ends[0]},{ends[1]}")
    places = [json.loads(line)["position"] for line in outputs["a"].predictions]
    assert [place for place in places if place] == [f"{partition}/{offset}" for offset in range(3)]
    with pytest.raises(SettingsError, match=r"--end-offsets has 1 numbers, but kafka://.* has 2 partitions"):
        kafka_pipelines.run(log, SPEC, end_offsets="3")


def test_a_key_without_a_value_is_no_event(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    for event_format in ("json", "protobuf"):
        log = topics.made()
        topics.fill(log, [(b"a", None, START_MS), (b"", None, START_MS), (b"a", b"", START_MS + 1)])
        errors = [entry["error"] for entry in invalid_of(kafka_pipelines.run(log, SPEC, format=event_format))]
        assert errors == ["not_an_event"] * 2 + ["not_an_event" if event_format == "json" else "device_id"]


def test_an_arrival_inside_the_value_is_a_further_field(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log = topics.made()
    topics.fill(log, [(b"a", EventCodec().encoded(event_of("a", 0), START_MS + 9_999), START_MS + 3)])
    [prediction] = kafka_pipelines.run(log, SPEC)["a"].predictions
    assert json.loads(prediction)["as_of_ms"] == START_MS + 3


def test_messages_give_what_json_gives(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    lines = b"\n".join(line for line in fleet_lines(5, 20).splitlines() if line.startswith(b'{"device_id":"device'))
    log = topics.made(2)
    as_messages = []
    for key, line, arrival_ms in records_of(lines):
        values = json.loads(line or b"")
        readings = [values[f"sensor{number}"] for number in range(1, 5)]
        event = demo_event(values["device_id"], values["time"], *readings)
        as_messages.append((key, EventCodec().encoded_message(event), arrival_ms))
    topics.fill(log, as_messages)
    actual = kafka_pipelines.run(log, SPEC, format="protobuf")
    assert without_positions(actual) == without_positions(reference(lines, SPEC))


def test_a_heartbeat_moves_the_clock_of_its_partition_only(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log, output, rejections = topics.made(2), topics.made(), topics.made()
    topics.fill(log, [record_of("a", 0)], 0)
    topics.fill(log, [record_of("b", 0)], 1)
    tick_ms = first_tick_ms(SPEC, "a", START_MS)
    topics.fill(log, [(None, None, tick_ms), (None, None, tick_ms + 1)], 0)
    options = ["--input", log, "--output", output, "--rejections", rejections]
    options += ["--interval", "10m", "--tick", "1m", "--idle-after", "5m", "--forget-after", "15m"]
    with kafka_pipelines.started(*options) as process:
        found = topics.records(output, lambda messages: len(messages) >= 3)
        topics.fill(log, [record_of("b", 1)], 1)  # the last to be written shows that nothing else was
        found = topics.records(output, lambda messages: len(messages) >= 4)
        process.terminate()
        said, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "evaluations     4: event 3, tick 1" in said
    causes = [(message.key(), json.loads(message.value())["cause"]) for message in found]
    assert sorted(causes) == [(b"a", "event"), (b"a", "tick"), (b"b", "event"), (b"b", "event")]
    assert topics.records(rejections) == []


def test_producers_timestamps_are_accepted_and_said_once(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log = topics.made()
    topics.fill(log, [record_of("a", 10_000), record_of("a", 9_000)])
    kafka_pipelines.run(log, SPEC)
    [said] = kafka_pipelines.said
    assert said.startswith(f"the timestamps of {kafka_location('', log).topic} are its producers'")
    assert kafka_pipelines.metrics.value("latecomer_arrivals_clamped_total", partition="0") == 1
    broker_clock = topics.made(message_timestamp_type="LogAppendTime")
    kafka_pipelines.run(broker_clock, SPEC)
    assert kafka_pipelines.said == []
