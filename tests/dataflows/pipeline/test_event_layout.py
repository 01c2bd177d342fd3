"""Events in another form: their names, their places, their unit of time, and which of their fields is at fault."""

import json
from datetime import timedelta, timezone
from typing import Any

import pytest

from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout, TimeUnit
from window_core import DEMO_SENSORS, EventError

READINGS = {"sensor1": 1, "sensor2": 2, "sensor3": 3, "sensor4": 4}
NAMES = {"device_id": "asset", "time": "at.ts", "sensor1": "t1", "arrival": "in"}


def layout(time_unit: TimeUnit = "ms", zone: timezone | None = None, **paths: str) -> EventLayout:
    return EventLayout(DEMO_SENSORS, paths, time_unit, zone)


def time_of(text: str, time_unit: TimeUnit, zone: timezone | None = None) -> int:
    line = b'{"device_id":"d","time":%s,"sensor1":1,"sensor2":2,"sensor3":3,"sensor4":4}' % text.encode()
    event, _ = EventCodec(layout(time_unit, zone)).line(line)
    return event.time_ms


def fault(value: dict[str, Any], of: EventLayout) -> tuple[str, str | None]:
    with pytest.raises(EventError) as caught:
        EventCodec(of).line(json.dumps(value).encode())
    return caught.value.error, caught.value.field


def test_fields_stand_under_other_names_and_in_nested_objects() -> None:
    line = b'{"asset":"d","at":{"ts":5},"t1":9,"sensor2":2,"sensor3":3,"sensor4":4,"in":7}'
    event, arrival_ms = EventCodec(layout(**NAMES)).line(line)
    assert (event.device_id, event.time_ms, DEMO_SENSORS.readings(event.row)[0], arrival_ms) == ("d", 5, 9.0, 7)
    assert EventCodec(layout(**NAMES)).event(line, b"d", "json", 1) == event


def test_a_field_whose_name_has_a_dot_comes_before_a_nested_one() -> None:
    line = b'{"device_id":"d","at.ts":5,"at":{"ts":6},"sensor1":1,"sensor2":2,"sensor3":3,"sensor4":4}'
    assert EventCodec(layout(time="at.ts")).line(line)[0].time_ms == 5


@pytest.mark.parametrize(
    ("text", "unit", "ms"),
    [
        ("1587920555", "s", 1_587_920_555_000),
        ("1587920555.123", "s", 1_587_920_555_123),
        ("1587920555.9999", "s", 1_587_920_555_999),  # rounded down, as the others
        ("1e9", "s", 1_000_000_000_000),
        ("1587920555123999", "us", 1_587_920_555_123),
        ("1587920555123999999", "ns", 1_587_920_555_123),
        ('"2020-04-26T17:02:35Z"', "iso", 1_587_920_555_000),
        ('"2020-04-26 19:02:35.1239+02:00"', "iso", 1_587_920_555_123),
        ('"20200426T170235Z"', "iso", 1_587_920_555_000),
        ('"1970-01-01T00:00:00Z"', "iso", 0),
        ('"9999-12-31T23:59:59.999999Z"', "iso", 253_402_300_799_999),
    ],
)
def test_times_of_each_unit_are_ms_rounded_down(text: str, unit: TimeUnit, ms: int) -> None:
    assert time_of(text, unit) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-03-01t08:00:00z", 1_772_352_000_000),
        ("2026-03-01 08:00:00 UTC", 1_772_352_000_000),
        (" 2026-03-01T08:00:00Z ", 1_772_352_000_000),
        ("2026-03-01T09:00:00+0100", 1_772_352_000_000),
        ("2026-03-01T09:00:00,5+01", 1_772_352_000_500),
        ("2026-03-01T09:00:00+01:00[Europe/Berlin]", 1_772_352_000_000),
        ("2026-02-28T24:00:00Z", 1_772_323_200_000),
        ("2026-02-28T24:00:00.000Z", 1_772_323_200_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2017-01-01T00:59:60.5+01:00", 1_483_228_800_500),
    ],
)
def test_forms_of_iso_that_python_does_not_read_are_times(text: str, ms: int) -> None:
    assert time_of(f'"{text}"', "iso") == ms


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:60Z", "2026-03-01T23:59:61Z", "2026-02-28T24:00:01Z", "2026-02-28T24:00:00.5Z",
        "2026-02-30t08:00:00z", "2026-03-01T08:00:00[Europe/Berlin]", "2026-03-01T08:00:00 CET", "2026-03-01Z",
        "01/03/2026 08:00", "0001-01-01t00:00:60+14:00",
    ],
)  # fmt: skip
def test_what_is_no_time_of_iso_is_none(text: str) -> None:
    with pytest.raises(EventError, match=r"^wrong_type$"):
        time_of(f'"{text}"', "iso", timezone(timedelta(0)))


