"""What makes a decoded record no event, in the fixed order of the errors, and what a reading is rounded to."""

from itertools import combinations
from math import nan
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from window_core import DEMO_SENSORS, EVENT_ERRORS, MAX_TIME_MS, Event, EventError, Sensors, checked_event

GOOD = {"device_id": "d1", "time_ms": 1_000, "sensors": [1.0, 2.0, 3.0, 4.0], "arrival_ms": 2_000, "key": b"d1"}

# Each error by itself, as changes to a good record.
FAULTS = [
    ("wrong_type", {"time_ms": 1_000.5}),
    ("device_id", {"device_id": "x" * 257}),
    ("time", {"arrival_ms": -1}),
    ("sensor", {"sensors": [1.0, 2.0, float("nan"), 4.0]}),
    ("key", {"key": b"d2"}),
]

LARGEST = float.fromhex("0x1.fffffep+127")
"""The largest float32."""

HALFWAY = float.fromhex("0x1.ffffffp+127")
"""Half of the way from there to 2^128: from here on rounding gives infinity."""


def error_of(**changes: object) -> str | None:
    try:
        checked(**changes)
    except EventError as error:
        return error.error
    return None


def checked(sensors_of_all: Sensors = DEMO_SENSORS, **changes: object) -> Event:
    record = {**GOOD, **changes}
    device_id, time_ms, readings, arrival_ms, key = record.values()
    return checked_event(sensors_of_all, device_id, time_ms, readings, arrival_ms, key=key)


def test_the_errors_are_a_closed_list_in_a_fixed_order() -> None:
    assert EVENT_ERRORS == ("not_an_event", "wrong_type", "device_id", "time", "sensor", "key")
    assert [error for error, _ in FAULTS] == list(EVENT_ERRORS[1:])
    assert error_of() is None


@pytest.mark.parametrize(("error", "changes"), FAULTS)
def test_each_error_is_found(error: str, changes: dict[str, object]) -> None:
    assert error_of(**changes) == error


@pytest.mark.parametrize(("first", "second"), list(combinations(FAULTS, 2)))
def test_of_two_errors_the_first_of_the_list_is_given(first: tuple, second: tuple) -> None:
    assert error_of(**first[1], **second[1]) == first[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"device_id": None},
        {"device_id": b"d1"},
        {"device_id": 1},
        {"time_ms": "1000"},
        {"time_ms": True},
        {"time_ms": None},
        {"arrival_ms": 2_000.5},
        {"time_ms": float("inf")},
        {"time_ms": float("nan")},
        {"arrival_ms": False},
        *({"sensors": [1.0, 2.0, 3.0, wrong]} for wrong in ("1", None, True, [1.0], 1j)),
        {"sensors": [None, 2.0, 3.0, 4.0]},
    ],
)
def test_each_wrong_type_is_found(changes: dict[str, object]) -> None:
    assert error_of(**changes) == "wrong_type"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"device_id": 7, "time_ms": "1", "sensors": [None] * 4}, ("wrong_type", "device_id")),
        ({"time_ms": "1", "arrival_ms": "1", "sensors": [None] * 4}, ("wrong_type", "time")),
        ({"arrival_ms": 1.5, "sensors": [None] * 4}, ("wrong_type", "arrival")),
        ({"sensors": [1.0, "x", None, 4.0]}, ("wrong_type", "sensor2")),
        ({"device_id": ""}, ("device_id", "device_id")),
        ({"device_id": "\ud800"}, ("device_id", "device_id")),
        ({"time_ms": -1, "arrival_ms": -1}, ("time", "time")),
        ({"time_ms": 253_402_300_800_000.0}, ("time", "time")),
        ({"arrival_ms": -1}, ("time", "arrival")),
        ({"sensors": [1.0, 2.0, float("nan"), 1e39]}, ("sensor", "sensor3")),
        ({"sensors": [1.0, 10**400, float("inf"), 1.0]}, ("sensor", "sensor2")),
        ({"sensors": [1.0, 2.0, 3.0, HALFWAY]}, ("sensor", "sensor4")),
        ({"key": b"d2"}, ("key", None)),
    ],
)
def test_the_first_field_at_fault_is_named(changes: dict[str, object], fault: tuple[str, str | None]) -> None:
    with pytest.raises(EventError) as caught:
        checked(**changes)
    assert (str(caught.value), caught.value.field) == (caught.value.error, caught.value.field) == fault


def test_a_whole_number_may_be_written_as_a_float() -> None:
    event = checked_event(DEMO_SENSORS, "d1", 1_000.0, [1, 2, 3, 4], 2_000.0)
    assert type(event.time_ms) is int
    assert event == checked_event(DEMO_SENSORS, "d1", 1_000, [1, 2, 3, 4], 2_000)


def test_a_device_id_has_1_to_256_bytes_of_utf_8() -> None:
    assert error_of(device_id="", key=b"") == "device_id"
    assert error_of(device_id="x" * 256, key=b"x" * 256) is None
    assert error_of(device_id="x" * 257, key=b"x" * 257) == "device_id"
    assert error_of(device_id="ß" * 128, key="ß".encode() * 128) is None
    assert error_of(device_id="ß" * 128 + "x", key=b"") == "device_id"
    assert error_of(device_id="\ud800") == "device_id"  # not encodable
    assert error_of(device_id="\x00", key=b"\x00") is None


