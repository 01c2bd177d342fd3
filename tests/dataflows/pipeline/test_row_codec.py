"""Rows of CSV and TSV: the cells as events, and each way in which a row is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize("cell", ["", "  ", "NA", "N/A", "#N/A", "nan", "NaN", "null", "None", "\\N", "unavailable"])
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


CELLS = (
    b"d", b"1", b"1000", b"2.5", b"-0", b"-0.0", b"", b" 5 ", b"+5", b"1.", b".5", b"1_0", b"1e3", b"1e400", b"nan",
    b"NA", b"null", b"true", b'"5"', b"[1]", b"\xff", b"\xd9\xa1", b"9007199254740993", b"9" * 30,
)  # fmt: skip


@given(st.lists(st.sampled_from(CELLS), min_size=5, max_size=5))
def test_each_way_to_read_a_row_gives_the_same(cells: list[bytes]) -> None:
    found = []
    for header, more in ((HEADER, ()), (HEADER + b",note", (b"x",)), (HEADER + b",note", (b'"x"',))):
        try:
            found.append(codec(header).row(b",".join((*cells, *more))))
        except EventError as error:
            found.append((error.error, error.field))
    assert found[0] == found[1] == found[2]


def test_a_delimiter_behind_the_last_cell_is_no_cell() -> None:
    assert codec().row(b"d,1,2,3,,,")[0] == codec(HEADER + b",").row(b"d,1,2,3,")[0] == codec().row(b"d,1,2,3")[0]


def test_semicolons_separate_where_the_header_has_no_comma() -> None:
    header = HEADER.replace(b",", b";")
    assert codec(header).row(b"d;1;2.5;;")[0] == codec().row(b"d,1,2.5,,")[0]
    with pytest.raises(EventError, match=r"^wrong_type$"):
        codec(header).row(b"d;1;2,5;;")
    layout = EventLayout(SENSORS, is_lenient=True)
    assert SENSORS.readings(codec(header, layout).row(b"d;1;2,5;-1,25;")[0].row) == (2.5, -1.25)
    for thousands in (b"1.234,5", b"1,234,567", b"1 234,5"):
        with pytest.raises(EventError, match=r"^wrong_type$"):
            codec(header, layout).row(b"d;1;%b;;" % thousands)


def test_a_table_of_one_device_has_no_column_for_it() -> None:
    event, _ = codec(b"time,celsius", EventLayout(SENSORS, device_id="pump-7")).row(b"1,2")
    assert (event.device_id, event.time_ms) == ("pump-7", 1)
