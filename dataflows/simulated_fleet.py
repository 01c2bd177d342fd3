"""A fleet that does not exist: readings with everything that goes wrong in one that does."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Final

from dataflows.settings import SettingsError
from window_core import MAX_TIME_MS, Event, checked_event

__all__ = ["SimulatedFleet"]

_NETWORK_DELAY_MS: Final = 2_000
_LATE_MS: Final = (60_000, 3 * 3_600_000)
_TOO_LATE_BY_MS: Final = (1_000, 2 * 3_600_000)
_AHEAD_MS: Final = (600_000, 48 * 3_600_000)
_REPEATED_AFTER_MS: Final = (500, 120_000)


@dataclass(frozen=True, slots=True)
class SimulatedFleet:
    """What to simulate; the same numbers give the same readings. Shares are of all events, from 0 to 1.

    Attributes:
        devices: how many there are.
        duration_ms: how long they send.
        every_ms: time between two readings of a device.
        start_ms: when it begins, ms since the Unix epoch. Default: that of the original demo's client.
        interval_ms: length of the window, below which ``too_late`` events lie.
        late: share that is held up for a minute to three hours.
        too_late: share that is held up for longer than the interval.
        duplicates: share that is sent a second time.
        wrong_clock: share whose clock is ahead by ten minutes to two days.
        seed: of the random numbers.
    """

    devices: int = 50
    duration_ms: int = 86_400_000
    every_ms: int = 120_000
    start_ms: int = 1_587_920_555_000
    interval_ms: int = 36_000_000
    late: float = 0.05
    too_late: float = 0.005
    duplicates: float = 0.01
    wrong_clock: float = 0.005
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("devices", "duration_ms", "every_ms"):
            if getattr(self, name) < 1:
                raise SettingsError(f"--{name.removesuffix('_ms')} must be above 0")
        if self.start_ms < 0:
            raise SettingsError("--start must not be negative")
        if self.start_ms + self.duration_ms + self.interval_ms + 2 * _AHEAD_MS[1] > MAX_TIME_MS:
            raise SettingsError("--start and --duration reach beyond the year 9999")
        shares = (self.late, self.too_late, self.duplicates, self.wrong_clock)
        if not (all(share >= 0 for share in shares) and sum(shares) <= 1):  # false of what is no number, too
            raise SettingsError(
                "--late, --too-late, --duplicates and --wrong-clock are shares: from 0, together up to 1"
            )

    @property
    def events(self) -> int:
        """About how many events there will be; duplicates come on top."""
        return self.devices * (self.duration_ms // self.every_ms)

    def logged_events(self) -> Iterator[tuple[Event, int]]:
        """Each event with its arrival in ms, in the order of arrival."""
        random = Random(self.seed)
        under_way: list[tuple[int, int, Event]] = []
        sent = 0
        for step_ms in range(self.start_ms, self.start_ms + self.duration_ms, self.every_ms):
            for device in range(self.devices):
                time_ms = step_ms + device * self.every_ms // self.devices
                for event, arrival_ms in self._sent(random, device, time_ms):
                    heappush(under_way, (arrival_ms, sent, event))
                    sent += 1
            while under_way and under_way[0][0] <= step_ms:  # nothing sent from now on arrives before
                arrival_ms, _, event = heappop(under_way)
                yield event, arrival_ms
        while under_way:
            arrival_ms, _, event = heappop(under_way)
            yield event, arrival_ms

    def _sent(self, random: Random, device: int, time_ms: int) -> Iterator[tuple[Event, int]]:
        """One reading on its way, or two."""
        arrival_ms = time_ms + random.randrange(_NETWORK_DELAY_MS)
        fate = random.random()
        claimed_ms = time_ms
        is_repeated = False
        if fate < self.late:
            arrival_ms += random.randint(*_LATE_MS)
        elif (fate := fate - self.late) < self.too_late:
            arrival_ms += self.interval_ms + random.randint(*_TOO_LATE_BY_MS)
        elif (fate := fate - self.too_late) < self.wrong_clock:
            claimed_ms = arrival_ms + random.randint(*_AHEAD_MS)
        else:
            is_repeated = fate - self.wrong_clock < self.duplicates
        event = checked_event(f"device-{device:04d}", claimed_ms, _readings(random, device, time_ms))
        yield event, arrival_ms
        if is_repeated:
            yield event, arrival_ms + random.randint(*_REPEATED_AFTER_MS)


def _readings(random: Random, device: int, time_ms: int) -> list[float]:
    """A temperature in degrees Celsius, a pressure in hPa off the mean, a vibration in mm/s, a current in A."""
    day = 2 * math.pi * (time_ms % 86_400_000) / 86_400_000
    return [
        device % 7 - 3 + 15 * math.sin(day) + random.gauss(0, 0.5),
        12 * math.cos(day / 2 + device) + random.gauss(0, 1),
        abs(random.gauss(0, 0.02)),
        10 ** random.uniform(-3, 2),  # over decades, so that the order of summation would show
    ]
