"""Values that name their schema: decoded by it, and no events where there is none or it is of no use."""

import json
import pickle
from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflows.connectors.registered_values import RegisteredFormat, RegisteredSchemas
from dataflows.connectors.schema_registry import RegistryError, SchemaRegistry
from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout
from tests.dataflows.connectors.registry_server import RegistryServer, registry_server
from window_core import Event, EventError, Sensors

SENSORS = Sensors.of(["celsius", "door?"])
LAYOUT = EventLayout(SENSORS, {"device_id": "asset", "time": "at.s"}, "s")
EVENT = Event("d1", 7_000, SENSORS.row([1.5, None]))
AVRO = {
    "type": "record",
    "name": "Reading",
    "fields": [
        {"name": "asset", "type": "string"},
        {"name": "at", "type": {"type": "record", "name": "At", "fields": [{"name": "s", "type": "long"}]}},
        {"name": "celsius", "type": "double"},
    ],
}
CLOCK = 'syntax = "proto3"; package plant; message Clock { int64 s = 1; }'
PROTO = """
syntax = "proto3"; package plant; import "parts/clock.proto"; import "google/protobuf/timestamp.proto";
message Other { message Reading { string asset = 1; Clock at = 2; float celsius = 3; } }
message Reading { string asset = 4; google.protobuf.Timestamp at = 5; float celsius = 6; }
"""
REFERENCED = FileDescriptorProto(name="there", package="plant", message_type=[{"name": "Clock", "field": [
    {"name": "s", "number": 1, "type": "TYPE_INT64", "label": "LABEL_OPTIONAL"}]}], syntax="proto3")  # fmt: skip
SERIALIZED = FileDescriptorProto(
    name="here", package="plant", syntax="proto3", dependency=["clock.proto", "google/protobuf/type.proto"],
    message_type=[{"name": "Reading", "field": [
        {"name": "asset", "number": 1, "type": "TYPE_STRING", "label": "LABEL_OPTIONAL"},
        {"name": "at", "number": 2, "type": "TYPE_MESSAGE", "type_name": ".plant.Clock", "label": "LABEL_OPTIONAL"},
        {"name": "celsius", "number": 3, "type": "TYPE_FLOAT", "label": "LABEL_OPTIONAL"},
        {"name": "kind", "number": 4, "type": "TYPE_MESSAGE", "type_name": ".google.protobuf.Type",
         "label": "LABEL_OPTIONAL"},
    ]}],
)  # fmt: skip
"""What Confluent's Python client registers in place of a text."""


def in_base64(file: FileDescriptorProto) -> str:
    return b64encode(file.SerializeToString()).decode()


OBJECT = {"asset": "d1", "at": {"s": 7}, "celsius": 1.5}
MESSAGE = b"\x0a\x02d1\x12\x02\x08\x07\x1d\x00\x00\xc0\x3f"


@pytest.fixture(scope="module")
def server() -> Iterator[RegistryServer]:
    with registry_server() as running:
        running.add(1, AVRO)
        running.add(2, {"type": "object"}, schemaType="JSON")
        clock = {"name": "parts/clock.proto", "subject": "clock", "version": 3}
        running.answers["/subjects/clock/versions/3"] = (200, {"schema": CLOCK, "schemaType": "PROTOBUF"})
        running.add(3, PROTO, schemaType="PROTOBUF", references=[clock])
        running.add(4, {"type": "record", "name": "R", "fields": [{"name": "r", "type": ["null", "R"]}]})
        for number, name in enumerate(
            ("../up.proto", "/top.proto", "latecomer-schema.proto/x.proto", "x" * 300, "\0"), 5
        ):
            running.answers[f"/subjects/s{number}/versions/1"] = (200, {"schema": CLOCK})
            references = [{"name": name, "subject": f"s{number}", "version": 1}]
            running.add(number, CLOCK, schemaType="PROTOBUF", references=references)
        running.answers["/subjects/r/versions/1"] = (200, {"schema": in_base64(REFERENCED)})
        referred = {"name": "clock.proto", "subject": "r", "version": 1}
        running.add(12, in_base64(SERIALIZED), schemaType="PROTOBUF", references=[referred])
        running.add(13, in_base64(SERIALIZED), schemaType="PROTOBUF")
        running.answers["/subjects/t/versions/1"] = (200, {"schema": CLOCK})
        mixed = {"name": "clock.proto", "subject": "t", "version": 1}
        running.add(14, in_base64(SERIALIZED), schemaType="PROTOBUF", references=[mixed])
        running.add(10, "message {", schemaType="PROTOBUF")
        running.add(11, 'syntax = "proto3"; message \ud800 {}', schemaType="PROTOBUF")
        yield running


