"""Topics whose values have a schema: the same outputs as of the same events in JSON."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from dataflows.connectors.schemas import opened_schema
from dataflows.pipeline.proto_message import MessageType
from dataflows.settings import LogSettings
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines, without_positions
from tests.dataflows.connectors.kafka.logs import SPEC, fleet_lines
from tests.dataflows.connectors.kafka.topics import Record, Topics, records_of
from tests.reference import reference

PROTO = """
syntax = "proto3";
package plant.v1;
import "google/protobuf/timestamp.proto";
message Reading {
  message At { google.protobuf.Timestamp stamp = 1; }
  string asset = 1; At at = 2; double sensor1 = 3; optional float sensor2 = 4; float sensor3 = 5; float sensor4 = 6;
}
"""
AVSC = {
    "type": "record",
    "name": "plant.Reading",
    "fields": [
        {"name": "asset", "type": "string"},
        {
            "name": "at",
            "type": {
                "type": "record",
                "name": "At",
                "fields": [{"name": "stamp", "type": {"type": "long", "logicalType": "timestamp-micros"}}],
            },
        },
        *({"name": f"sensor{number}", "type": ["null", "double"]} for number in range(1, 5)),
    ],
}
FIELDS = ("device_id=asset", "time=at.stamp")

LINES = b"\n".join(line for line in fleet_lines(5, 20).splitlines() if line.startswith(b'{"device_id":"device'))


def valued(lines: bytes, encoded: Callable[[dict[str, Any]], bytes]) -> list[Record]:
    """The records of a topic with the events of these lines."""
    return [(key, encoded(json.loads(line or b"")), arrival_ms) for key, line, arrival_ms in records_of(lines)]


def proto_options(folder: Path) -> dict[str, Any]:
    (folder / "plant.proto").write_text(PROTO)
    return {"format": "protobuf", "proto": str(folder / "plant.proto"), "message": "Reading", "fields": FIELDS}


def encoded_messages(options: dict[str, Any]) -> Callable[[dict[str, Any]], bytes]:
    schema = opened_schema(LogSettings(input="kafka://a:1/t", **options))
    assert isinstance(schema, MessageType)
    message = schema.message_class()

    def encoded(event: dict[str, Any]) -> bytes:
        stamp = {"seconds": event["time"] // 1_000, "nanos": event["time"] % 1_000 * 1_000_000}
        readings = {name: event[name] for name in ("sensor1", "sensor2", "sensor3", "sensor4")}
        return message(asset=event["device_id"], at={"stamp": stamp}, **readings).SerializeToString()

    return encoded


def avro_options(folder: Path) -> dict[str, Any]:
    (folder / "plant.avsc").write_text(json.dumps(AVSC))
    return {"format": "avro", "schema": str(folder / "plant.avsc"), "fields": FIELDS}


def encoded_record(event: dict[str, Any]) -> bytes:
    target = BytesIO()
    record = {"asset": event["device_id"], "at": {"stamp": event["time"] * 1_000}, **event}
    schemaless_writer(target, parse_schema(AVSC, {}), record)
    return target.getvalue()


@pytest.mark.parametrize("event_format", ["protobuf", "avro"])
def test_values_with_a_schema_give_what_json_gives(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path, event_format: str
) -> None:
    options = (proto_options if event_format == "protobuf" else avro_options)(tmp_path)
    encoded = encoded_messages(options) if event_format == "protobuf" else encoded_record
    log = topics.made(2)
    topics.fill(log, valued(LINES, encoded))
    actual = kafka_pipelines.run(log, SPEC, **options)
    assert without_positions(actual) == without_positions(reference(LINES, SPEC))


def test_records_need_no_key_where_keys_are_ignored(topics: Topics, kafka_pipelines: KafkaPipelines) -> None:
    log = topics.made()
    records = records_of(LINES)
    topics.fill(log, [(b"line 7" if number % 2 else None, *rest) for number, (_, *rest) in enumerate(records)])
    output, rejections = topics.made(), topics.made()
    actual = kafka_pipelines.run(log, SPEC, output=output, rejections=rejections, key="ignore")
    assert without_positions(actual) == without_positions(reference(LINES, SPEC))
    for message in topics.records(output):
        assert (message.key() or b"").decode() == json.loads(message.value() or b"")["device_id"]
