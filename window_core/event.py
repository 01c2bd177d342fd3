"""What an event is, and what makes a decoded record none: the checks behind ``INVALID``, in their fixed order."""

from collections.abc import Sequence
from math import isfinite
from struct import Struct
from struct import error as struct_error
from typing import Final, NamedTuple, cast

__all__ = ["EVENT_ERRORS", "MAX_DEVICE_ID_BYTES", "MAX_TIME_MS", "SENSORS", "Event", "EventError", "checked_event"]

SENSORS: Final = ("sensor1", "sensor2", "sensor3", "sensor4")
"""The readings of an event, in their order."""

EVENT_ERRORS: Final = ("not_an_event", "wrong_type", "device_id", "time", "sensor", "key")
"""The closed list of errors of an ``INVALID`` rejection, in the order in which they are looked for."""

MAX_TIME_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, UTC: the largest time that common date types of other languages hold."""

MAX_DEVICE_ID_BYTES: Final = 256
"""Longest device id in bytes of UTF-8; long enough for a URN, short enough to stand in every key, id and snapshot."""

_FOUR_FLOAT32: Final = Struct("<4f")
_FLOAT32: Final = Struct("<f")


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
        sensor1: finite and equal to a float32, in the sensor's own unit; the same holds for the other three.
    """

    device_id: str
    time_ms: int
    sensor1: float
    sensor2: float
    sensor3: float
    sensor4: float

    @property
    def readings(self) -> bytes:
        """The four readings as 16 bytes, float32, little-endian: what "the same readings, bit for bit" compares."""
        return _FOUR_FLOAT32.pack(self.sensor1, self.sensor2, self.sensor3, self.sensor4)


def checked_event(
    device_id: object, time_ms: object, sensors: Sequence[object], arrival_ms: object = 0, *, key: bytes | None = None
) -> Event:
    """An event of decoded values, its readings rounded to float32.

    Args:
        device_id: a string in a valid record.
        time_ms: a whole number in a valid record, also one that is written as a float.
        sensors: the four readings, numbers in a valid record.
        arrival_ms: the arrival that stands in the record itself, if one does; it is checked like the time.
        key: the key of the record, where the record has to have one.
    Raises:
        EventError: with the first of ``EVENT_ERRORS`` that applies.

    >>> checked_event("d1", 1_000, [1, 2.5, -0.0, 0.1])
    Event(device_id='d1', time_ms=1000, sensor1=1.0, sensor2=2.5, sensor3=-0.0, sensor4=0.10000000149011612)
    >>> checked_event("", 1.5, [1, 2, 3, True])
    Traceback (most recent call last):
    window_core.event.EventError: wrong_type
    """
    if type(device_id) is not str:
        raise EventError("wrong_type", "device_id")
    if type(time_ms) is not int:
        time_ms = _whole(time_ms, "time")
    if type(arrival_ms) is not int:
        arrival_ms = _whole(arrival_ms, "arrival")
    for number, sensor in enumerate(sensors):
        if type(sensor) is not float and type(sensor) is not int:
            raise EventError("wrong_type", SENSORS[number])
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
    numbers = cast("Sequence[float]", sensors)
    try:
        sensor1, sensor2, sensor3, sensor4 = _FOUR_FLOAT32.unpack(_FOUR_FLOAT32.pack(*numbers))
    except (OverflowError, struct_error):  # above the largest float32; an integer above the largest double
        raise EventError("sensor", _first_not_finite(numbers)) from None
    if not isfinite(sensor1 + sensor2 + sensor3 + sensor4):  # no sum of four float32 values overflows a double
        raise EventError("sensor", _first_not_finite(numbers))
    if key is not None and key != encoded_id:
        raise EventError("key")
    return Event(device_id, time_ms, sensor1, sensor2, sensor3, sensor4)


def _whole(value: object, field: str) -> int:
    """A whole number that is written as a float: ``1.0`` is one, ``1.5`` is not."""
    if type(value) is float and value.is_integer():
        return int(value)
    raise EventError("wrong_type", field)


def _first_not_finite(sensors: Sequence[float]) -> str:
    """The first reading that is not finite as float32."""
    return next(name for name, sensor in zip(SENSORS, sensors, strict=True) if not _is_finite(sensor))


def _is_finite(sensor: float) -> bool:
    try:
        return isfinite(_FLOAT32.unpack(_FLOAT32.pack(sensor))[0])
    except (OverflowError, struct_error):
        return False
