"""What is an event and what is none: each error of the closed list, in its order, in JSON and as a message."""

import json
from itertools import combinations
from math import inf
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.pipeline import event_codec
from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout
from grpc_services.python.stubs.mlpipeline_pb2 import RawEvent
from window_core import DEMO_SENSORS, EVENT_ERRORS, MAX_TIME_MS, Event, EventError

CODEC = EventCodec()

VALID = {"device_id": "d1", "time": 5, "sensor1": 1, "sensor2": 2.5, "sensor3": -0.0, "sensor4": 1e-3}

FAULTS = {
    "not_an_event": {"sensor4": None},
    "wrong_type": {"sensor1": "1"},
    "device_id": {"device_id": "é" * 129},
    "time": {"time": MAX_TIME_MS + 1},
    "sensor": {"sensor3": 3.5e38},
    "key": {},
}


def line(**changes: object) -> bytes:
    return json.dumps({**VALID, **changes}).encode()


def with_field(text: str) -> bytes:
    """The valid event with one more piece of JSON at its end; of a field that is there twice, the last one counts."""
    return line()[:-1] + b"," + text.encode() + b"}"


def error_of(value: bytes) -> str | None:
    """The error of a line, and that the same bytes as a record of a topic have the same one."""
    found, device_id = found_in_line(value)
    if b'"arrival"' not in value:
        try:
            CODEC.event(value, device_id.encode(), "json")
            found_in_topic = None
        except EventError as error:
            found_in_topic = error.error
        assert found_in_topic == found
    return found


def found_in_line(value: bytes) -> tuple[str | None, str]:
    try:
        return None, CODEC.line(value)[0].device_id
    except EventError as error:
        return error.error, "d1"


@pytest.mark.parametrize(("first", "second"), list(combinations(EVENT_ERRORS, 2)))
def test_of_two_errors_the_first_in_the_list_is_said(first: str, second: str) -> None:
    fields = {**VALID, **FAULTS[second], **FAULTS[first]}
    if first == "not_an_event":
        del fields["sensor4"]
    with pytest.raises(EventError, match=f"^{first}$"):
        CODEC.event(json.dumps(fields).encode(), b"another", "json")


