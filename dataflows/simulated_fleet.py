"""A simulated fleet: readings with everything that goes wrong in a real one."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Final

from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout
from runtime.errors import SettingsError
from runtime.settings import setting
from window_core import DEMO_SENSORS, MAX_TIME_MS, Event, Sensors, checked_event

__all__ = ["DEMO_START_MS", "SimulatedFleet"]

DEMO_START_MS: Final = 1_587_920_555_000
"""The first reading that the original demo's client sends."""

_ABSENT: Final = 0.1
_NETWORK_DELAY_MS: Final = 2_000
_LATE_MS: Final = (60_000, 3 * 3_600_000)
_TOO_LATE_BY_MS: Final = (1_000, 2 * 3_600_000)
_AHEAD_MS: Final = (600_000, 48 * 3_600_000)
_REPEATED_AFTER_MS: Final = (500, 120_000)


@dataclass(frozen=True, slots=True)
class SimulatedFleet:
    """What to simulate; the same numbers give the same readings. Shares are of all events, together at most 1."""

    devices: int = setting(50, "Number of devices in the fleet.", kind="integer")
    duration_ms: int = setting(86_400_000, "Time for which the devices send.", flag="--duration", kind="duration")
    every_ms: int = setting(120_000, "Time between two readings of a device.", flag="--every", kind="duration")
    start_ms: int = setting(
        DEMO_START_MS,
        "Time of the first reading, in ms since the Unix epoch. Default: that of the original demo's client.",
        flag="--start",
        kind="integer",
        shows="MS",
    )
    interval_ms: int = setting(
        36_000_000, "Length of the window; what is older is too late.", flag="--interval", kind="duration"
    )
    late: float = setting(0.05, "Share of events that arrive a minute to three hours late.", kind="share")
    too_late: float = setting(0.005, "Share of events that arrive too late for the window.", kind="share")
    duplicates: float = setting(0.01, "Share of events that are sent twice.", kind="share")
    wrong_clock: float = setting(
        0.005, "Share of events with a clock that is ahead by ten minutes to two days.", kind="share"
    )
    seed: int = setting(1, "Seed of the random numbers; the same seed gives the same events.", kind="integer")
    sensors: tuple[str, ...] = setting(
        DEMO_SENSORS.declared,
        "Readings of an event, up to 64; one with a question mark behind its name is absent now and then.",
        kind="names",
        shows="NAME[?][,...]",
    )

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
    def codec(self) -> EventCodec:
        """Encodes its events."""
        return EventCodec(EventLayout(Sensors.of(self.sensors)))

    @property
    def events(self) -> int:
        """About how many events there will be; duplicates come on top."""
        return self.devices * (self.duration_ms // self.every_ms)

    def logged_events(self) -> Iterator[tuple[Event, int]]:
        """Each event with its arrival in ms, in the order of arrival."""
        random = Random(self.seed)
        sensors = Sensors.of(self.sensors)
        under_way: list[tuple[int, int, Event]] = []
        sent = 0
        for step_ms in range(self.start_ms, self.start_ms + self.duration_ms, self.every_ms):
            for device in range(self.devices):
                time_ms = step_ms + device * self.every_ms // self.devices
                for event, arrival_ms in self._sent(random, sensors, device, time_ms):
                    heappush(under_way, (arrival_ms, sent, event))
                    sent += 1
            while under_way and under_way[0][0] <= step_ms:  # nothing sent from now on arrives before
                arrival_ms, _, event = heappop(under_way)
                yield event, arrival_ms
        while under_way:
            arrival_ms, _, event = heappop(under_way)
            yield event, arrival_ms

    def _sent(self, random: Random, sensors: Sensors, device: int, time_ms: int) -> Iterator[tuple[Event, int]]:
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
        event = checked_event(sensors, f"device-{device:04d}", claimed_ms, _readings(random, sensors, device, time_ms))
        yield event, arrival_ms
        if is_repeated:
            yield event, arrival_ms + random.randint(*_REPEATED_AFTER_MS)


def _readings(random: Random, sensors: Sensors, device: int, time_ms: int) -> list[float | None]:
    """A temperature in degrees Celsius, a pressure in hPa off the mean, a vibration in mm/s, a current in A, again and
    again; an optional one is absent once in ten times."""
    day = 2 * math.pi * (time_ms % 86_400_000) / 86_400_000
    readings: list[float | None] = []
    while len(readings) < sensors.width:
        readings += (
            device % 7 - 3 + 15 * math.sin(day) + random.gauss(0, 0.5),
            12 * math.cos(day / 2 + device) + random.gauss(0, 1),
            abs(random.gauss(0, 0.02)),
            10 ** random.uniform(-3, 2),  # over decades, so that the order of summation would show
        )
    return [
        None if is_optional and random.random() < _ABSENT else reading
        for reading, is_optional in zip(readings, sensors.optional, strict=False)
    ]
