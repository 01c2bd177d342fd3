"""Records of Avro: where their fields stand, what is missing, and what is refused before it costs anything."""

import json
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from dataflows.pipeline.avro_record import AvroSchema
from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout, TimeUnit
from dataflows.pipeline.schema import SchemaError
from window_core import Event, EventError, Sensors

SENSORS = Sensors.of(["celsius", "bar", "door?"])


def long(logical: str) -> dict[str, str]:
    return {"type": "long", "logicalType": logical}


SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "plant.Reading",
    "fields": [
        {"name": "asset", "type": "string"},
        {
            "name": "at",
            "type": {
                "type": "record",
                "name": "Clock",
                "fields": [
                    {"name": "s", "type": "double"},
                    {"name": "ms", "type": ["null", long("timestamp-millis")]},
                    {"name": "us", "type": long("timestamp-micros")},
                    {"name": "ns", "type": long("timestamp-nanos")},
                    {"name": "wall", "type": long("local-timestamp-millis")},
                    {"name": "text", "type": "string"},
                ],
            },
        },
        {"name": "before", "type": ["null", "Clock"]},
        {"name": "celsius", "type": "float"},
        {"name": "bar", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
        {"name": "door", "type": ["null", "int", "double"]},
        {"name": "more", "type": {"type": "map", "values": "double"}},
        {"name": "history", "type": {"type": "array", "items": "double"}},
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "is_open", "type": "boolean"},
    ],
}

AT = {"s": 7.5, "ms": 7_001, "us": 7_001_999, "ns": 7_001_999_999, "wall": 7_001, "text": "1970-01-01T00:00:07Z"}
READING: dict[str, Any] = {
    "asset": "d1", "at": AT, "before": None, "celsius": 1.5, "bar": b"\x01\x2c", "door": 2, "more": {"x": 4.0},
    "history": [1.0, 2.0], "id": "d1", "is_open": True,
}  # fmt: skip


def plain(schema: Any) -> Any:
    """Without logical types, so that numbers are written as they stand."""
    if isinstance(schema, list):
        return [plain(one) for one in schema]
    if isinstance(schema, dict):
        return {name: plain(part) for name, part in schema.items() if name != "logicalType"}
    return schema


def encoded(schema: Any = SCHEMA, reading: Any = READING, **more: Any) -> bytes:
    target = BytesIO()
    schemaless_writer(target, parse_schema(plain(schema), {}), {**reading, **more})
    return target.getvalue()


def layout(time: str = "at.s", time_unit: TimeUnit = "s", sensors: Sensors = SENSORS, **paths: str) -> EventLayout:
    zone = ZoneInfo("Europe/Berlin") if time_unit == "iso" else None
    return EventLayout(sensors, {"device_id": "asset", "time": time, **paths}, time_unit, zone)


def event_of(value: bytes, of: EventLayout, schema: Any = SCHEMA) -> Event:
    return EventCodec(of, AvroSchema(json.dumps(schema))).event(value, b"d1", "json", 5)


def refused(value: bytes, of: EventLayout, schema: Any = SCHEMA) -> tuple[str, str | None]:
    with pytest.raises(EventError) as error:
        event_of(value, of, schema)
    return error.value.error, error.value.field


def test_fields_stand_where_the_layout_says_and_a_decimal_is_a_number() -> None:
    assert event_of(encoded(), layout()) == Event("d1", 7_500, SENSORS.row([1.5, 3.0, 2]))
    assert event_of(encoded(), layout(celsius="more.x", device_id="id")).row == SENSORS.row([4.0, 3.0, 2])


@pytest.mark.parametrize("time_unit", ["s", "ms", "iso"])
@pytest.mark.parametrize("path", ["at.ms", "at.us", "at.ns"])
def test_an_instant_of_avro_needs_no_unit(path: str, time_unit: TimeUnit) -> None:
    assert event_of(encoded(), layout(path, time_unit)).time_ms == 7_001
    before = encoded(at={**AT, "ms": -1, "us": -1, "ns": -1})
    assert refused(before, layout(path, time_unit)) == ("time", path)
    large = encoded(at={**AT, "ms": 2**63 - 1, "us": 2**63 - 1})
    assert refused(large, layout("at.ms", time_unit)) == ("time", "at.ms")
    assert refused(large, layout("at.us", time_unit)) == ("time", "at.us")


def test_a_clock_on_a_wall_needs_a_zone() -> None:
    assert event_of(encoded(at={**AT, "wall": 3_607_001}), layout("at.wall", "iso")).time_ms == 7_001
    assert refused(encoded(), layout("at.wall")) == ("wrong_type", "at.wall")
    assert refused(encoded(at={**AT, "wall": 2**62}), layout("at.wall", "iso")) == ("time", "at.wall")
    with pytest.raises(SchemaError, match=r"^at.wall names no zone: give --time-unit iso --time-zone UTC, say$"):
        AvroSchema(json.dumps(SCHEMA)).decoder(layout("at.wall")).check()
    AvroSchema(json.dumps(SCHEMA)).decoder(layout("at.wall", "iso")).check()


def test_a_null_is_a_reading_that_is_not_there() -> None:
    assert event_of(encoded(door=None), layout()).row == SENSORS.row([1.5, 3.0, None])
    assert event_of(encoded(), layout(door="before.s")).row == SENSORS.row([1.5, 3.0, None])
    assert refused(encoded(door=None), layout(celsius="door")) == ("wrong_type", "door")
    assert refused(encoded(at={**AT, "ms": None}), layout("at.ms")) == ("wrong_type", "at.ms")
    assert refused(encoded(), layout("before.s")) == ("not_an_event", "before.s")


