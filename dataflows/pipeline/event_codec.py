"""Bytes of a log to events, and events to bytes: JSON, the demo's ``RawEvent`` message, or by a schema of the user."""

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final, Literal, NamedTuple

import msgspec
from google.protobuf.message import DecodeError

from dataflows.pipeline.event_layout import EventLayout, field_names
from dataflows.pipeline.schema import Schema
from grpc_services.python.stubs.mlpipeline_pb2 import RawEvent
from window_core import (
    DEMO_SENSORS,
    MAX_DEVICE_ID_BYTES,
    MAX_TIME_MS,
    Event,
    EventError,
    Sensors,
    checked_event,
)

__all__ = ["EventCodec", "EventFormat", "PlainEvents", "loaded_object"]

EventFormat = Literal["json", "protobuf"]

_NESTING_MAX: Final = 200
"""Deeper JSON does not parse. Without a limit of our own, the depth of the engine's call stack would decide."""

_STRINGS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

_event: Final[Callable[[tuple[Any, ...]], Event]] = partial(tuple.__new__, Event)
"""As ``Event._make``, without a call of Python for each."""

_BRACE: Final = {ord("{")}

_encode: Final = msgspec.json.Encoder().encode


class PlainEvents(NamedTuple):
    """Events of which nothing needs a second look, as columns.

    Attributes:
        device_ids: of each line or value.
        times_ms: of each.
        rows: of each its readings, as an event has them.
        arrivals_ms: what stands in each as its arrival; ``UNSET`` where nothing does.
    """

    device_ids: Sequence[str]
    times_ms: Sequence[int]
    rows: Sequence[bytes]
    arrivals_ms: Sequence[Any]

    def events(self) -> list[Event]:
        """The same, one by one."""
        return list(map(_event, zip(self.device_ids, self.times_ms, self.rows, strict=True)))


