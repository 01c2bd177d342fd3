"""The numbers a window is governed by, checked once, before any event is seen."""

from dataclasses import dataclass, fields

__all__ = ["WindowSpec"]


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """Six numbers that fix every rule of a window; durations in ms.

    Attributes:
        interval_ms: length of the window; both ends belong to it. Default: the ten hours of the original demo.
        tick_ms: time between two periodic evaluations; 0 turns them off. Default: the five minutes of the demo.
        idle_after_ms: a device silent for longer has no ticks. Default: one interval; then its window is history.
        forget_after_ms: a device silent for longer loses its state. Default: a week, so that a weekend is survived.
        max_ahead_ms: how far an event may be ahead of its arrival. Default: far above the drift of a kept clock.
        max_events: events a window may hold, a bound on memory: 2.4 MB at the default of 100,000 and four sensors.

    >>> WindowSpec(interval_ms=0)
    Traceback (most recent call last):
    ValueError: interval_ms must be above 0, not 0
    """

    interval_ms: int = 36_000_000
    tick_ms: int = 300_000
    idle_after_ms: int = 36_000_000
    forget_after_ms: int = 604_800_000
    max_ahead_ms: int = 300_000
    max_events: int = 100_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int:
                raise ValueError(f"{field.name} must be an integer, not {value!r}")
            if value < 0:
                raise ValueError(f"{field.name} must not be negative, not {value}")
        for name in ("interval_ms", "max_events"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name} must be above 0, not 0")
        if self.forget_after_ms < self.idle_after_ms:
            raise ValueError(f"forget_after_ms is {self.forget_after_ms}, below idle_after_ms, {self.idle_after_ms}")
