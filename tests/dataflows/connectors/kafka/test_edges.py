"""The ends of a topic: what a bounded run reads, what the next one goes on with, and which topic it is at all."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataflows.connectors.kafka import topic_watch
from dataflows.connectors.kafka.client import BrokerError
from dataflows.pipeline.event_codec import EventCodec
from runtime.errors import SettingsError
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC, START_MS
from tests.dataflows.connectors.kafka.topics import Record, Topics
from tests.events import demo_event
from tests.reference import Outputs
from window_core import MAX_TIME_MS

PLAIN = replace(SPEC, tick_ms=0)


def record_of(device_id: str, after_ms: int, stamp_ms: int | None = None) -> Record:
    event = demo_event(device_id, START_MS + after_ms, 1.0, 2.0, 3.0, 4.0)
    return device_id.encode(), EventCodec().encoded(event), START_MS + after_ms if stamp_ms is None else stamp_ms


def records_of(device_id: str, instants_ms: Iterable[int]) -> list[Record]:
    return [record_of(device_id, after_ms) for after_ms in instants_ms]


def answered(outputs: Outputs) -> list[str]:
    """The positions of the events that became predictions, in order."""
    lines = [json.loads(line) for sequences in outputs.values() for line in sequences.predictions]
    return sorted(line["position"] for line in lines if line["position"] is not None)


@pytest.fixture
def places(topics: Topics, tmp_path: Path) -> dict[str, str]:
    return {"output": topics.made(), "rejections": topics.made(), "folder": str(tmp_path / "state")}


@pytest.mark.parametrize("stamps", ["LogAppendTime", "CreateTime"])
def test_an_open_transaction_holds_back_what_stands_behind_it_in_its_partition_and_nothing_else(
    topics: Topics, kafka_pipelines: KafkaPipelines, places: dict[str, str], stamps: str
) -> None:
    log = topics.made(2, message_timestamp_type=stamps)
    topics.fill(log, records_of("b", [0]), 1)
    topics.fill(log, records_of("a", [1, 2]), 0)
    transaction = topics.transaction(log, records_of("a", [3]))
    topics.fill(log, records_of("a", [4]), 0)
    assert answered(kafka_pipelines.run(log, PLAIN, **places)) == ["0/0", "0/1", "1/0"]
    topics.fill(log, records_of("b", [5]), 1)
    transaction.commit_transaction()
    everything = ["0/0", "0/1", "0/2", "0/3", "1/0", "1/1"]  # the marker is 0/4
    assert answered(kafka_pipelines.run(log, PLAIN, **places)) == everything
    assert answered(kafka_pipelines.run(log, PLAIN, **places)) == everything


@pytest.mark.parametrize("stamps", ["LogAppendTime", "CreateTime"])
def test_a_log_that_ends_with_markers_and_aborted_records_is_read_to_its_end(
    topics: Topics, kafka_pipelines: KafkaPipelines, stamps: str
) -> None:
    log = topics.made(message_timestamp_type=stamps)
    topics.fill(log, records_of("a", [0, 1]))
    for after_ms in (60_000_000, 70_000_000):
        topics.transaction(log, records_of("a", [after_ms] * 80)).abort_transaction()
    outputs = kafka_pipelines.run(log, replace(SPEC, tick_ms=60_000, idle_after_ms=900_000, forget_after_ms=900_000))
    assert answered(outputs) == ["0/0", "0/1"]
    assert kafka_pipelines.metrics.by_cause()["tick"] == 0  # an aborted record or a marker would bring 15


def test_a_timestamp_that_is_no_time_ends_no_clock(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log = topics.made(message_timestamp_after_max_ms=str(2**63 - 1))
    micros = START_MS * 1_000
    assert micros > MAX_TIME_MS
    topics.fill(log, [record_of("a", 0), record_of("b", 0, micros), record_of("a", 60_000)])
    outputs = kafka_pipelines.run(log, SPEC)
    [invalid] = map(json.loads, outputs[None].rejected)
    assert (invalid["error"], invalid["arrival_ms"], invalid["position"]) == ("time", micros, "0/1")
    windows = [(line["cause"], line["events"]) for line in map(json.loads, outputs["a"].predictions)]
    assert windows == [("event", 1), ("tick", 1), ("event", 2)]
    assert kafka_pipelines.metrics.total("latecomer_arrival_jumps_total") == 0


def test_what_a_run_up_to_an_instant_leaves_the_next_one_reads(
    topics: Topics, kafka_pipelines: KafkaPipelines, places: dict[str, str]
) -> None:
    log = topics.made(2)
    topics.fill(log, records_of("a", [0, 30_000, 10_000, 60_000, 5_000]), 0)  # clamped to 30 s, and to 60 s
    topics.fill(log, records_of("b", [20_000, 90_000, 20_001]), 1)
    runs = [kafka_pipelines.run(log, SPEC, until_ms=START_MS + ms, **places) for ms in (0, 20_000, 59_999, 60_000)]
    assert [len(answered(outputs)) for outputs in runs] == [1, 2, 4, 6]
    at_once = kafka_pipelines.run(log, SPEC)
    in_parts = kafka_pipelines.run(log, SPEC, **places)
    assert (
        answered(at_once) == answered(in_parts) == sorted([f"0/{n}" for n in range(5)] + [f"1/{n}" for n in range(3)])
    )
    for device_id in ("a", "b"):
        assert in_parts[device_id].predictions == at_once[device_id].predictions
        assert in_parts[device_id].rejected == at_once[device_id].rejected


def test_a_state_belongs_to_its_topic_not_to_the_name(
    topics: Topics, kafka_pipelines: KafkaPipelines, places: dict[str, str]
) -> None:
    log = topics.made()
    topics.fill(log, records_of("a", [0, 1]))
    before = kafka_pipelines.run(log, PLAIN, **places)
    topics.remake(log)
    topics.fill(log, records_of("a", [0, 1, 2]))
    with pytest.raises(
        SettingsError, match=r"--state .* belongs to another topic: kafka://.* was deleted and made anew"
    ):
        kafka_pipelines.run(log, PLAIN, **places)
    assert kafka_pipelines.outputs(places["output"], places["rejections"]) == before


def test_another_topic_of_the_same_name_stops_a_run_that_goes_on(
    topics: Topics, kafka_pipelines: KafkaPipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_watch, "_EVERY_S", 0)
    log = topics.made()
    opened = kafka_pipelines.opened(log)
    topics.remake(log)
    with pytest.raises(BrokerError, match="was deleted, and another topic of that name is there now"):
        kafka_pipelines.run_opened(opened)


def test_a_device_in_two_partitions_is_told_once(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log = topics.made(2)
    for partition, instants in ((0, [0, 2, 4]), (1, [1, 3])):
        topics.fill(log, records_of("a", instants), partition)
    kafka_pipelines.run(log, PLAIN)
    [warning] = kafka_pipelines.metrics.warnings.values()
    assert "device a has records in partitions" in warning


def test_a_jump_of_a_producers_clock_is_counted(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log = topics.made()
    week_ms = 7 * 86_400_000
    topics.fill(log, [record_of("a", 0), record_of("b", 0, START_MS + week_ms), record_of("a", 1)])
    outputs: Any = kafka_pipelines.run(log, PLAIN)
    assert [json.loads(line)["as_of_ms"] for line in outputs["a"].predictions] == [START_MS, START_MS + week_ms]
    assert kafka_pipelines.metrics.value("latecomer_arrival_jumps_total", partition="0") == 1
    assert kafka_pipelines.metrics.value("latecomer_arrivals_clamped_total", partition="0") == 1
