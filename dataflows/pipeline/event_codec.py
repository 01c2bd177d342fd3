"""Bytes of a log to events, and events to bytes: JSON, or the demo's ``RawEvent`` message."""

import json
import re
from typing import Any, Final, Literal

import msgspec
from google.protobuf.message import DecodeError

from dataflows.pipeline.event_layout import EventLayout
from grpc_services.python.stubs.mlpipeline_pb2 import RawEvent
from window_core import SENSORS, Event, EventError, checked_event

__all__ = ["EventFormat", "decoded_event", "decoded_line", "encoded_event", "encoded_message"]

EventFormat = Literal["json", "protobuf"]

_FIELDS: Final = ("device_id", "time", *SENSORS)

_NESTING_MAX: Final = 200
"""Deeper JSON does not parse. Without a limit of our own, the depth of the engine's call stack would decide."""

_STRINGS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class _EventFields(msgspec.Struct, gc=False):
    """The fast way through a valid event; whatever it refuses is looked at again, field by field."""

    device_id: str
    time: int
    sensor1: float
    sensor2: float
    sensor3: float
    sensor4: float


class _LineFields(_EventFields, gc=False):
    arrival: int | msgspec.UnsetType = msgspec.UNSET


_decode_event: Final = msgspec.json.Decoder(_EventFields).decode
_decode_line: Final = msgspec.json.Decoder(_LineFields).decode


def decoded_event(
    value: bytes,
    key: bytes | None,
    event_format: EventFormat,
    arrival_ms: int = 0,
    layout: EventLayout | None = None,
) -> Event:
    """The event that a record of a topic holds.

    Args:
        value: JSON, or a ``RawEvent`` message.
        key: the record's key, which has to be the device id.
        event_format: which of the two it is.
        arrival_ms: the record's timestamp; it is checked like the time.
        layout: of JSON in another form than ours.
    Raises:
        EventError: with the first error of the closed list that applies.
    """
    key = key or b""  # no device has an empty id: a record without a key fails as one with a wrong key
    if event_format == "protobuf":
        return _event_of_message(value, key, arrival_ms)
    if layout is not None:
        return _event_of_layout(layout, layout.values(_loaded_object(value)), arrival_ms, key)
    try:
        _check_text(value)
        fields = _decode_event(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _event_of_object(_own_fields(value), arrival_ms, key)
    sensors = (fields.sensor1, fields.sensor2, fields.sensor3, fields.sensor4)
    return checked_event(fields.device_id, fields.time, sensors, arrival_ms, key=key)


def decoded_line(line: bytes, layout: EventLayout | None = None) -> tuple[Event, int | None]:
    """The event that a line of a file holds, and its arrival in ms, if the line has one.

    Raises:
        EventError: with the first error of the closed list that applies.

    >>> decoded_line(b'{"device_id":"d1","time":5,"sensor1":1,"sensor2":2,"sensor3":3,"sensor4":4,"arrival":7}')
    (Event(device_id='d1', time_ms=5, sensor1=1.0, sensor2=2.0, sensor3=3.0, sensor4=4.0), 7)
    """
    if layout is not None:
        values = layout.values(_loaded_object(line))
        event = _event_of_layout(layout, values, values.get("arrival", 0))
        return event, int(values["arrival"]) if "arrival" in values else None
    try:
        _check_text(line)
        fields = _decode_line(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        values = _own_fields(line)
        event = _event_of_object(values, values.get("arrival", 0))
        return event, int(values["arrival"]) if "arrival" in values else None
    arrival_ms = None if fields.arrival is msgspec.UNSET else fields.arrival
    sensors = (fields.sensor1, fields.sensor2, fields.sensor3, fields.sensor4)
    return checked_event(fields.device_id, fields.time, sensors, arrival_ms or 0), arrival_ms


def _event_of_object(values: dict[str, Any], arrival: object, key: bytes | None = None) -> Event:
    return checked_event(values["device_id"], values["time"], [values[name] for name in SENSORS], arrival, key=key)


def _event_of_layout(layout: EventLayout, values: dict[str, Any], arrival: object, key: bytes | None = None) -> Event:
    try:
        return _event_of_object(values, arrival, key)
    except EventError as error:
        raise EventError(error.error, layout.path(error.field)) from None


def _event_of_message(value: bytes, key: bytes, arrival_ms: int) -> Event:
    try:
        message = RawEvent.FromString(value)
    except DecodeError:
        raise EventError("not_an_event") from None
    sensors = (message.sensor1, message.sensor2, message.sensor3, message.sensor4)
    return checked_event(message.device_id, message.time, sensors, arrival_ms, key=key)


def _check_text(value: bytes) -> None:
    """Refuse what the fast decoder would pass over unseen: broken UTF-8 in further fields, and bottomless nesting."""
    if not value.isascii():
        value.decode()
    is_long = len(value) > _NESTING_MAX
    if is_long and value.count(b"[") + value.count(b"{") > _NESTING_MAX and _nesting(value) > _NESTING_MAX:
        raise RecursionError


def _nesting(value: bytes) -> int:
    depth = deepest = 0
    for byte in _STRINGS.sub(b"", value):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > _NESTING_MAX:
                break
        elif byte in b"]}":
            depth -= 1
    return deepest


def _loaded_object(value: bytes) -> dict[str, Any]:
    """The fields of a JSON object that the fast decoder refused, for whatever reason, as they stand.

    Raises:
        EventError: ``not_an_event``: it is no JSON, or no object.
    """
    try:
        _check_text(value)
        values = json.loads(value.decode(), parse_int=_integer)  # NaN and Infinity, too: what is wrong is said of them
    except (ValueError, RecursionError):
        raise EventError("not_an_event") from None
    if type(values) is not dict:
        raise EventError("not_an_event")
    return values


def _own_fields(value: bytes) -> dict[str, Any]:
    """The fields of an object in our own form, which has them all.

    Raises:
        EventError: ``not_an_event``.
    """
    values = _loaded_object(value)
    for name in _FIELDS:
        if name not in values:
            raise EventError("not_an_event", name)
    return values


def _integer(digits: str) -> int:
    """An integer of any length: Python refuses to convert thousands of digits, but they are a number, out of range."""
    return int(digits) if len(digits) <= 400 else 10**400 * (-1 if digits.startswith("-") else 1)


_encode: Final = msgspec.json.Encoder().encode


def encoded_event(event: Event, arrival_ms: int | None = None) -> bytes:
    """An event as the JSON of a topic's value or, with its arrival, of a file's line."""
    arrival = msgspec.UNSET if arrival_ms is None else arrival_ms
    sensors = (event.sensor1, event.sensor2, event.sensor3, event.sensor4)
    return _encode(_LineFields(event.device_id, event.time_ms, *sensors, arrival))


def encoded_message(event: Event) -> bytes:
    """An event as a ``RawEvent`` message."""
    sensors = {name: getattr(event, name) for name in SENSORS}
    return RawEvent(device_id=event.device_id, time=event.time_ms, **sensors).SerializeToString()
