"""Logs that Hypothesis draws: every rule at its edge to the millisecond, and every kind of record.

The core runs along while a log is drawn, only to know where its edges are now; what has to come out is told elsewhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.parity.logs import EventRecord, Heartbeat, Log, OddRecord, Record, fields_of
from window_core import DEMO_SENSORS, MAX_TIME_MS, DeviceWindow, Evaluation, Event, Sensors, WindowSpec

__all__ = ["drawn_logs", "drawn_sensors", "logs"]

Value = TypeVar("Value")
Choose = Callable[[Any], Any]

_START_MS: Final = 1_000_000
"""Where a drawn log begins, before it is shifted: no time that is drawn lies below 0."""

DEVICES: Final = (
    "d1", "pump-7", "a/b/0", "/", " ", "Größe ☃ 𝄞", '\t"\\\u0000', "e\u0301", "\u00e9", "\u0301", "\u202eabc", "null",
    "0", "x" * 256, "é" * 128, "👩‍🔧",
)  # fmt: skip
"""Ids with the separator of evaluation ids, with what JSON escapes, two that look the same, and the longest."""

READINGS: Final = (
    "1", "2", "-0.0", "0", "0.1", "16777217", "1e-45", "-1e-30", "3.4028234e38", "1.25e7", "-7.000001", "33.3333",
    "12345678901234567890",
)  # fmt: skip
"""Over many decades, so that the order of a sum would show; 0 and -0.0 are equal but not the same bits."""

Odd = tuple[bytes, str | None]

_NO_EVENTS: Final[tuple[Odd, ...]] = (
    (b"", None),
    (b"   \t", None),
    (b"{", "not_an_event"),
    (b"null", "not_an_event"),
    (b"[1]", "not_an_event"),
    (b"\xff\xfe\x00", "not_an_event"),
    (b'{"device_id":"d1"}', "not_an_event time"),
    (b"[" * 2_000, "not_an_event"),
)

_WITH_READINGS: Final[tuple[Odd, ...]] = (
    (b'{"device_id":"d1","time":1%s,"x":"\xff"}', "not_an_event"),
    (b'{"device_id":"d1","time":1%s}{}', "not_an_event"),
    (b'{"device_id":"d1","time":NaN%s}', "wrong_type time"),
    (b'{"device_id":"d1","time":1.5%s}', "wrong_type time"),
    (b'{"device_id":7,"time":1%s}', "wrong_type device_id"),
    (b'{"device_id":""%s,"time":1}', "device_id device_id"),
    (b'{"device_id":"' + b"x" * 257 + b'","time":1%s}', "device_id device_id"),
    (b'{"device_id":"\\ud800","time":1%s}', "device_id device_id"),
    (b'{"device_id":"d1","time":-1%s}', "time time"),
    (b'{"device_id":"d1","time":253402300800000%s}', "time time"),
)

_WRONG_READINGS: Final = (
    ("true", "wrong_type"), ('"1"', "wrong_type"), ("1e39", "sensor"), ("9" * 400, "sensor"), ("-Infinity", "sensor"),
    ("NaN", "sensor"),
)  # fmt: skip
"""What no reading may be, also one that may be absent."""

_LINES: Final[tuple[Odd, ...]] = (
    (b'{"device_id":"d1","time":1%s,"arrival":1.5}', "wrong_type arrival"),
    (b'{"device_id":"d1","time":1%s,"arrival":-1}', "time arrival"),
)


@cache
def odd_values(sensors: Sensors) -> tuple[Odd, ...]:
    """What is no event of these sensors, and the error that it has, with the field at fault behind it."""
    ones = ["1"] * sensors.width
    odd = [*_NO_EVENTS, *((value % fields_of(sensors, ones).encode(), error) for value, error in _WITH_READINGS)]
    for place, (wrong, error) in zip(_places(sensors), _WRONG_READINGS * 2, strict=False):
        readings = [*ones[:place], wrong, *ones[place + 1 :]]
        odd.append((_with(sensors, readings), f"{error} {sensors.names[place]}"))
    for place, name in enumerate(sensors.names):
        if not sensors.optional[place]:
            odd.append((_with(sensors, [*ones[:place], None, *ones[place + 1 :]]), f"not_an_event {name}"))
            odd.append((_with(sensors, [*ones[:place], "null", *ones[place + 1 :]]), f"wrong_type {name}"))
            break
    return tuple(odd)


@cache
def odd_lines(sensors: Sensors) -> tuple[Odd, ...]:
    """The same for what only a line of a file can be."""
    ones = fields_of(sensors, ["1"] * sensors.width).encode()
    return tuple((value % ones, error) for value, error in _LINES)


def _places(sensors: Sensors) -> list[int]:
    """Where wrong readings stand: the first and the last sensor, and those between, in turns."""
    return [number * (sensors.width - 1) // 3 for number in (0, 3, 1, 2, 3, 0, 2, 1)]


def _with(sensors: Sensors, readings: Sequence[str | None]) -> bytes:
    return b'{"device_id":"d1","time":1%s}' % fields_of(sensors, readings).encode()


_DRAWN_EACH: Final = 4
"""Readings that are drawn one by one: more would only cost time."""

NO_TIMES_MS: Final = (-1, MAX_TIME_MS + 1, 1_587_920_555_000_000)
"""Arrivals that are no times; one is in microseconds."""


@dataclass
class _Drawing:
    """One log while it is drawn."""

    spec: WindowSpec
    sensors: Sensors
    devices: list[str]
    now_ms: int = _START_MS
    clock_ms: int = 0
    records: list[Record] = field(default_factory=list)
    windows: dict[str, DeviceWindow] = field(default_factory=dict)
    accepted_ms: dict[str, int] = field(default_factory=dict)
    newest_ms: dict[str, int] = field(default_factory=dict)
    sent: list[EventRecord] = field(default_factory=list)

    def later(self, choose: Choose, device_id: str) -> int:
        """An arrival around which the clock of a device does something, or soon."""
        spec, now_ms = self.spec, self.now_ms
        accepted_ms = self.accepted_ms.get(device_id, now_ms)
        limits = [now_ms + spec.interval_ms, now_ms + spec.tick_ms]
        longest_ms = 100 * spec.interval_ms + 10_000  # a log must not spread over weeks of ticks
        limits += [accepted_ms + spec.idle_after_ms] if spec.idle_after_ms < longest_ms else []
        limits += [accepted_ms + spec.forget_after_ms] * 2 if spec.forget_after_ms < longest_ms else []
        window = self.windows.get(device_id)
        wakeup_ms = None if window is None else window.next_wakeup_ms()
        if wakeup_ms is not None and wakeup_ms < now_ms + 10 * spec.interval_ms + 10_000:
            limits += [wakeup_ms] * 3
        instant_ms: int = choose(limits) + choose((-1, 0, 1))
        return max(now_ms, instant_ms)

    def time(self, choose: Choose, device_id: str) -> int:
        """A time at which the answer to an event changes."""
        spec, now_ms = self.spec, self.now_ms
        newest_ms = self.newest_ms.get(device_id, now_ms)
        limits = (
            now_ms, now_ms, newest_ms, newest_ms, newest_ms - spec.interval_ms, newest_ms - spec.interval_ms,
            newest_ms - spec.interval_ms // 2, newest_ms + spec.interval_ms, now_ms + spec.max_ahead_ms,
            now_ms - spec.interval_ms, now_ms + 50 * spec.interval_ms,
        )  # fmt: skip
        time_ms: int = choose(limits) + choose((0, 0, -1, 1, 2))
        return max(0, time_ms)

    def readings(self, choose: Choose) -> tuple[str | None, ...]:
        """One reading for each sensor: the first ones any, the others by turns; some of those absent that may be."""
        drawn = [choose(READINGS) for _ in self.sensors.names[:_DRAWN_EACH]]
        turn = choose(range(len(READINGS))) if self.sensors.width > _DRAWN_EACH else 0
        drawn += [READINGS[(turn + 5 * place) % len(READINGS)] for place in range(self.sensors.width - len(drawn))]
        optional = [place for place, is_optional in enumerate(self.sensors.optional) if is_optional]
        how_many = choose(("none",) * 6 + ("one",) * 4 + ("all",)) if optional else "none"
        absent = {"none": [], "one": [choose(optional)] if how_many == "one" else [], "all": optional}[how_many]
        for place in absent:
            drawn[place] = choose((None, "null"))
        return tuple(drawn)

    def send(self, record: EventRecord) -> None:
        """Add an event, and let the core show where the edges are then."""
        self.records.append(record)
        self.sent.append(record)
        window = self.windows.setdefault(record.device_id, DeviceWindow(self.spec, record.device_id))
        if record.key != "own" or record.no_time_ms is not None:
            return
        self.clock_ms = max(self.clock_ms, record.arrival_ms)
        readings = [None if reading in (None, "null") else float(reading) for reading in record.readings]
        event = Event(record.device_id, record.time_ms, self.sensors.row(readings))
        *_, output = window.on_event(event, self.clock_ms)
        if isinstance(output, Evaluation):
            self.accepted_ms[record.device_id] = output.as_of_ms
            self.newest_ms[record.device_id] = output.newest_ms


@st.composite
def logs(
    draw: st.DrawFn, spec: WindowSpec, sensors: Sensors = DEMO_SENSORS, *, goes_back: bool = False, most: int = 45
) -> Log:
    """A log of one to three devices under a spec. Arrivals go back, jump or are no time only where asked for."""

    def choose(values: Any) -> Any:
        return values[draw(st.integers(0, len(values) - 1))]

    others = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)
    devices = draw(st.lists(st.sampled_from(DEVICES) | others, min_size=1, max_size=3, unique=True))
    drawing = _Drawing(spec, sensors, devices)
    pace = choose(("burst", "edges", "both"))
    for _ in range(draw(st.integers(1, most))):
        device_id = choose(devices)
        if pace == "edges" or (pace == "both" and choose((True, False, False))):
            drawing.now_ms = drawing.later(choose, device_id)
        arrival_ms = drawing.now_ms
        no_time_ms = None
        if goes_back and choose((True, False, False)):
            arrival_ms -= choose((1, 2, spec.interval_ms, 500))
        elif goes_back and choose((True,) + (False,) * 12):
            arrival_ms += choose((3, spec.interval_ms, spec.tick_ms, min(spec.idle_after_ms, 500)))
        elif goes_back and choose((True,) + (False,) * 12):
            no_time_ms = choose(NO_TIMES_MS)
        _draw_record(drawing, choose, device_id, arrival_ms, no_time_ms)
        drawing.now_ms += choose((0, 0, 1, 3))
    return tuple(drawing.records)


def _draw_record(
    drawing: _Drawing, choose: Choose, device_id: str, arrival_ms: int, no_time_ms: int | None = None
) -> None:
    kind = choose(("event",) * 16 + ("again",) * 2 + ("odd", "heartbeat"))
    if kind == "heartbeat":
        drawing.records.append(Heartbeat(arrival_ms, no_time_ms))
    elif kind == "odd":
        is_line = choose((False,) * 9 + (True,))
        data, error = choose((odd_lines if is_line else odd_values)(drawing.sensors))
        drawing.records.append(OddRecord(data, error, arrival_ms, choose(("", device_id)), is_line, no_time_ms))
    elif kind == "again" and drawing.sent:
        again = choose(drawing.sent[-6:])
        form = choose((0, 1, 2, 3))
        drawing.send(again._replace(arrival_ms=arrival_ms, says_arrival=True, form=form, no_time_ms=no_time_ms))
    else:
        time_ms = drawing.time(choose, device_id)
        readings = drawing.readings(choose)
        says_arrival = (
            arrival_ms != drawing.now_ms
            or no_time_ms is not None
            or time_ms > arrival_ms
            or choose((True,) * 7 + (False,))
        )
        key = choose(("own",) * 30 + ("other", "none"))
        form = choose((0, 1, 2, 3))
        drawing.send(EventRecord(device_id, time_ms, readings, arrival_ms, says_arrival, form, key, no_time_ms))


def drawn_logs(
    number: int, of_seed: int, spec: WindowSpec, sensors: Sensors = DEMO_SENSORS, *, goes_back: bool = False
) -> list[Log]:
    """So many logs, the same for the same seed."""
    drawn: list[Log] = []

    @seed(of_seed)
    @settings(
        max_examples=number, phases=[Phase.generate], database=None, deadline=None, derandomize=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(logs(spec, sensors, goes_back=goes_back))
    def draw(log: Log) -> None:
        drawn.append(log)

    draw()
    return drawn


NAMES: Final = (
    "celsius", "bar", "door", "a-b.c", "class", "_", "sensor1", "x" * 64, "Volt", "volt", "f32", "id", "event",
    "features", "model_id", "position",
)  # fmt: skip
"""Names of sensors: some that no attribute can have, two that differ in case alone, and those of fields of outputs."""


def drawn_sensors(of_seed: int, fewest: int, most: int) -> Sensors:
    """Some sensors, the same for the same seed; of several, one to half of them may be absent."""
    random = Random(of_seed)
    names = random.sample(NAMES, random.randint(fewest, most))
    how_many = random.randint(1, len(names) // 2) if len(names) > 1 else random.randint(0, 1)
    optional = random.sample(names, how_many)
    return Sensors.of([f"{name}?" if name in optional else name for name in names])