def codec(server: RegistryServer, event_format: RegisteredFormat, wait_ms: int = 0) -> EventCodec:
    schemas = RegisteredSchemas(SchemaRegistry(server.url, {}, wait_ms), event_format)
    assert schemas.decoder(LAYOUT) is schemas.decoder(LAYOUT)
    return EventCodec(LAYOUT, pickle.loads(pickle.dumps(schemas)))


def framed(schema_id: int, value: bytes) -> bytes:
    return b"\0" + schema_id.to_bytes(4) + value


def avro(value: Any = OBJECT) -> bytes:
    target = BytesIO()
    schemaless_writer(target, parse_schema(AVRO, {}), value)
    return target.getvalue()


@pytest.mark.parametrize(
    ("event_format", "value"),
    [
        ("avro", framed(1, avro())),
        ("json", framed(2, json.dumps(OBJECT).encode())),
        ("protobuf", framed(3, b"\x04\x00\x00" + MESSAGE)),
        ("protobuf", framed(12, b"\x00" + MESSAGE)),
    ],
)
def test_a_value_is_read_by_the_schema_that_it_names(
    server: RegistryServer, event_format: RegisteredFormat, value: bytes
) -> None:
    of = codec(server, event_format)
    server.asked.clear()
    assert of.event(value, b"d1", "json") == of.event(value, b"d1", "json") == EVENT
    assert len([path for path, _ in server.asked if path.startswith("/schemas")]) == 1


def refused(of: EventCodec, value: bytes) -> tuple[str, str | None]:
    with pytest.raises(EventError) as error:
        of.event(value, b"d1", "json")
    return error.value.error, error.value.field


@pytest.mark.parametrize("event_format", ["avro", "json", "protobuf"])
def test_a_schema_that_is_nowhere_or_of_another_kind_makes_no_event(
    server: RegistryServer, event_format: RegisteredFormat
) -> None:
    of = codec(server, event_format)
    own = {"avro": (1, 4), "json": (2,), "protobuf": (3,)}[event_format]
    for schema_id in {1, 2, 3, 99} - {own[0]}:
        assert refused(of, framed(schema_id, b"\0" + MESSAGE)) == ("not_an_event", "schema_id")
    assert refused(of, b"{}") == ("not_an_event", "schema_id")
    server.asked.clear()
    assert refused(of, framed(99, b"\0")) == ("not_an_event", "schema_id")
    assert server.asked == []  # what is not there is asked for once


@pytest.mark.parametrize("schema_id", [*range(5, 12), 13, 14])
def test_a_schema_of_protobuf_that_is_of_no_use_makes_no_event(server: RegistryServer, schema_id: int) -> None:
    assert refused(codec(server, "protobuf"), framed(schema_id, b"\0")) == ("not_an_event", "schema_id")


def test_what_is_wrong_with_a_value_is_said_as_without_a_registry(server: RegistryServer) -> None:
    assert refused(codec(server, "avro"), framed(4, b"\0")) == ("not_an_event", "schema_id")
    assert refused(codec(server, "avro"), framed(1, avro({**OBJECT, "asset": ""}))) == ("device_id", "asset")
    assert refused(codec(server, "json"), framed(2, b"[]")) == ("not_an_event", None)
    of = codec(server, "protobuf")
    assert refused(of, framed(3, b"\x02\x02" + MESSAGE)) == ("not_an_event", "at.s")
    for place in (b"\x02\x04", b"\x02\x01", b"\x06\0\0\0", b"", b"\x02"):
        assert refused(of, framed(3, place)) == ("not_an_event", "schema_id")
    assert refused(of, framed(3, b"\x04\0\0\xff")) == ("not_an_event", None)


def test_a_registry_that_is_away_is_no_reason_to_reject(server: RegistryServer) -> None:
    of = codec(server, "avro")
    server.next_answers = [(503, b"")]
    with pytest.raises(RegistryError, match="answered 503"):
        of.event(framed(1, avro()), b"d1", "json")
    assert of.event(framed(1, avro()), b"d1", "json") == EVENT


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(["avro", "json", "protobuf"]), st.integers(1, 4), st.binary(max_size=40))
def test_any_framed_bytes_are_an_event_or_an_event_error(
    server: RegistryServer, event_format: RegisteredFormat, schema_id: int, value: bytes
) -> None:
    of = FUZZED.setdefault(event_format, codec(server, event_format))
    try:
        of.event(framed(schema_id, value), b"d1", "json")
    except EventError:
        return


FUZZED: dict[str, EventCodec] = {}