@pytest.mark.parametrize("error", EVENT_ERRORS)
def test_each_error_is_said_alone(error: str) -> None:
    fields = {**VALID, **FAULTS[error]}
    if error == "not_an_event":
        del fields["sensor4"]
    with pytest.raises(EventError, match=f"^{error}$"):
        CODEC.event(json.dumps(fields).encode(), b"another" if error == "key" else b"d1", "json")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (b"", "not_an_event"),
        (b"null", "not_an_event"),
        (b"[]", "not_an_event"),
        (b'"d1"', "not_an_event"),
        (line() + b"x", "not_an_event"),
        (line() + b"\x00", "not_an_event"),
        (line() + line(), "not_an_event"),
        (b"\xef\xbb\xbf" + line(), "not_an_event"),
        (line().replace(b"}", b',"x":"\xff"}'), "not_an_event"),
        (line().replace(b"}", b',"x":"\xed\xa0\x80"}'), "not_an_event"),
        (line().decode().encode("utf-16"), "not_an_event"),
        (line() + b" \r\t", None),
    ],
)
def test_what_does_not_parse_is_no_event(value: bytes, error: str | None) -> None:
    assert error_of(value) == error


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('"time":1.5', "wrong_type"),
        ('"time":1e-3', "wrong_type"),
        ('"time":1e400', "wrong_type"),
        ('"time":NaN', "wrong_type"),
        ('"time":true', "wrong_type"),
        ('"time":"5"', "wrong_type"),
        ('"time":null', "wrong_type"),
        ('"arrival":1.5', "wrong_type"),
        ('"arrival":null', "wrong_type"),
        ('"arrival":"1"', "wrong_type"),
        ('"device_id":5', "wrong_type"),
        ('"device_id":null', "wrong_type"),
        ('"sensor1":true', "wrong_type"),
        ('"sensor1":null', "wrong_type"),
        ('"sensor1":[1]', "wrong_type"),
        ('"device_id":""', "device_id"),
        ('"device_id":"\\ud800"', "device_id"),
        ('"device_id":"\\udc00\\ud800"', "device_id"),
        (f'"device_id":"{"x" * 257}"', "device_id"),
        (f'"device_id":"{"é" * 128}x"', "device_id"),
        ('"time":-1', "time"),
        (f'"time":{MAX_TIME_MS + 1}', "time"),
        (f'"time":{2**63}', "time"),
        (f'"time":{2**64}', "time"),
        ('"time":' + "9" * 5_000, "time"),
        ('"time":-' + "9" * 5_000, "time"),
        ('"arrival":-1', "time"),
        (f'"arrival":{MAX_TIME_MS + 1}', "time"),
        ('"sensor1":1e400', "sensor"),
        ('"sensor1":-1e39', "sensor"),
        ('"sensor1":3.4028235677973366e38', "sensor"),
        ('"sensor1":' + "9" * 5_000, "sensor"),
        ('"sensor1":NaN', "sensor"),
        ('"sensor1":-Infinity', "sensor"),
        ('"sensor1":nan', "not_an_event"),
        ('"x":01', "not_an_event"),
        ('"x":"\t"', "not_an_event"),
        ('"x":"\\x41"', "not_an_event"),
        ('"x":[1,]', "not_an_event"),
        ('"x":' + "[" * 201 + "]" * 201, "not_an_event"),
        ('"x":' + "[" * 100_000, "not_an_event"),
        ('"x":' + "[" * 199 + "]" * 199, None),
        ('"x":[' + "[]," * 500 + "0]", None),
        ('"x":"' + "[" * 500 + '"', None),
        ('"x":"\\ud800"', None),
        ('"x":1e400', None),
        ('"time":"x","time":7', None),
        ('"time":0', None),
        ('"time":1587920555000.0', None),
        ('"time":-0.0', None),
        ('"time":1e3', None),
        ('"arrival":1.0', None),
        ('"x":-Infinity', None),
        (f'"time":{MAX_TIME_MS}', None),
        ('"sensor1":3.4028234663852886e38', None),
        ('"sensor1":3.4028235677973362e38', None),
        ('"sensor1":1e-400', None),
        ('"sensor1":123456789012345678901234567890', None),
        ('"\\u0074ime":9', None),
        (f'"device_id":"{"é" * 128}"', None),
        ('"device_id":"\\u0000"', None),
    ],
)
def test_each_value_at_the_edge_of_what_it_may_be(text: str, error: str | None) -> None:
    assert error_of(with_field(text)) == error


def test_of_a_repeated_field_the_last_one_counts() -> None:
    event, arrival_ms = CODEC.line(with_field('"time":6,"arrival":1,"device_id":"d2","arrival":2'))
    assert (event.time_ms, event.device_id, arrival_ms) == (6, "d2", 2)
    assert error_of(with_field('"time":6,"time":"7"')) == "wrong_type"


def test_an_arrival_that_is_written_as_a_float_is_a_whole_number() -> None:
    _, arrival_ms = CODEC.line(with_field('"arrival":1587920555000.0'))
    assert repr(arrival_ms) == "1587920555000"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"sensor1":"x","sensor1":5', 5.0),  # of names that are there twice the last one counts, as in most parsers
        ('"sensor1":-0.0', -0.0),
        ('"sensor1":1e-400', 0.0),
        ('"sensor1":9007199254740993', 9007199254740992.0),
        ('"sensor1":1,"more":1e400', 1.0),
        ('"sensor1":1,"more":"\\ud83d"', 1.0),
        ('"sensor1":1,', "not_an_event"),
        ('"sensor1":01', "not_an_event"),
        ('"sensor1":1e400', "sensor"),
        ('"sensor1":1,"device_id":"\\ud83d"', "device_id"),
        ('"sensor1":1,"time":9007199254740993', "time"),
    ],
)
def test_what_parsers_of_json_disagree_about(text: str, found: object) -> None:
    rest = '"device_id":"d","time":5,"sensor2":2,"sensor3":3,"sensor4":4'
    value = f"{{{rest},{text}}}".encode()
    for codec in (CODEC, EventCodec(EventLayout(is_lenient=True))):  # the fast decoder, and the one that looks again
        assert str(_first_reading(codec, value)) == str(found)


