"""The numbers of a window, as a run is given them."""

from dataclasses import asdict, dataclass
from typing import Final

from runtime.durations import duration_text
from runtime.errors import SettingsError
from runtime.settings import flag_of, setting
from window_core import WindowSpec

__all__ = ["WindowSettings"]

_SPEC: Final = WindowSpec()


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """What a window holds and when it is evaluated; ``WindowSpec`` has the rules."""

    interval_ms: int = setting(_SPEC.interval_ms, "Length of the window.", flag="--interval", kind="duration")
    tick_ms: int = setting(
        _SPEC.tick_ms, "Time between two periodic evaluations of a device; 0 turns them off.", flag="--tick",
        kind="duration",
    )  # fmt: skip
    idle_after_ms: int = setting(
        _SPEC.idle_after_ms, "A device that is silent for longer has no periodic evaluations.", flag="--idle-after",
        kind="duration",
    )  # fmt: skip
    forget_after_ms: int = setting(
        _SPEC.forget_after_ms, "A device that is silent for longer expires: its state is removed.",
        flag="--forget-after", kind="duration",
    )  # fmt: skip
    max_ahead_ms: int = setting(
        _SPEC.max_ahead_ms, "How far the time of an event may be ahead of its arrival.", flag="--max-ahead",
        kind="duration",
    )  # fmt: skip
    max_events: int = setting(
        _SPEC.max_events, "Events that the window of one device may hold, at 24 bytes each.", kind="integer"
    )

    def __post_init__(self) -> None:
        if self.forget_after_ms < self.idle_after_ms:
            forget, idle = duration_text(self.forget_after_ms), duration_text(self.idle_after_ms)
            raise SettingsError(f"--forget-after is {forget}, below --idle-after, {idle}")
        try:
            _ = self.spec
        except ValueError as error:
            name, _, rest = str(error).partition(" ")
            raise SettingsError(f"{flag_of(WindowSettings, name)} {rest}") from None

    @property
    def spec(self) -> WindowSpec:
        """The same numbers as the core takes them."""
        return WindowSpec(**asdict(self))
