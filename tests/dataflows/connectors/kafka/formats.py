"""Events of others: the same readings as messages of Protobuf, records of Avro, and in a schema registry's framing."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from dataflows.connectors.schemas import opened_schema
from dataflows.pipeline.proto_message import MessageType
from dataflows.settings import BrokerSettings, LogSettings
from tests.dataflows.connectors.kafka.logs import fleet_lines
from tests.dataflows.connectors.kafka.registry import Registry
from tests.dataflows.connectors.kafka.topics import Record, records_of

__all__ = ["LINES", "Form", "as_avro", "as_messages", "registered", "valued"]

Form = tuple[dict[str, Any], Callable[[dict[str, Any]], bytes]]
"""The options of a run, and how an event is written for it."""

LINES = b"\n".join(line for line in fleet_lines(5, 20).splitlines() if line.startswith(b'{"device_id":"device'))
"""Events that keep every rule of the wire formats."""

_FIELDS = ("device_id=asset", "time=at.stamp")
_CLOCK = """
syntax = "proto3";
package plant.v1;
import "google/protobuf/timestamp.proto";
message At { google.protobuf.Timestamp stamp = 1; }
"""
_PROTO = """
syntax = "proto3";
package plant.v1;
import "clock.proto";
message Other { string note = 1; }
message Reading {
  string asset = 1; At at = 2; double sensor1 = 3; optional float sensor2 = 4; float sensor3 = 5; float sensor4 = 6;
}
"""
_PLACE = b"\x02\x02"
"""That of a Reading in the file: it is the second message."""

_MICROSECONDS = {"type": "long", "logicalType": "timestamp-micros"}
_AVSC = {
    "type": "record",
    "name": "plant.Reading",
    "fields": [
        {"name": "asset", "type": "string"},
        {"name": "at", "type": {"type": "record", "name": "At", "fields": [{"name": "stamp", "type": _MICROSECONDS}]}},
        *({"name": f"sensor{number}", "type": ["null", "double"]} for number in range(1, 5)),
    ],
}
_JSON_SCHEMA = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}


def valued(lines: bytes, encoded: Callable[[dict[str, Any]], bytes]) -> list[Record]:
    """The records of a topic with the events of these lines."""
    return [(key, encoded(json.loads(line or b"")), arrival_ms) for key, line, arrival_ms in records_of(lines)]


def as_messages(folder: Path) -> Form:
    (folder / "clock.proto").write_text(_CLOCK)
    (folder / "plant.proto").write_text(_PROTO)
    options = {"format": "protobuf", "proto": str(folder / "plant.proto"), "message": "Reading", "fields": _FIELDS}
    schema = opened_schema(LogSettings(input="kafka://a:1/t", **options), BrokerSettings(), pytest.fail)
    assert isinstance(schema, MessageType)
    message = schema.message_class()

    def encoded(event: dict[str, Any]) -> bytes:
        stamp = {"seconds": event["time"] // 1_000, "nanos": event["time"] % 1_000 * 1_000_000}
        readings = {name: event[name] for name in ("sensor1", "sensor2", "sensor3", "sensor4")}
        return message(asset=event["device_id"], at={"stamp": stamp}, **readings).SerializeToString()

    return options, encoded


def as_avro(folder: Path) -> Form:
    (folder / "plant.avsc").write_text(json.dumps(_AVSC))
    schema = parse_schema(_AVSC, {})

    def encoded(event: dict[str, Any]) -> bytes:
        target = BytesIO()
        schemaless_writer(target, schema, _theirs(event))
        return target.getvalue()

    return {"format": "avro", "schema": str(folder / "plant.avsc"), "fields": _FIELDS}, encoded


def registered(registry: Registry, event_format: str, folder: Path) -> Form:
    """In the framing of a registry that has the schema."""
    options = {"schema_registry": registry.url, "format": event_format, "fields": _FIELDS}
    if event_format == "json":
        schema_id = registry.register("readings-json", "JSON", json.dumps(_JSON_SCHEMA))
        head = b"\0" + schema_id.to_bytes(4)
        return {**options, "time_unit": "us"}, lambda event: head + json.dumps(_theirs(event)).encode()
    if event_format == "avro":
        schema_id, place = registry.register("readings-avro", "AVRO", json.dumps(_AVSC)), b""
        encoded = as_avro(folder)[1]
    else:
        registry.register("clock.proto", "PROTOBUF", _CLOCK)
        schema_id, place = registry.register("readings", "PROTOBUF", _PROTO, "clock.proto"), _PLACE
        encoded = as_messages(folder)[1]
    return options, lambda event: b"\0" + schema_id.to_bytes(4) + place + encoded(event)


def _theirs(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "asset": event["device_id"], "at": {"stamp": event["time"] * 1_000}}
