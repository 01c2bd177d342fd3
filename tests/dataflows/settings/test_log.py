"""Which log a run reads, and which settings of it contradict each other."""

from typing import Any

import pytest

from dataflows.settings.log import LogSettings
from runtime.errors import SettingsError
from window_core import MAX_TIME_MS

TOPIC = "kafka://localhost:9092/events"
BOUNDED = {"input": TOPIC, "bounded": True}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"source_records": 0}, "--source-records must be above 0"),
        ({"source_records": 1_000_001}, "--source-records must be at most"),
        ({"source_wait_ms": 0}, "--source-wait must be above 0"),
        ({"input": TOPIC, "heartbeat_ms": 0}, "--heartbeat must be above 0"),
        ({"until_ms": -1}, "--until must be"),
        ({"until_ms": MAX_TIME_MS + 1}, "--until must be"),
        ({**BOUNDED, "end_offsets": "1", "end_clock_ms": -1}, "--end-clock must be"),
        ({"input": TOPIC, "until_ms": 0}, "--until needs --bounded"),
        ({"input": TOPIC, "end_offsets": "1"}, "--end-offsets is for Kafka with --bounded"),
        ({"bounded": True, "end_offsets": "1"}, "--end-offsets is for Kafka"),
        ({**BOUNDED, "end_clock_ms": 5}, "--end-clock needs --end-offsets"),
        ({**BOUNDED, "heartbeat_ms": 5}, "--heartbeat cannot be used with --bounded"),
        ({**BOUNDED, "start": "latest"}, "--from latest cannot be used with --bounded"),
        ({"format": "protobuf"}, "--format protobuf is for Kafka"),
        ({"start": "latest"}, "--from latest is for Kafka"),
        ({"heartbeat_ms": 5_000}, "--heartbeat is for Kafka"),
        ({"input": TOPIC, "format": "protobuf", "fields": ("time=t",)}, "--fields"),
        ({"input": TOPIC, "format": "protobuf", "time_unit": "s"}, "--time-unit"),
        ({"input": TOPIC, "proto": "a.proto", "message": "A"}, "--proto needs --format protobuf"),
        ({"input": TOPIC, "format": "protobuf", "proto": "a.proto"}, "--proto needs --message"),
        ({"input": TOPIC, "format": "protobuf", "message": "A"}, "--message needs --proto"),
        ({"input": TOPIC, "schema": "a.avsc"}, "--schema needs --format avro"),
        ({"input": TOPIC, "format": "avro"}, "--format avro needs --schema or --schema-registry"),
        ({"schema_registry": "http://a"}, "--schema-registry is for Kafka"),
        ({"input": TOPIC, "registry_properties": "a"}, "--registry-properties needs --schema-registry"),
        ({"input": TOPIC, "schema_registry": "a:8081"}, "--schema-registry must be http://"),
        ({"input": TOPIC, "schema_registry": "ftp://a"}, "--schema-registry must be http://"),
        ({"input": TOPIC, "schema_registry": "http://[a"}, "--schema-registry must be http://"),
        ({"input": TOPIC, "schema_registry": "http://me:secret@a"}, "--schema-registry must have no user in it"),
        (
            {"input": TOPIC, "schema_registry": "http://a", "format": "avro", "schema": "a.avsc"},
            "--schema cannot be used with --schema-registry",
        ),
        ({"format": "avro", "schema": "a.avsc"}, "--format avro is for Kafka"),
        ({"key": "ignore"}, "--key ignore is for Kafka"),
        ({"fields": ("colour=c",)}, "--fields must be"),
        ({"fields": ("time=",)}, "--fields must be"),
        ({"fields": ("time=a", "time=b")}, "--fields names time twice"),
        ({"time_zone": "UTC"}, "--time-zone needs --time-unit iso"),
        ({"device_id": ""}, "--device-id must be 1 to 256 bytes of UTF-8"),
        ({"device_id": "é" * 129}, "--device-id must be 1 to 256 bytes of UTF-8"),
        ({"device_id": "d", "fields": ("device_id=id",)}, "--device-id cannot be used with device_id in --fields"),
        ({"time_unit": "iso", "time_zone": "Europe/Nowhere"}, "--time-zone Europe/Nowhere"),
    ],
)
def test_settings_of_a_log_that_make_no_sense_are_refused_by_name(values: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        LogSettings(**values)
    assert says in str(refused.value)


@pytest.mark.parametrize("offsets", ["", "a", "1,", ",1", "-1", "1, 2", "\u0661", "1" * 19])
def test_end_offsets_are_numbers_with_commas_between(offsets: str) -> None:
    with pytest.raises(SettingsError, match=r"^--end-offsets must be a number for each partition"):
        LogSettings(**BOUNDED, end_offsets=offsets)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"source_records": 1_000_000, "source_wait_ms": 1},
        {"until_ms": 0},
        {"until_ms": MAX_TIME_MS},
        {**BOUNDED, "until_ms": 5},
        {**BOUNDED, "end_offsets": "0,12," + "9" * 18, "end_clock_ms": 5},
        {"input": TOPIC, "heartbeat_ms": 1, "start": "latest", "format": "protobuf"},
        {"fields": ("time=at.ms", "device_id=id"), "time_unit": "iso", "time_zone": "Europe/Berlin"},
    ],
)
def test_settings_of_a_log_that_go_together_are_taken(values: dict[str, Any]) -> None:
    assert LogSettings(**values)


def test_only_an_input_with_the_scheme_of_kafka_is_a_topic() -> None:
    inputs = (TOPIC, "kafka:/a", "events.jsonl", "-", None)
    assert [LogSettings(input=name).is_topic for name in inputs] == [True, False, False, False, False]


def test_a_file_always_has_an_end_and_a_topic_where_it_is_bounded() -> None:
    assert LogSettings().has_end
    assert LogSettings(input="-").has_end
    assert not LogSettings(input=TOPIC).has_end
    assert LogSettings(**BOUNDED).has_end


def test_the_clock_runs_to_the_end_clock_or_else_to_until() -> None:
    assert LogSettings().last_instant_ms is None
    assert LogSettings(until_ms=0).last_instant_ms == 0
    assert LogSettings(**BOUNDED, until_ms=9, end_offsets="1", end_clock_ms=0).last_instant_ms == 0


def test_events_have_our_own_form_unless_a_setting_says_otherwise() -> None:
    assert LogSettings().layout.is_own
    assert LogSettings(sensors=("celsius", "door?")).layout.is_own
    assert not LogSettings(time_unit="s").layout.is_own
    assert not LogSettings(lenient=True).layout.is_own
    assert LogSettings(fields=("time=at=ms",)).layout.paths == {"time": "at=ms"}


def test_parquet_cannot_come_from_standard_input() -> None:
    with pytest.raises(SettingsError, match="--format parquet needs a file"):
        LogSettings(input="-", format="parquet")


@pytest.mark.parametrize("name", ["csv", "tsv", "parquet"])
def test_a_topic_holds_no_table(name: str) -> None:
    with pytest.raises(
        SettingsError, match=f"--format {name} is for files; a record of a topic is json, protobuf or avro"
    ):
        LogSettings(input=TOPIC, format=name)