def test_what_is_wrong_with_a_record_is_said_of_its_own_fields() -> None:
    assert refused(encoded(asset=""), layout()) == ("device_id", "asset")
    assert refused(encoded(asset="d2"), layout()) == ("key", None)
    assert refused(encoded(celsius=float("inf")), layout()) == ("sensor", "celsius")
    assert refused(encoded(), layout(celsius="is_open")) == ("wrong_type", "is_open")
    assert event_of(encoded(), layout("at.text", "iso")).time_ms == 7_000


def test_a_value_is_read_to_its_last_byte() -> None:
    for value in (encoded() + b"\x00", encoded()[:-1], b"", b"\xff", b"{}"):
        assert refused(value, layout()) == ("not_an_event", None)


@given(st.data())
def test_any_bytes_are_an_event_or_an_event_error(data: st.DataObject) -> None:
    whole = encoded()
    cut = data.draw(st.integers(0, len(whole)))
    value = whole[:cut] + data.draw(st.binary(max_size=30)) + whole[data.draw(st.integers(cut, len(whole))) :]
    of = layout(data.draw(st.sampled_from(["at.s", "at.ms", "at.us", "at.ns", "at.text"])))
    try:
        found = EventCodec(of, AvroSchema(json.dumps(SCHEMA)), ignores_key=True).event(value, None, "json")
    except EventError:
        return
    assert len(found.row) == 4 * SENSORS.width


def test_a_union_of_records_has_the_fields_of_any() -> None:
    other = {"type": "record", "name": "Other", "fields": [{"name": "note", "type": "string"}]}
    both = [other, SCHEMA]
    AvroSchema(json.dumps(both)).decoder(layout()).check()
    assert event_of(b"\x02" + encoded(), layout(), both).time_ms == 7_500
    assert refused(b"\x00\x02x", layout(), both) == ("not_an_event", "asset")


@pytest.mark.parametrize("path", ["nowhere", "at", "at.nowhere", "asset.s", "history", "more", "before"])
def test_a_field_that_is_no_single_value_is_refused_and_the_others_are_named(path: str) -> None:
    with pytest.raises(SchemaError) as error:
        AvroSchema(json.dumps(SCHEMA)).decoder(layout(path)).check()
    assert str(error.value).startswith(
        f"there is no single value {path}; there are asset, at.ms, at.ns, at.s, at.text,"
    )


def test_types_may_stand_in_schemas_that_are_referred_to() -> None:
    clock = {"type": "record", "name": "plant.Clock", "fields": [{"name": "s", "type": "long"}]}
    fields = [{"name": "asset", "type": "string"}, {"name": "at", "type": "plant.Clock"}]
    schema = {"type": "record", "name": "R", "fields": [*fields, {"name": "bar", "type": "int"}]}
    of = layout(sensors=Sensors.of(["bar"]))
    decoder = AvroSchema(json.dumps(schema), (json.dumps(clock),)).decoder(of)
    decoder.check()
    assert decoder.values(b"\x04d1\x0e\x04") == {"device_id": "d1", "time": 7_000, "bar": 2}
    with pytest.raises(SchemaError, match=r"^it is no schema of Avro: plant.Clock$"):
        AvroSchema(json.dumps(schema)).decoder(of)


def record(name: str, *types: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": f"f{i}", "type": one} for i, one in enumerate(types)]}


def doubling(depth: int) -> Any:
    """A record of records of records, twice as many at each step, without a byte in any of them."""
    inner: Any = record("r0")
    for number in range(1, depth):
        inner = record(f"r{number}", inner, f"r{number - 1}")
    return inner


def nested(depth: int) -> Any:
    inner: Any = "int"
    for _ in range(depth):
        inner = {"type": "array", "items": inner}
    return inner


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("{", "it is no schema of Avro: "),
        ("5", "it is no schema of Avro: "),
        ("{}", "it is no schema of Avro: "),
        ('{"type": "recrd"}', "it is no schema of Avro: "),
        ('"string"', "it is no schema of records"),
        ("[]", "it is no schema of records"),
        ('["null", "int"]', "it is no schema of records"),
        (record("R", ["null", "R"]), "a value of R may hold another one"),
        (record("R", record("S", {"type": "array", "items": "R"})), "a value of R may hold another one"),
        (record("R", {"type": "array", "items": "null"}), "it has an array of items without bytes"),
        (record("R", {"type": "array", "items": doubling(3)}), "it has an array of items without bytes"),
        (
            record("R", {"type": "array", "items": {"type": "fixed", "name": "f", "size": 0}}),
            "it has an array of items",
        ),
        (doubling(40), "it has more than 100 types within each other, or 100,000 in all"),
        (record("R", nested(101)), "it has more than 100 types within each other"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_schema_that_is_none_or_may_cost_too_much_is_refused(schema: Any, says: str) -> None:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    with pytest.raises(SchemaError) as error:
        AvroSchema(text).decoder(layout())
    assert str(error.value).startswith(says)
    assert "\n" not in str(error.value)


def test_types_within_types_may_be_many_and_deep() -> None:
    EventCodec(layout(), AvroSchema(json.dumps(record("R", doubling(14), nested(90)))))


def test_named_types_that_go_on_and_on_are_refused_before_they_end_the_process() -> None:
    chain = [record("r0", "int"), *(record(f"r{number}", f"r{number - 1}") for number in range(1, 5_000))]
    schema = AvroSchema(json.dumps(chain[-1]), tuple(map(json.dumps, chain[:-1])))
    with pytest.raises(SchemaError, match=r"types within each other|nested too deeply"):
        schema.decoder(layout())