class EventCodec:
    """Decodes and encodes the events of one log.

    >>> codec = EventCodec(EventLayout(Sensors.of(["celsius", "door?"])))
    >>> event, arrival_ms = codec.line(b'{"device_id":"d1","time":5,"celsius":21.5,"arrival":7}')
    >>> codec.encoded(event, arrival_ms)
    b'{"device_id":"d1","time":5,"celsius":21.5,"door":null,"arrival":7}'
    """

    def __init__(
        self, layout: EventLayout | None = None, schema: Schema | None = None, *, ignores_key: bool = False
    ) -> None:
        """
        Args:
            layout: what the events look like. Default: the demo's sensors, in our own form.
            schema: of the values of a topic; ``None``: they are JSON or ``RawEvent`` messages.
            ignores_key: the key of a record need not be the device id.
        """
        self._layout = layout or EventLayout()
        self._sensors = self._layout.sensors
        self._arrival = 2 + self._sensors.width
        self._encoded = _fields_of(self._sensors, decoded=False)
        decoded = _fields_of(self._sensors, decoded=True)
        self._decode = msgspec.json.Decoder(decoded).decode
        self._decode_many = msgspec.json.Decoder(list[decoded]).decode  # type: ignore[valid-type]  # made just now
        self._values = None if schema is None else schema.decoder(self._layout).values
        self._ignores_key = ignores_key

    def event(self, value: bytes, key: bytes | None, event_format: EventFormat, arrival_ms: int = 0) -> Event:
        """The event that a record of a topic holds.

        Args:
            value: JSON, a ``RawEvent`` message, or what the schema says.
            key: the record's key, which has to be the device id unless keys are ignored.
            event_format: which of the first two it is, where there is no schema.
            arrival_ms: the record's timestamp; it is checked like the time.
        Raises:
            EventError: with the first error of the closed list that applies.
        """
        # No device has an empty id: a record without a key fails as one with a wrong key.
        key = None if self._ignores_key else key or b""
        if self._values is not None:
            return self._event_of_object(self._values(value), arrival_ms, key)
        if event_format == "protobuf":
            return _event_of_message(value, key, arrival_ms)
        fields = self._decoded(value)
        if fields is None:
            return self._event_of_object(self._layout.values(loaded_object(value), has_arrival=False), arrival_ms, key)
        return checked_event(self._sensors, fields[0], fields[1], fields[2 : self._arrival], arrival_ms, key=key)

    def line(self, line: bytes) -> tuple[Event, int | None]:
        """The event that a line of a file holds, and its arrival in ms, if the line has one.

        Raises:
            EventError: with the first error of the closed list that applies.
        """
        fields = self._decoded(line)
        if fields is None:
            values = self._layout.values(loaded_object(line))
            event = self._event_of_object(values, values.get("arrival", 0))
            return event, int(values["arrival"]) if "arrival" in values else None
        arrival_ms = None if fields[-1] is msgspec.UNSET else fields[-1]
        readings = fields[2 : self._arrival]
        return checked_event(self._sensors, fields[0], fields[1], readings, arrival_ms or 0), arrival_ms

    def plain(self, values: Sequence[bytes]) -> PlainEvents | None:
        """Many lines of a file or values of a topic at once, if nothing about any of them needs a second look.

        Args:
            values: at least one.
        Returns:
            what ``line`` and ``event`` would make of each, keys and arrivals aside; ``None``: they have to say.
        """
        number, text = len(values), b"[%b]" % b",".join(values)
        # Each begins with the only brace in it, so no object goes on in the next. Without brackets none is deep, and
        # without a backslash no text holds half a character.
        begins = set(map(itemgetter(0), values)) == _BRACE and text.count(b"{") == number
        if not begins or text.count(b"[") > 1 or b"\\" in text:
            return None
        if not self._layout.is_own or any(self._sensors.optional):
            return None
        try:
            if not text.isascii():
                text.decode()
            fields = self._decode_many(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if len(fields) != number:
            return None
        device_ids, times_ms, *columns, arrivals_ms = zip(*map(msgspec.structs.astuple, fields), strict=True)
        characters = list(map(len, device_ids))
        if min(characters) == 0 or 4 * max(characters) > MAX_DEVICE_ID_BYTES:
            return None
        if min(times_ms) < 0 or max(times_ms) > MAX_TIME_MS:
            return None
        rows = self._sensors.rows(columns)
        return None if rows is None else PlainEvents(device_ids, times_ms, rows, arrivals_ms)

    def encoded(self, event: Event, arrival_ms: int | None = None) -> bytes:
        """An event as the JSON, in our own form, of a topic's value or, with its arrival, of a file's line."""
        arrival = msgspec.UNSET if arrival_ms is None else arrival_ms
        readings = self._sensors.readings(event.row)  # NaN is written as null
        return _encode(self._encoded(event.device_id, event.time_ms, *readings, arrival))

    def encoded_message(self, event: Event) -> bytes:
        """An event of the demo's sensors as a ``RawEvent`` message."""
        readings = dict(zip(DEMO_SENSORS.names, DEMO_SENSORS.readings(event.row), strict=True))
        return RawEvent(device_id=event.device_id, time=event.time_ms, **readings).SerializeToString()

    def _decoded(self, value: bytes) -> tuple[Any, ...] | None:
        """The fields of a valid event in our own form; what is refused here is looked at again, field by field."""
        if not self._layout.is_own:
            return None
        try:
            _check_text(value)
            return msgspec.structs.astuple(self._decode(value))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def _event_of_object(self, values: dict[str, Any], arrival: object, key: bytes | None = None) -> Event:
        readings = [values.get(name) for name in self._sensors.names]
        try:
            return checked_event(self._sensors, values["device_id"], values["time"], readings, arrival, key=key)
        except EventError as error:
            raise EventError(error.error, self._layout.path(error.field)) from None


def _fields_of(sensors: Sensors, *, decoded: bool) -> type[msgspec.Struct]:
    """A type for the fields of an event in our own form.

    Args:
        sensors: the readings of the event.
        decoded: an optional reading need not be there, so the type is made by name; else in the order of the fields.
    """
    names = field_names(sensors)
    readings: list[tuple[str, Any] | tuple[str, Any, None]] = [
        (name, float | None, None) if decoded and is_optional else (name, float)
        for name, is_optional in zip(names, sensors.optional, strict=True)
    ]
    return msgspec.defstruct(
        "EventFields",
        [("device_id", str), ("time", int), *readings, ("arrival", int | msgspec.UnsetType, msgspec.UNSET)],
        rename=names,
        kw_only=decoded,
        gc=False,
    )


def _event_of_message(value: bytes, key: bytes | None, arrival_ms: int) -> Event:
    try:
        message = RawEvent.FromString(value)
    except DecodeError:
        raise EventError("not_an_event") from None
    readings = (message.sensor1, message.sensor2, message.sensor3, message.sensor4)
    return checked_event(DEMO_SENSORS, message.device_id, message.time, readings, arrival_ms, key=key)


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


def loaded_object(value: bytes) -> dict[str, Any]:
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


def _integer(digits: str) -> int:
    """An integer of any length: Python refuses to convert thousands of digits, but they are a number, out of range."""
    return int(digits) if len(digits) <= 400 else 10**400 * (-1 if digits.startswith("-") else 1)
