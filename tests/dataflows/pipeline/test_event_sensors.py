"""Events of other sensors than the demo's: readings that may be absent, names with dots, an order of their own."""

import json
from math import nan
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout
from window_core import EventError, Sensors

FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)

OPTIONAL = EventCodec(EventLayout(Sensors.of(["_c-1?", "a.b", "d?"])))


@given(FLOAT32, st.none() | FLOAT32, st.none() | FLOAT32)
def test_an_event_of_any_sensors_survives_json(first: float, second: float | None, third: float | None) -> None:
    text = json.dumps({"device_id": "d", "time": 7, "a.b": first, "_c-1": second, "d": third})
    event = OPTIONAL.event(text.encode(), b"d", "json")
    assert event.row == b"".join(pack("<f", nan if one is None else one) for one in (second, first, third))
    assert OPTIONAL.line(OPTIONAL.encoded(event, 9)) == (event, 9)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"device_id":"d","time":7,"a.b":1}', None),
        ('{"device_id":"d","time":7,"a.b":1,"d":null,"_c-1":null}', None),
        ('{"device_id":"d","time":7,"d":1}', ("not_an_event", "a.b")),
        ('{"device_id":"d","time":7,"a":{"b":1}}', ("not_an_event", "a.b")),
        ('{"device_id":"d","time":7.0,"a":{"b":1}}', ("not_an_event", "a.b")),
        ('{"device_id":"d","time":7,"a.b":null}', ("wrong_type", "a.b")),
        ('{"device_id":"d","time":7,"a.b":1,"d":"x"}', ("wrong_type", "d")),
        ('{"device_id":"d","time":7,"a.b":1,"d":true}', ("wrong_type", "d")),
        ('{"device_id":"d","time":7,"a.b":1,"d":NaN}', ("sensor", "d")),
        ('{"device_id":"d","time":7,"a.b":1,"d":1e39}', ("sensor", "d")),
        ('{"device_id":"d","time":7,"a.b":1e39,"d":null}', ("sensor", "a.b")),
    ],
)
def test_only_an_optional_sensor_may_be_null_or_absent(text: str, fault: tuple[str, str] | None) -> None:
    try:
        OPTIONAL.event(text.encode(), b"d", "json")
        found = None
    except EventError as error:
        found = (error.error, error.field)
    assert found == fault
