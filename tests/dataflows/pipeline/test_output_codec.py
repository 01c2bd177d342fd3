"""Outputs byte for byte: fields in their order, no spaces, float32 as the double it equals, UTF-8 as it is."""

from array import array
from base64 import b64decode
from hashlib import sha256
from json import loads

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.output_codec import encoded_invalid, encoded_prediction, encoded_refusal, encoded_rejection
from tests.events import demo_event
from window_core import DEMO_SENSORS, REASONS, DeviceWindow, Evaluation, EventError, Rejection, WindowSpec

EVENT = demo_event("Größe/1", 1_000, 0.10000000149011612, -0.0, 3.4028234663852886e38, 1.401298464324817e-45)
DIGEST = sha256(b"\xff{}").hexdigest()
READINGS = (
    '"sensor1":0.10000000149011612,"sensor2":-0.0,"sensor3":3.4028234663852886e38,"sensor4":1.401298464324817e-45'
)


def evaluation() -> Evaluation:
    [output] = DeviceWindow(WindowSpec(), "Größe/1").on_event(EVENT, 2_000)
    assert isinstance(output, Evaluation)
    return output


def test_a_prediction_byte_for_byte() -> None:
    features = dict(zip(("b/v1", "a/v1"), array("f", [0.1, 16777216.0]), strict=True))
    line = encoded_prediction(evaluation(), "0/17", features, "m/v2", {"z": "1", "a": '\u2028☃\t"', "é": ""})
    assert line.decode() == (
        '{"evaluation_id":"Größe/1/2000/0","device_id":"Größe/1","cause":"event","position":"0/17","event_ms":1000,'
        '"as_of_ms":2000,'
        '"newest_ms":1000,"oldest_ms":1000,"events":1,"features":{"b/v1":0.10000000149011612,"a/v1":16777216.0},'
        '"model_id":"m/v2","result":{"a":"\u2028☃\\t\\"","z":"1","é":""}}'
    )


def test_a_tick_has_no_position_and_no_event() -> None:
    window = DeviceWindow(WindowSpec(tick_ms=1_000), "d")
    window.on_event(demo_event("d", 1, 0.0, 0.0, 0.0, 0.0), 1)
    [tick] = window.on_clock(1_000)
    assert isinstance(tick, Evaluation)
    assert b'"cause":"tick","position":null,"event_ms":null,"as_of_ms":436,' in encoded_prediction(
        tick, None, {}, "m", {}
    )


@pytest.mark.parametrize("reason", sorted(set(REASONS) - {"INVALID", "REFUSED", "TOO_LATE"}))
def test_a_rejection_byte_for_byte(reason: str) -> None:
    assert encoded_rejection(Rejection(reason, EVENT, 2_000), "0/3", DEMO_SENSORS).decode() == (
        f'{{"device_id":"Größe/1","reason":"{reason}","position":"0/3","arrival_ms":2000,'
        f'"event":{{"time":1000,{READINGS}}}}}'
    )


def test_only_what_is_too_late_says_by_how_much() -> None:
    assert encoded_rejection(Rejection("TOO_LATE", EVENT, 2_000, 1), "0/3", DEMO_SENSORS).decode() == (
        '{"device_id":"Größe/1","reason":"TOO_LATE","position":"0/3","arrival_ms":2000,"late_by_ms":1,'
        f'"event":{{"time":1000,{READINGS}}}}}'
    )


def test_an_invalid_record_byte_for_byte() -> None:
    assert encoded_invalid(EventError("sensor", "sensor2"), b"\xff{}", "0/9", None).decode() == (
        '{"device_id":null,"reason":"INVALID","position":"0/9","arrival_ms":null,"error":"sensor","field":"sensor2","size":3,'
        f'"sha256":"{DIGEST}","raw":"/3t9"}}'
    )


@pytest.mark.parametrize("size", [0, 65_535, 65_536, 65_537, 200_000])
def test_an_invalid_record_is_kept_up_to_64_kib_and_counted_whole(size: int) -> None:
    value = bytes(range(256)) * (size // 256 + 1)
    value = value[:size]
    line = loads(encoded_invalid(EventError("key"), value, "3/7", 5))
    assert b64decode(line["raw"], validate=True) == value[:65_536]
    assert (line["size"], line["sha256"]) == (size, sha256(value).hexdigest())


def test_a_refusal_byte_for_byte() -> None:
    line = encoded_refusal(evaluation(), "0/17", "INVALID_ARGUMENT", "features", 'sensor2: "ü"\n\x00')
    assert line.decode() == (
        '{"device_id":"Größe/1","reason":"REFUSED","position":"0/17","event_ms":1000,"as_of_ms":2000,'
        '"evaluation_id":"Größe/1/2000/0","status":"INVALID_ARGUMENT","service":"features",'
        '"message":"sensor2: \\"ü\\"\\n\\u0000"}'
    )


def test_a_late_event_keeps_its_own_time() -> None:
    window = DeviceWindow(WindowSpec(), "d")
    window.on_event(demo_event("d", 9, 0.0, 0.0, 0.0, 0.0), 9)
    [late] = window.on_event(demo_event("d", 5, 0.0, 0.0, 0.0, 0.0), 10)
    assert isinstance(late, Evaluation)
    assert b'"cause":"late_event","position":"0/2","event_ms":5,"as_of_ms":10,"newest_ms":9,' in encoded_prediction(
        late, "0/2", {}, "m", {}
    )


def test_an_event_byte_for_byte() -> None:
    assert EventCodec().encoded(EVENT).decode() == f'{{"device_id":"Größe/1","time":1000,{READINGS}}}'
    assert (
        EventCodec().encoded(EVENT, 2_000).decode()
        == f'{{"device_id":"Größe/1","time":1000,{READINGS},"arrival":2000}}'
    )


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.text())
def test_what_is_written_is_read_as_the_same_double_and_the_same_text(value: float, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    line = encoded_prediction(evaluation(), "0/0", {"f": value}, text, {})
    assert repr(loads(line)["features"]["f"]) == repr(value)
    assert loads(line)["model_id"] == text
    assert b"\n" not in line