def _first_reading(codec: EventCodec, line: bytes) -> object:
    try:
        return DEMO_SENSORS.readings(codec.line(line)[0].row)[0]
    except EventError as error:
        return error.error


@pytest.mark.parametrize("name", list(VALID))
def test_each_field_has_to_be_there(name: str) -> None:
    fields = {key: value for key, value in VALID.items() if key != name}
    with pytest.raises(EventError) as caught:
        CODEC.line(json.dumps(fields).encode())
    assert (caught.value.error, caught.value.field) == ("not_an_event", name)


@pytest.mark.parametrize("value", [b"", b"{", b"null", b"[1]", b"\xff"])
def test_where_there_is_no_object_no_field_is_at_fault(value: bytes) -> None:
    with pytest.raises(EventError) as caught:
        CODEC.line(value)
    assert (caught.value.error, caught.value.field) == ("not_an_event", None)


JSON_PARTS = st.sampled_from([*'"\\{}[]:,-10.e \x00é', "\\ud800", "true"])


@given(st.integers(0, 200), st.integers(0, 3), st.lists(JSON_PARTS, max_size=4))
@settings(max_examples=800)
def test_the_fast_way_accepts_nothing_that_the_slow_way_refuses(at: int, cut: int, parts: list[str]) -> None:
    text = with_field('"x":{"y":[1.5,"a"]}').decode()
    value = (text[:at] + "".join(parts) + text[at + cut :]).encode()
    with pytest.MonkeyPatch.context() as patch:
        fast = outcome(value)
        patch.setattr(CODEC, "_decode", refuse)
        assert outcome(value) == fast


def refuse(value: bytes) -> None:
    raise event_codec.msgspec.DecodeError


def outcome(value: bytes) -> object:
    try:
        return repr(CODEC.line(value))
    except EventError as error:
        return error.error


def message(**changes: object) -> bytes:
    return RawEvent(**{**VALID, **changes}).SerializeToString()


@pytest.mark.parametrize(
    ("value", "key", "error"),
    [
        (message(), b"d1", None),
        (b"\xff", b"d1", "not_an_event"),
        (message() + b"\x0a", b"d1", "not_an_event"),
        (b"\x0a\x01\xff" + message(device_id=""), b"d1", "not_an_event"),
        (b"", b"d1", "device_id"),
        (message(device_id=""), b"", "device_id"),
        (message(time=-1), b"d1", "time"),
        (message(time=MAX_TIME_MS + 1), b"d1", "time"),
        (message(sensor1=inf), b"d1", "sensor"),
        (message(sensor4=float("nan")), b"d1", "sensor"),
        (message(time=-1, sensor1=inf), b"d1", "time"),
        (message(), None, "key"),
        (message(), b"", "key"),
        (message(), b"D1", "key"),
        (message(), b"d1 ", "key"),
        (message() + b"\x98\x06\x01", b"d1", None),  # a further field
    ],
)
def test_a_message_is_an_event_or_has_an_error_of_the_same_list(value: bytes, key: bytes | None, error: str) -> None:
    try:
        CODEC.event(value, key, "protobuf")
        found = None
    except EventError as failure:
        found = failure.error
    assert found == error


FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
    st.integers(0, MAX_TIME_MS),
    st.tuples(*[FLOAT32] * 4),
)
def test_an_event_survives_json_and_protobuf(device_id: str, time_ms: int, readings: tuple[float, ...]) -> None:
    event = Event(device_id, time_ms, pack("<4f", *readings))
    names = ("sensor1", "sensor2", "sensor3", "sensor4")
    raw = RawEvent(device_id=device_id, time=time_ms, **dict(zip(names, readings, strict=True))).SerializeToString()
    restored = [
        CODEC.event(CODEC.encoded(event), device_id.encode(), "json"),
        CODEC.event(raw, device_id.encode(), "protobuf"),
        CODEC.line(CODEC.encoded(event, time_ms))[0],
    ]
    assert restored == [event] * 3
