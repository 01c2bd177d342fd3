"""What the events of a log look like: their sensors, the names of their fields, nested ones, the unit of times."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_FLOOR, Decimal
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from window_core import DEMO_SENSORS, EventError, Sensors

__all__ = ["OTHER_FIELDS", "EventLayout", "Instant", "TimeUnit", "field_names", "number_of_text"]

OTHER_FIELDS: Final = ("device_id", "time", "arrival")
"""The fields of an event beside its sensors; the last one only in a line of a file, and not in each."""

TimeUnit = Literal["ms", "s", "us", "ns", "iso"]

_ARRIVAL: Final = (("arrival", True),)

_MS: Final[dict[str, Decimal]] = {"ms": Decimal(1), "s": Decimal(1_000), "us": Decimal("1e-3"), "ns": Decimal("1e-6")}

_OTHER_ISO: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
    r"(?P<fraction>[.,][0-9]+)?(?: ?(?P<zone>[Zz]|UTC|[+-][0-9]{2}:?[0-9]{2})(\[[A-Za-z0-9_/+-]+\])?)?"
)
"""What ISO 8601, RFC 3339 and RFC 9557 also allow, and Python does not read: small letters, the end of a day as 24:00,
a leap second, the name of a zone behind the offset; and UTC in words, as databases export it."""


class Instant(int):
    """A time in ms since the Unix epoch, whatever the unit of other times: of a format that has a type for instants."""


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_MS: Final = timedelta(milliseconds=1)
_NO_TIME: Final = timedelta()
_DAY: Final = timedelta(days=1)
_LEAP_AT: Final = timedelta(hours=23, minutes=59)
"""The minute that a leap second ends, by UTC."""


class EventLayout(NamedTuple):
    """Which readings an event has, where its fields stand in a JSON object, and what its times are.

    Attributes:
        sensors: the readings of an event; each is a field of its own.
        paths: for each of our fields the name of theirs, or a path into nested objects, with dots.
        time_unit: of the time and of an arrival: a number since the Unix epoch, or ``iso``, a text of ISO 8601.
        is_lenient: a number may be written as a text.
        zone: that of texts without one; ``None``: such a text is ``wrong_type``.
        device_id: that of every event, where the log is of one device and does not name it.
    """

    sensors: Sensors = DEMO_SENSORS
    paths: Mapping[str, str] = MappingProxyType({})
    time_unit: TimeUnit = "ms"
    zone: tzinfo | None = None
    is_lenient: bool = False
    device_id: str | None = None

    @property
    def own_fields(self) -> tuple[str, ...]:
        """The fields of an event under our names."""
        return ("device_id", "time", *self.sensors.names, "arrival")

    @property
    def is_own(self) -> bool:
        """Whether events have our own names of fields and times in ms."""
        return not self.paths and self.time_unit == "ms" and not self.is_lenient and self.device_id is None

    @property
    def needed_fields(self) -> tuple[tuple[str, bool], ...]:
        """What a record holds of an event under our names, each with whether it may be missing; without an arrival."""
        sensors = zip(self.sensors.names, self.sensors.optional, strict=True)
        return (*((("device_id", False),) if self.device_id is None else ()), ("time", False), *sensors)

    def values(self, found: Mapping[str, Any], *, has_arrival: bool = True) -> dict[str, Any]:
        """The fields of an object, gathered and converted.

        Raises:
            EventError: one is missing, or a time is none.

        >>> layout = EventLayout(paths={"time": "at.s"}, time_unit="s")
        >>> layout.values({"device_id": "d", "at": {"s": 1.5}})
        Traceback (most recent call last):
        window_core.event.EventError: not_an_event
        """
        return self.converted(self.gathered(found, has_arrival=has_arrival))

    def gathered(self, found: Mapping[str, Any], *, has_arrival: bool) -> dict[str, Any]:
        """The fields of an object under our names, as they stand there; an arrival or optional sensor only where it is.

        Args:
            found: the object.
            has_arrival: the arrival is one of its fields.

        Raises:
            EventError: one is missing.
        """
        values: dict[str, Any] = {} if self.device_id is None else {"device_id": self.device_id}
        for name, is_optional in (*self.needed_fields, *_ARRIVAL[:has_arrival]):
            path = self.paths.get(name)  # only one that was given leads into nested objects
            value = found.get(name, _MISSING) if path is None else _at(found, path)
            if value is not _MISSING:
                values[name] = value
            elif not is_optional:
                raise EventError("not_an_event", self.path(name))
        return values

    def converted(self, values: dict[str, Any]) -> dict[str, Any]:
        """The fields under our names as they stand in a record, with their times in ms, rounded down.

        Raises:
            EventError: a time is none.
        """
        if self.is_lenient:
            texts = (*self.sensors.names, *(() if self.time_unit == "iso" else ("time", "arrival")))
            values |= {name: number_of_text(values[name]) for name in texts if type(values.get(name)) is str}
        for name in ("time", "arrival"):
            if name in values and type(values["device_id"]) is str:  # else that comes first
                values[name] = self.ms(values[name], name)
        return values

    def path(self, name: str | None) -> str | None:
        """Where one of our fields stands; ``None`` where there is none."""
        return None if name is None else self.paths.get(name, name)

    def ms(self, value: Any, name: str) -> Any:
        """A time in ms, rounded down, or as it stands where ``checked_event`` finds what is wrong with it.

        Raises:
            EventError: a text is no time.
        """
        if type(value) is Instant:
            return int(value)
        if self.time_unit == "iso":
            return self._ms_of_text(value, name)
        if self.time_unit == "ms" or type(value) not in (int, float):
            return value
        if self.time_unit == "s" and type(value) is int:
            return value * 1_000
        number = Decimal(repr(value))
        if not number.is_finite():
            return value
        return int((number * _MS[self.time_unit]).to_integral_value(ROUND_FLOOR))

    def _ms_of_text(self, value: object, name: str) -> int:
        if type(value) is not str:
            raise EventError("wrong_type", self.path(name))
        try:
            instant, more = datetime.fromisoformat(value), _NO_TIME
        except ValueError:
            try:
                instant, more = _instant_of(value)
            except ValueError:
                raise EventError("wrong_type", self.path(name)) from None
        if instant.tzinfo is None:
            if self.zone is None:
                raise EventError("wrong_type", self.path(name))
            instant = instant.replace(tzinfo=self.zone)
        return (instant - _EPOCH + more) // _ONE_MS


def _instant_of(text: str) -> tuple[datetime, timedelta]:
    """An instant in a form that Python does not read, as one that it can hold and what is to be added.

    Raises:
        ValueError: it is none.
    """
    found = _OTHER_ISO.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    hour, minute, second, more = found["hour"], found["minute"], found["second"], _NO_TIME
    if (hour, minute, second) == ("24", "00", "00") and not (found["fraction"] or "").strip(".,0"):
        hour, more = "00", _DAY
    elif second == "60":  # Unix time has no such second: it is the one that follows
        second, more = "59", timedelta(seconds=1)
    zone = (found["zone"] or "").upper().replace("UTC", "Z")
    instant = datetime.fromisoformat(f"{found['day']}T{hour}:{minute}:{second}{found['fraction'] or ''}{zone}")
    if second != found["second"]:
        into_day = timedelta(hours=instant.hour, minutes=instant.minute) - (instant.utcoffset() or _NO_TIME)
        if into_day % _DAY != _LEAP_AT:
            raise ValueError(text)
    return instant, more


def field_names(sensors: Sensors) -> dict[str, str]:
    """The name of each sensor, which may be none that Python can have, by one that a field of a struct can have."""
    return {f"reading_{number}": name for number, name in enumerate(sensors.names)}


_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,25}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE: Final = frozenset(("nan", "inf", "infinity"))


def number_of_text(text: str) -> int | float | str:
    """The number that a text holds, in decimal; or the text, if it holds none.

    >>> number_of_text(" 1.5e3"), number_of_text("1_000")
    (1500.0, '1_000')
    """
    number = text.strip()
    if _INTEGER.fullmatch(number):
        return int(number)
    if _NUMBER.fullmatch(number) or number.lstrip("+-").lower() in _NOT_FINITE:
        return float(number)
    return text


_MISSING: Final = object()


def _at(found: Mapping[str, Any], path: str) -> Any:
    """What stands at a path: a field of that very name, or one of a nested object."""
    if path in found:
        return found[path]
    first, dot, rest = path.partition(".")
    if not dot or type(found.get(first)) is not dict:
        return _MISSING
    return _at(found[first], rest)