@pytest.mark.parametrize("name", ["time_ms", "arrival_ms"])
def test_a_time_lies_between_1970_and_9999(name: str) -> None:
    assert MAX_TIME_MS == 253_402_300_799_999
    assert error_of(**{name: 0}) is None
    assert error_of(**{name: -1}) == "time"
    assert error_of(**{name: MAX_TIME_MS}) is None
    assert error_of(**{name: MAX_TIME_MS + 1}) == "time"
    assert error_of(**{name: 10**400}) == "time"


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    "reading",
    [float("nan"), float("inf"), -float("inf"), HALFWAY, -HALFWAY, 1e39, 1.7e308, 2**128, 10**400, -(10**400)],
)
def test_a_reading_is_finite_also_as_float32(reading: float, place: int) -> None:
    sensors = [1.0, 1.0, 1.0, 1.0]
    sensors[place] = reading
    assert error_of(sensors=sensors) == "sensor"


@pytest.mark.parametrize(
    ("reading", "rounded"),
    [
        (LARGEST, LARGEST),
        (float.fromhex("0x1.fffffefffffffp+127"), LARGEST),  # the last double below halfway
        (-LARGEST, -LARGEST),
        (int(LARGEST), LARGEST),
        (16_777_217, 16_777_216.0),  # the first integer that is no float32, to even
        (16_777_219, 16_777_220.0),
        (float.fromhex("0x1p-149"), float.fromhex("0x1p-149")),  # the smallest subnormal
        (float.fromhex("0x1p-150"), 0.0),  # half of it, to even
        (float.fromhex("0x1.8p-149"), float.fromhex("0x1p-148")),
        (float.fromhex("0x1.0000000000001p-150"), float.fromhex("0x1p-149")),
        (5e-324, 0.0),
        (-5e-324, -0.0),
        (-0.0, -0.0),
        (0, 0.0),
        (0.1, 0.10000000149011612),
    ],
)
def test_a_reading_is_rounded_to_float32(reading: float, rounded: float) -> None:
    event = checked_event(DEMO_SENSORS, "d1", 0, [reading] * 4)
    assert event.row == pack("<4f", *[rounded] * 4)
    for given_reading in DEMO_SENSORS.readings(event.row):
        assert type(given_reading) is float
        assert repr(given_reading) == repr(rounded)


def test_the_key_is_the_device_id_where_there_has_to_be_one() -> None:
    assert error_of(key=None) is None
    assert error_of(key=b"") == "key"
    assert error_of(key=b"D1") == "key"
    assert error_of(device_id="ß", key="ß".encode()) is None
    assert error_of(device_id="ß", key="ß".encode("latin-1")) == "key"


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=4, max_size=4))
def test_a_float32_stays_what_it_is(readings: list[float]) -> None:
    event = checked_event(DEMO_SENSORS, "d1", 5, readings)
    assert event == Event("d1", 5, pack("<4f", *readings))
    assert repr(DEMO_SENSORS.readings(event.row)) == repr(tuple(readings))


@given(st.lists(st.floats(allow_nan=False) | st.integers(), min_size=4, max_size=4))
def test_any_number_is_rounded_as_the_machine_does_or_refused(readings: list[float]) -> None:
    try:
        expected = unpack("<4f", pack("<4f", *(float(reading) for reading in readings)))
    except OverflowError:
        expected = (float("inf"),)
    if any(reading in (float("inf"), -float("inf")) for reading in expected):
        assert error_of(sensors=readings) == "sensor"
    else:
        event = checked_event(DEMO_SENSORS, "d1", 0, readings)
        assert event.row == pack("<4f", *expected)


def test_an_event_is_immutable() -> None:
    event = checked_event(DEMO_SENSORS, "d1", 0, [1, 2, 3, 4])
    with pytest.raises(AttributeError):
        event.time_ms = 1


DOORS = Sensors.of(["celsius", "door?", "bar", "window?"])


@pytest.mark.parametrize(
    ("readings", "row"),
    [
        ([1.0, None, 2.0, None], "0000803f 0000c07f 00000040 0000c07f"),
        ([1.0, 0.0, 2.0, None], "0000803f 00000000 00000040 0000c07f"),
        ([1.0, -0.0, 2.0, 3], "0000803f 00000080 00000040 00004040"),
    ],
)
def test_an_optional_reading_may_be_absent(readings: list[float | None], row: str) -> None:
    event = checked(DOORS, sensors=readings)
    assert event.row == bytes.fromhex(row)
    assert repr(DOORS.readings(event.row)) == repr(tuple(nan if one is None else float(one) for one in readings))


@pytest.mark.parametrize(
    ("readings", "fault"),
    [
        ([None, None, 2.0, None], ("wrong_type", "celsius")),
        ([1.0, None, None, None], ("wrong_type", "bar")),
        ([1.0, True, 2.0, None], ("wrong_type", "door")),
        ([1.0, "", None, None], ("wrong_type", "door")),
        ([1.0, nan, 2.0, None], ("sensor", "door")),  # a bare NaN is no way to be absent
        ([1.0, None, 2.0, float("inf")], ("sensor", "window")),
        ([1.0, None, 2.0, HALFWAY], ("sensor", "window")),
        ([1.0, None, -(10**400), 1e39], ("sensor", "bar")),
    ],
)
def test_an_optional_reading_that_is_there_is_held_to_the_rules_of_any(
    readings: list[object], fault: tuple[str, str]
) -> None:
    with pytest.raises(EventError) as caught:
        checked(DOORS, sensors=readings)
    assert (caught.value.error, caught.value.field) == fault