def test_a_log_of_one_device_need_not_name_it() -> None:
    codec = EventCodec(EventLayout(device_id="pump-7"))
    assert codec.line(json.dumps({"time": 5, **READINGS}).encode())[0].device_id == "pump-7"
    assert codec.line(json.dumps({"device_id": 7, "time": 5, **READINGS}).encode())[0].device_id == "pump-7"
    with pytest.raises(EventError, match=r"^key$"):
        codec.event(json.dumps({"time": 5, **READINGS}).encode(), b"another", "json")


def test_a_text_without_a_zone_is_of_the_zone_that_was_given() -> None:
    assert time_of('"2020-04-26T19:02:35"', "iso", timezone(timedelta(hours=2))) == 1_587_920_555_000
    assert time_of('"2020-04-26T17:02:35Z"', "iso", timezone(timedelta(hours=2))) == 1_587_920_555_000


@pytest.mark.parametrize(
    ("changes", "unit", "found"),
    [
        ({"at": {}}, "ms", ("not_an_event", "at.ts")),
        ({"at": 5}, "ms", ("not_an_event", "at.ts")),
        ({"at": {"ts": "5"}}, "ms", ("wrong_type", "at.ts")),
        ({"at": {"ts": "5"}}, "s", ("wrong_type", "at.ts")),
        ({"at": {"ts": True}}, "s", ("wrong_type", "at.ts")),
        ({"at": {"ts": float("nan")}}, "s", ("wrong_type", "at.ts")),
        ({"at": {"ts": 10**400}}, "s", ("time", "at.ts")),
        ({"at": {"ts": -0.5}}, "s", ("time", "at.ts")),
        ({"at": {"ts": 5}}, "iso", ("wrong_type", "at.ts")),
        ({"at": {"ts": "yesterday"}}, "iso", ("wrong_type", "at.ts")),
        ({"at": {"ts": "2020-04-26T17:02:35"}}, "iso", ("wrong_type", "at.ts")),
        ({"at": {"ts": "1969-12-31T23:59:59Z"}}, "iso", ("time", "at.ts")),
        ({"asset": 7, "at": {"ts": "yesterday"}}, "iso", ("wrong_type", "asset")),
        ({"asset": ""}, "ms", ("device_id", "asset")),
        ({"in": 1.5}, "ms", ("wrong_type", "in")),
        ({"in": -1}, "s", ("time", "in")),
        ({"t1": 1e39}, "ms", ("sensor", "t1")),
        ({"sensor2": 1e39}, "ms", ("sensor", "sensor2")),
    ],
)
def test_the_field_at_fault_has_the_name_that_it_has_in_the_record(
    changes: dict[str, Any], unit: TimeUnit, found: tuple[str, str | None]
) -> None:
    valid = {"asset": "d", "at": {"ts": 5}, "t1": 1, **READINGS}
    assert fault(valid | changes, layout(unit, **NAMES)) == found


def test_the_key_is_still_the_device_id() -> None:
    line = json.dumps({"asset": "d", "at": {"ts": 5}, "t1": 1, **READINGS}).encode()
    with pytest.raises(EventError, match=r"^key$"):
        EventCodec(layout(**NAMES)).event(line, b"e", "json", 0)


@pytest.mark.parametrize(
    ("text", "unit", "found"),
    [
        ('"time":"5","sensor1":"1.5"', "ms", (5, 1.5)),
        ('"time":" 5.0 ","sensor1":"-1e-3"', "ms", (5, -0.0010000000474974513)),
        ('"time":"1.5","sensor1":2', "s", (1_500, 2.0)),
        ('"time":"1970-01-01T00:00:01Z","sensor1":"2"', "iso", (1_000, 2.0)),
        ('"time":"5","sensor1":"1,5"', "ms", ("wrong_type", "sensor1")),
        ('"time":"5","sensor1":""', "ms", ("wrong_type", "sensor1")),
        ('"time":"5","sensor1":"nan"', "ms", ("sensor", "sensor1")),
        ('"time":"1.5","sensor1":1', "ms", ("wrong_type", "time")),
        ('"time":"0x5","sensor1":1', "s", ("wrong_type", "time")),
    ],
)
def test_numbers_may_be_texts_where_that_is_allowed(text: str, unit: TimeUnit, found: tuple[object, object]) -> None:
    line = f'{{"device_id":"d",{text},"sensor2":"2","sensor3":3,"sensor4":"4"}}'.encode()
    try:
        event, _ = EventCodec(EventLayout(time_unit=unit, is_lenient=True)).line(line)
        actual: tuple[object, object] = (event.time_ms, DEMO_SENSORS.readings(event.row)[0])
    except EventError as error:
        actual = (error.error, error.field)
    assert actual == found
