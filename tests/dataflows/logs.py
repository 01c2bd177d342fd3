"""Logs that Hypothesis draws: every rule at its edge to the millisecond, and every kind of line."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st

from window_core import DEMO_SENSORS, MAX_TIME_MS, Sensors, WindowSpec
from window_core.device_window import first_tick_ms

__all__ = ["ANY_SENSORS", "DrawnLog", "drawn_logs", "specs"]

DEVICES = ("d1", "d2", "a/b/0", "Größe ☃ 𝄞", '\t"\\\u0000', "x" * 256, "é" * 128, " ")
READINGS = ("1", "1.0", "-0.0", "0", "-0", "0.1", "3.4028234e38", "1e-45", "-1e-30", "16777217", "12345678901234567890")
ANY_SENSORS = tuple(
    Sensors.of(names)
    for names in (
        DEMO_SENSORS.names,
        ["celsius"],
        ["door?"],
        ["temperature", "door?", "a-b.c", "class", "_?", "x" * 64],
        [f"s{number}{'?' * (number % 4 == 2)}" for number in range(16)],
    )
)
"""Few lists, since each needs services of its own: 1 to 16 sensors, and names that no attribute can have."""

NOISE = (
    b"", b"   ", b"\t\r", b"{", b"null", b"[1]", b"\xff\xfe", b'{"device_id":"d1"}', b"\xef\xbb\xbf{}",
    b'{"device_id":"d1","time":1.0,%s}',
    b'{"device_id":"","time":1,%s}',
    b'{"device_id":"d1","time":-1,%s}',
    b'{"device_id":"d1","time":1,%s,"x":"\xff"}',
    b'{"device_id":"\\ud800","time":1,%s}',
)  # fmt: skip
"""Lines that are no event, or an odd one; in some, there stand the readings of one."""

WRONG_READINGS = ("1e39", "-1e400", "NaN", "true", '"1"', "[]", "null")
"""In place of the last one; a null is one that may be absent."""

ENDS = (b"\n", b"\n", b"\n", b"\r\n", b" \n")
STARTS_MS = (0, 5, 1_000_000, 1_587_920_555_000, MAX_TIME_MS - 300)


@dataclass(frozen=True)
class DrawnLog:
    """The bytes of a file, under which spec it is read, and up to when."""

    data: bytes
    spec: WindowSpec
    until_ms: int | None
    devices: frozenset[str]
    sensors: Sensors


@st.composite
def specs(draw: st.DrawFn, *, with_ticks: bool = True) -> WindowSpec:
    """Numbers so small that every edge is near."""
    idle_after_ms = draw(st.sampled_from((0, 1, 7, 40)))
    more_ms = draw(st.sampled_from((0, 1, 30, 200))) if with_ticks else 10**15
    return WindowSpec(
        interval_ms=draw(st.sampled_from((1, 10, 50))),
        tick_ms=draw(st.sampled_from((3, 10, 60, 0))) if with_ticks else 0,
        idle_after_ms=idle_after_ms,
        forget_after_ms=idle_after_ms + more_ms,
        max_ahead_ms=draw(st.sampled_from((0, 5, 100))),
        max_events=draw(st.sampled_from((1, 2, 5, 100))),
    )


@dataclass
class _Writer:
    """Writes lines, and knows where the edges are."""

    spec: WindowSpec
    sensors: Sensors
    random: Random
    now_ms: int
    lines: list[bytes] = field(default_factory=list)
    newest_ms: dict[str, int] = field(default_factory=dict)
    heard_ms: dict[str, int] = field(default_factory=dict)
    bodies: list[tuple[str, int, list[str | None]]] = field(default_factory=list)

    def write(self, devices: list[str], gaps: bool, goes_back: bool) -> None:
        random, spec = self.random, self.spec
        device_id = random.choice(devices)
        if gaps or random.random() < 0.3:
            self.now_ms = max(0, self._arrival_ms(device_id, goes_back))
        if random.random() < 0.12:
            self._end_line(self._noise())
            return
        if self.bodies and random.random() < 0.15:
            device_id, time_ms, readings = random.choice(self.bodies)
        else:
            newest_ms = self.newest_ms.get(device_id, self.now_ms)
            edges = (
                self.now_ms, newest_ms, newest_ms - 1, newest_ms + 1, newest_ms - spec.interval_ms,
                newest_ms - spec.interval_ms - 1, self.now_ms + spec.max_ahead_ms, self.now_ms + spec.max_ahead_ms + 1,
                newest_ms - spec.interval_ms // 2, newest_ms + spec.interval_ms, newest_ms + spec.interval_ms + 1,
            )  # fmt: skip
            time_ms = max(0, random.choice(edges))
            readings = self._readings()
        self._write_event(device_id, time_ms, readings)

    def _noise(self) -> bytes:
        random, names = self.random, self.sensors.names
        if random.random() < 0.2:
            readings = [*("1" for _ in names[1:]), random.choice(WRONG_READINGS)]
            return b'{"device_id":"d1","time":1,%s}' % _fields(names, readings).encode()
        noise = random.choice(NOISE)
        return noise % (_fields(names, self._readings()) or '"x":1').encode() if b"%s" in noise else noise

    def _readings(self) -> list[str | None]:
        """As JSON writes them; ``None``: the field is left out."""
        random = self.random
        absent = random.choice(((), (), (None,), ("null",), ("null", None)))
        readings: list[str | None] = [random.choice(READINGS) for _ in self.sensors.names]
        for number in (number for number, is_optional in enumerate(self.sensors.optional) if is_optional and absent):
            readings[number] = random.choice((*absent, readings[number]))
        return readings

    def _arrival_ms(self, device_id: str, goes_back: bool) -> int:
        random, spec, now_ms = self.random, self.spec, self.now_ms
        if goes_back and random.random() < 0.4:
            return now_ms - random.choice((1, 5, 60, 500))
        heard_ms = self.heard_ms.get(device_id, now_ms)
        tick_ms = first_tick_ms(spec, device_id, now_ms) if spec.tick_ms else now_ms
        edges = [tick_ms - 1, tick_ms, tick_ms + 1, heard_ms + spec.idle_after_ms, heard_ms + spec.idle_after_ms + 1]
        edges += [first_tick_ms(spec, device_id, heard_ms + spec.idle_after_ms)] if spec.tick_ms else []
        if spec.forget_after_ms < 1_000:
            edges += [heard_ms + spec.forget_after_ms, heard_ms + spec.forget_after_ms + 1]
        edges += [now_ms + gap_ms for gap_ms in (0, 1, 2, spec.interval_ms, spec.tick_ms, 17)]
        return random.choice([edge_ms for edge_ms in edges if edge_ms >= now_ms])

    def _write_event(self, device_id: str, time_ms: int, readings: list[str | None]) -> None:
        random = self.random
        arrival = f',"arrival":{self.now_ms}' if random.random() < 0.9 else ""
        further = random.choice(("", "", "", ',"x":[{"y":null}]', ',"time2":"\\ud800"'))
        encoded_id = json.dumps(device_id, ensure_ascii=random.random() < 0.5)
        fields = f",{_fields(self.sensors.names, readings)}".rstrip(",")
        self._end_line(f'{{"device_id":{encoded_id},"time":{time_ms}{fields}{arrival}{further}}}'.encode())
        self.bodies.append((device_id, time_ms, readings))
        if not arrival:
            self.now_ms = max(self.now_ms, time_ms)
        if time_ms <= self.now_ms + self.spec.max_ahead_ms:
            self.newest_ms[device_id] = max(time_ms, self.newest_ms.get(device_id, 0))
            self.heard_ms[device_id] = self.now_ms

    def _end_line(self, line: bytes) -> None:
        self.lines.append(line + self.random.choice(ENDS))


def _fields(names: Sequence[str], readings: Sequence[str | None]) -> str:
    """The readings of an event, as they stand in its object."""
    named = zip(names, readings, strict=True)
    return ",".join(f'"{name}":{reading}' for name, reading in named if reading is not None)


@st.composite
def drawn_logs(
    draw: st.DrawFn,
    *,
    goes_back: bool = False,
    with_ticks: bool = True,
    lines: int = 60,
    sensors: Sequence[Sensors] = (DEMO_SENSORS,),
) -> DrawnLog:
    """A log of a few devices. Arrivals go back only where asked for."""
    spec, of_sensors = draw(specs(with_ticks=with_ticks)), draw(st.sampled_from(sensors))
    writer = _Writer(spec, of_sensors, draw(st.randoms(use_true_random=False)), 0)
    writer.now_ms = draw(st.sampled_from(STARTS_MS))
    devices = draw(st.lists(st.sampled_from(DEVICES), min_size=1, max_size=4, unique=True))
    number = draw(st.integers(0, lines))
    gaps = draw(st.booleans())
    arrivals_ms = [writer.now_ms]
    for _ in range(number):
        writer.write(devices, gaps, goes_back)
        arrivals_ms.append(writer.now_ms)
    data = b"".join(writer.lines)
    if draw(st.booleans()):
        data = data.removesuffix(b"\n")
    until_ms = draw(st.none() | st.sampled_from(arrivals_ms))
    if until_ms is not None:
        until_ms = min(max(0, until_ms + draw(st.sampled_from((-1, 0, 1, 50)))), MAX_TIME_MS)
    return DrawnLog(data, writer.spec, until_ms, frozenset(devices), writer.sensors)
