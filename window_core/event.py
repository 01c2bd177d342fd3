"""What an event is, and what makes a decoded record none: the checks behind ``INVALID``, in their fixed order."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from window_core.sensors import NotFiniteError, Sensors

__all__ = ["EVENT_ERRORS", "MAX_DEVICE_ID_BYTES", "MAX_TIME_MS", "Event", "EventError", "checked_event"]

EVENT_ERRORS: Final = ("not_an_event", "wrong_type", "device_id", "time", "sensor", "key")
"""The closed list of errors of an ``INVALID`` rejection, in the order in which they are looked for."""

MAX_TIME_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, UTC: the largest time that common date types of other languages hold."""

MAX_DEVICE_ID_BYTES: Final = 256
"""Longest device id in bytes of UTF-8; long enough for a URN, short enough to stand in every key, id and snapshot."""


class EventError(ValueError):
    """One input is no event: it becomes an ``INVALID`` rejection, and nothing else changes.

    Attributes:
        error: one of ``EVENT_ERRORS``.
        field: the first field at fault, as an event names it: ``device_id``, ``time``, ``arrival`` or a sensor;
            ``None`` where it is none of them.
    """

    def __init__(self, error: str, field: str | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.field = field


class Event(NamedTuple):
    """One reading of a device.

    Made of untrusted values by ``checked_event``; made directly, the caller answers for what is said here.

    Attributes:
        device_id: 1 to 256 bytes in UTF-8.
        time_ms: when the device took it, ms since the Unix epoch, UTC; 0 to ``MAX_TIME_MS``.
        row: of ``Sensors``: the readings, float32, little-endian, 4 bytes each.
    """

    device_id: str
    time_ms: int
    row: bytes


def checked_event(
    sensors: Sensors,
    device_id: object,
    time_ms: object,
    readings: Sequence[Any],
    arrival_ms: object = 0,
    *,
    key: bytes | None = None,
) -> Event:
    """An event of decoded values, its readings rounded to float32.

    Args:
        sensors: what an event has.
        device_id: a string in a valid record.
        time_ms: a whole number in a valid record, also one that is written as a float.
        readings: one for each sensor, numbers in a valid record; ``None`` where one is null or absent.
        arrival_ms: the arrival that stands in the record itself, if one does; it is checked like the time.
        key: the key of the record, where the record has to have one.
    Raises:
        EventError: with the first of ``EVENT_ERRORS`` that applies.

    >>> event = checked_event(Sensors.of(["celsius", "door?"]), "d1", 1_000.0, [0.1, None])
    >>> event.time_ms, event.row.hex()
    (1000, 'cdcccc3d0000c07f')
    >>> checked_event(Sensors.of(["celsius"]), "", 1_000, [True])
    Traceback (most recent call last):
    window_core.event.EventError: wrong_type
    """
    if type(device_id) is not str:
        raise EventError("wrong_type", "device_id")
    if type(time_ms) is not int:
        time_ms = _whole(time_ms, "time")
    if type(arrival_ms) is not int:
        arrival_ms = _whole(arrival_ms, "arrival")
    for number, reading in enumerate(readings):
        if (
            type(reading) is not float
            and type(reading) is not int
            and not (reading is None and sensors.optional[number])
        ):
            raise EventError("wrong_type", sensors.names[number])
    try:
        encoded_id = device_id.encode()
    except UnicodeEncodeError:
        raise EventError("device_id", "device_id") from None
    if not 0 < len(encoded_id) <= MAX_DEVICE_ID_BYTES:
        raise EventError("device_id", "device_id")
    if not 0 <= time_ms <= MAX_TIME_MS:
        raise EventError("time", "time")
    if not 0 <= arrival_ms <= MAX_TIME_MS:
        raise EventError("time", "arrival")
    try:
        row = sensors.row(readings)
    except NotFiniteError as error:
        raise EventError("sensor", error.sensor) from None
    if key is not None and key != encoded_id:
        raise EventError("key")
    return Event(device_id, time_ms, row)


def _whole(value: object, field: str) -> int:
    """A whole number that is written as a float: ``1.0`` is one, ``1.5`` is not."""
    if type(value) is float and value.is_integer():
        return int(value)
    raise EventError("wrong_type", field)
