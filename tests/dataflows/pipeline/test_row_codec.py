"""Rows of CSV and TSV: the cells as events, and each way in which a row is none."""

import pytest

from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.row_codec import RowCodec
from window_core import EventError, Sensors

SENSORS = Sensors.of(["celsius", "door?"])
HEADER = b"device_id,time,celsius,door,arrival"


def codec(header: bytes = HEADER, layout: EventLayout | None = None, delimiter: str = ",") -> RowCodec:
    made = RowCodec(layout or EventLayout(SENSORS), delimiter)
    made.read_header(header)
    return made


def test_a_row_is_an_event() -> None:
    event, arrival_ms = codec().row(b"pump-7,1000,21.5,1,2000\r")
    assert (event.device_id, event.time_ms, arrival_ms) == ("pump-7", 1_000, 2_000)
    assert SENSORS.readings(event.row) == (21.5, 1.0)


def test_columns_may_stand_in_any_order_under_other_names_and_with_others_between() -> None:
    layout = EventLayout(SENSORS, {"device_id": "asset", "time": "ts"}, "s")
    event, arrival_ms = codec(b"x\tdoor\tts\tcelsius\tasset", layout, "\t").row(b"?\t\t1.5\t-0\t7")
    assert (event.device_id, event.time_ms, arrival_ms) == ("7", 1_500, None)
    assert event.row.hex() == "000000000000c07f"


@pytest.mark.parametrize("cell", ["", "NA", "nan", "NaN", "null", "None"])
def test_a_cell_may_say_that_an_optional_reading_is_absent(cell: str) -> None:
    assert codec().row(f"d,1,2,{cell},".encode())[0].row.hex() == "000000400000c07f"


def test_a_quoted_cell_may_hold_the_delimiter_and_quotes() -> None:
    assert codec().row(b'"a,""b""",1,2,,')[0].device_id == 'a,"b"'
    assert codec(b'"device_id","time","celsius"').row(b"d,1,2")[0].time_ms == 1


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    assert codec(b"\xef\xbb\xbf" + HEADER).row(b"d,1,2")[0].device_id == "d"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (b"d", ("not_an_event", "time")),
        (b"d,1", ("not_an_event", "celsius")),
        (b",1,2,3", ("not_an_event", "device_id")),
        (b"d,1,2,3,4,5", ("not_an_event", None)),
        (b"d,1,\xff", ("not_an_event", None)),
        (b'd,1,"2', ("not_an_event", None)),
        (b"d,1,NA", ("wrong_type", "celsius")),
        (b"d,1,1_000", ("wrong_type", "celsius")),
        (b"d,1,0x10", ("wrong_type", "celsius")),
        (b"d,1.5,2", ("wrong_type", "time")),
        (b"d,today,2", ("wrong_type", "time")),
        (b"d,1,2,3,x", ("wrong_type", "arrival")),
        (b"d,-1,2", ("time", "time")),
        (b"d,1,nan", ("sensor", "celsius")),
        (b"d,1,-inf", ("sensor", "celsius")),
        (b"d,1,1e39", ("sensor", "celsius")),
        (b"d,1," + b"9" * 500, ("sensor", "celsius")),
        (b"d,1,2,1e39", ("sensor", "door")),
        (b"x" * 257 + b",1,2", ("device_id", "device_id")),
    ],
)
def test_a_row_that_is_no_event_names_the_column_at_fault(row: bytes, fault: tuple[str, str | None]) -> None:
    with pytest.raises(EventError) as caught:
        codec().row(row)
    assert (caught.value.error, caught.value.field) == fault


@pytest.mark.parametrize("header", [b"device_id,celsius", b"device_id,time,time,celsius", b"\xff", b""])
def test_without_a_column_for_each_field_no_row_is_an_event(header: bytes) -> None:
    with pytest.raises(EventError, match=r"^not_an_event$"):
        codec(header).row(b"d,1,1,2")


def test_times_may_be_texts() -> None:
    layout = EventLayout(SENSORS, time_unit="iso")
    assert codec(layout=layout).row(b"d,1970-01-01T00:00:01Z,2")[0].time_ms == 1_000
