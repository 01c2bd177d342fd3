"""Which lists of names are sensors, and how a row of their readings lies in memory."""

from math import inf, nan
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from window_core import DEMO_SENSORS, Sensors, SensorsError
from window_core.sensors import MAX_SENSORS, NotFiniteError

MIXED = Sensors.of(["celsius", "door?", "Bar_2.x-y"])


def test_a_question_mark_makes_a_sensor_optional_and_is_no_part_of_its_name() -> None:
    assert MIXED.names == ("celsius", "door", "Bar_2.x-y")
    assert MIXED.optional == (False, True, False)
    assert MIXED.declared == ("celsius", "door?", "Bar_2.x-y")
    assert str(MIXED) == "celsius, door?, Bar_2.x-y"
    assert (MIXED.width, MIXED.row_bytes) == (3, 12)
    assert Sensors.of(MIXED.declared) == MIXED


def test_other_names_another_order_or_another_question_mark_are_other_sensors() -> None:
    others = [["celsius", "door", "Bar_2.x-y"], ["door?", "celsius", "Bar_2.x-y"], ["celsius", "door?"]]
    assert MIXED not in {Sensors.of(other) for other in others}
    assert len({MIXED, Sensors.of(MIXED.declared)}) == 1


def test_the_sensors_of_the_demo_are_four_and_required() -> None:
    assert DEMO_SENSORS.declared == ("sensor1", "sensor2", "sensor3", "sensor4")


@pytest.mark.parametrize("width", [1, 64])
def test_there_are_1_to_64(width: int) -> None:
    assert Sensors.of([f"s{number}" for number in range(width)]).row_bytes == 4 * width
    assert MAX_SENSORS == 64


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ([], "there is no sensor"),
        ([f"s{number}" for number in range(65)], "there may be 64 sensors at most, not 65"),
        (["a", "b", "a"], "sensor a is named twice"),
        (["a", "a?"], "sensor a is named twice"),
        (["a?", "b", "a?"], "sensor a is named twice"),
    ],
)
def test_too_few_too_many_and_the_same_twice_are_no_sensors(declared: list[str], said: str) -> None:
    with pytest.raises(SensorsError, match=f"^{said}$"):
        Sensors.of(declared)


@pytest.mark.parametrize("name", ["a", "_", "A.b-c_9", "x" * 64, "sensor1", "device_id"])
def test_a_name_is_letters_digits_and_some_signs(name: str) -> None:
    assert Sensors.of([name]).names == Sensors.of([f"{name}?"]).names == (name,)


@pytest.mark.parametrize(
    "name", ["", "?", "a??", "9a", ".a", "-a", "a b", "a,b", "é", "ß", "a\n", "\na", "x" * 65, "a?b", "²", "a/b", "a\0"]
)
def test_any_other_name_is_none(name: str) -> None:
    with pytest.raises(SensorsError, match="the name of a sensor is"):
        Sensors.of(["good", name])


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("reading", [nan, inf, -inf, 1e39, 10**400])
def test_the_first_reading_that_is_not_finite_is_named(reading: float, place: int) -> None:
    readings: list[float | None] = [1.0, None, 1.0]
    readings[place] = reading
    readings[2] = reading
    with pytest.raises(NotFiniteError) as caught:
        MIXED.row(readings)
    assert caught.value.sensor == str(caught.value) == MIXED.names[place]


def test_readings_that_add_up_to_nothing_finite_one_by_one_are_finite() -> None:
    largest = float.fromhex("0x1.fffffep+127")
    sensors = Sensors.of([f"s{number}" for number in range(64)])
    assert sensors.row([largest] * 64) == pack("<64f", *[largest] * 64)
    with pytest.raises(NotFiniteError):
        sensors.row([inf] + [-inf] * 63)


@given(st.lists(st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=64))
def test_a_row_is_float32_values_one_behind_the_other(readings: list[float | None]) -> None:
    sensors = Sensors.of([f"s{number}?" for number in range(len(readings))])
    row = sensors.row(readings)
    absent = bytes.fromhex("0000c07f")
    assert row == b"".join(absent if reading is None else pack("<f", reading) for reading in readings)
    assert repr(sensors.readings(row)) == repr(tuple(nan if reading is None else reading for reading in readings))
    assert sensors.row([None if reading != reading else reading for reading in sensors.readings(row)]) == row


def test_many_rows_at_once_are_the_rows_one_by_one() -> None:
    rows = MIXED.rows([[1.0, 2.5], [3.0, -0.0], [0.1, 1e-45]])
    assert rows == [MIXED.row([1.0, 3.0, 0.1]), MIXED.row([2.5, -0.0, 1e-45])]
    assert MIXED.rows([[], [], []]) == []


@pytest.mark.parametrize("column", range(3))
@pytest.mark.parametrize("reading", [nan, inf, -inf, 1e39])
def test_of_many_rows_none_is_made_if_one_reading_is_not_finite(reading: float, column: int) -> None:
    columns = [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]
    columns[column][1] = reading
    assert MIXED.rows(columns) is None
