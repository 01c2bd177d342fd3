"""Which readings an event has, and how a row of them lies in memory."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from struct import Struct
from struct import error as struct_error
from typing import Final, Self, TypeAlias

__all__ = ["DEMO_SENSORS", "MAX_SENSORS", "NotFiniteError", "Sensors", "SensorsError"]

MAX_SENSORS: Final = 64

_OPTIONAL: Final = "?"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_FLOAT32: Final = Struct("<f")

Reading: TypeAlias = float | None
"""Of an optional sensor ``None`` where it is absent."""


class SensorsError(ValueError):
    """Some names are no list of sensors; the message says why."""


class NotFiniteError(ValueError):
    """A reading is not finite as a float32.

    Attributes:
        sensor: the first such sensor.
    """

    def __init__(self, sensor: str) -> None:
        super().__init__(sensor)
        self.sensor = sensor


@dataclass(frozen=True, slots=True)
class Sensors:
    """The readings of an event, 1 to 64, in the order of a row; made by ``of``.

    A row is their float32 values, little-endian, one behind the other. An absent reading is the NaN 0x7FC00000.

    Attributes:
        names: each once, ``[A-Za-z_][A-Za-z0-9_.-]{0,63}``.
        optional: for each, whether an event may be without it.
        row_bytes: of a row: 4 for each sensor.
    """

    names: tuple[str, ...]
    optional: tuple[bool, ...]
    row_bytes: int = field(init=False, compare=False)
    _row: Struct = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.names:
            raise SensorsError("there is no sensor")
        if len(self.names) > MAX_SENSORS:
            raise SensorsError(f"there may be {MAX_SENSORS} sensors at most, not {len(self.names)}")
        for name in self.names:
            if not _NAME.fullmatch(name):
                raise SensorsError(f"the name of a sensor is letters, digits and _.-, 64 at most, not {name!r}")
            if self.names.count(name) > 1:
                raise SensorsError(f"sensor {name} is named twice")
        object.__setattr__(self, "row_bytes", 4 * len(self.names))
        object.__setattr__(self, "_row", Struct(f"<{len(self.names)}f"))

    @classmethod
    def of(cls, declared: Sequence[str]) -> Self:
        """The sensors of some names; a question mark behind a name makes it optional.

        Raises:
            SensorsError: there are too few or too many, one is no name, or one is named twice.

        >>> Sensors.of(["temperature", "door?"]).optional
        (False, True)
        """
        names = tuple(name.removesuffix(_OPTIONAL) for name in declared)
        return cls(names, tuple(name.endswith(_OPTIONAL) for name in declared))

    @property
    def declared(self) -> tuple[str, ...]:
        """The names as ``of`` takes them."""
        pairs = zip(self.names, self.optional, strict=True)
        return tuple(f"{name}{_OPTIONAL if is_optional else ''}" for name, is_optional in pairs)

    @property
    def width(self) -> int:
        """How many they are."""
        return len(self.names)

    def __str__(self) -> str:
        return ", ".join(self.declared)

    def row(self, readings: Sequence[Reading]) -> bytes:
        """Numbers, one for each sensor, as a row of float32; a reading that is ``None`` is absent.

        Raises:
            NotFiniteError: one of them is not finite, or not as a float32.
        """
        there = [0.0 if reading is None else reading for reading in readings] if None in readings else readings
        try:
            row = self._row.pack(*there)
        except (OverflowError, struct_error):  # above the largest float32; an integer above the largest double
            raise NotFiniteError(self._first_not_finite(there)) from None
        if not isfinite(sum(there)):  # type: ignore[arg-type]  # 64 float32 values do not overflow a double
            raise NotFiniteError(self._first_not_finite(there))
        if there is readings:
            return row
        return self._row.pack(*[nan if reading is None else reading for reading in readings])

    def rows(self, columns: Sequence[Sequence[float]]) -> list[bytes] | None:
        """Many rows at once: of each sensor its readings, all of them there; ``None``: not all are finite float32.

        >>> Sensors.of(["a", "b"]).rows([[1.0, 2.0], [0.5, 0.25]]) == [
        ...     Sensors.of(["a", "b"]).row(readings) for readings in ([1.0, 0.5], [2.0, 0.25])
        ... ]
        True
        """
        try:
            rows = list(map(self._row.pack, *columns))
        except OverflowError:
            return None
        return rows if isfinite(sum(map(sum, columns))) else None

    def readings(self, row: bytes) -> tuple[float, ...]:
        """The float32 values of a row as the doubles they equal; NaN where a reading is absent."""
        return self._row.unpack(row)

    def _first_not_finite(self, readings: Sequence[Reading]) -> str:
        return next(name for name, one in zip(self.names, readings, strict=True) if not _is_finite(one))


def _is_finite(reading: Reading) -> bool:
    try:
        return isfinite(_FLOAT32.unpack(_FLOAT32.pack(reading))[0])
    except (OverflowError, struct_error):
        return False


DEMO_SENSORS: Final = Sensors.of(("sensor1", "sensor2", "sensor3", "sensor4"))
"""Those of the original demo."""
