"""The core alone, on one core of the machine: events in order, late ones, large windows, snapshots; and the ceiling."""

import sys
from collections.abc import Callable
from random import Random
from struct import pack
from time import perf_counter
from typing import Final

from window_core import DeviceWindow, Event, WindowSpec

__all__ = ["main"]

EVENTS: Final = 200_000
ROUNDS: Final = 5
"""Each figure is the median of these; the cases take turns, so that a busy moment of the machine meets all of them."""

PERIOD_MS: Final = 120_000
START_MS: Final = 1_587_920_555_000


def main() -> dict[str, float]:
    """Print the figures and give them: events/s by case."""
    cases: dict[str, Callable[[], float]] = {
        "in order, 300 held": lambda: rate(300),
        "20 % late, 300 held": lambda: rate(300, late_share=0.2),
        "in order, 3,000 held": lambda: rate(3_000),
        "in order, 300 held, 16 sensors": lambda: rate(300, sensors=16),
        "20 % late, 3,000 held": lambda: rate(3_000, late_share=0.2),
        "in order, 300 held, ticks": lambda: rate(300, tick_ms=300_000),
        "ceiling: copy of 24 bytes an event": ceiling,
    }
    rounds = [{name: case() for name, case in cases.items()} for _ in range(ROUNDS)]
    rates = {name: sorted(figures[name] for figures in rounds)[ROUNDS // 2] for name in cases}
    first = rates["in order, 300 held"]
    print(f"core: evaluations made, and their two columns read, one core, median of {ROUNDS} rounds")
    for name, figure in rates.items():
        print(f"  {name:<36}{figure:>14,.0f} events/s{figure / first:>8.2f} x the first")
    window = filled(300)
    size, held = len(window.snapshot()), held_bytes(window)
    print(f"  snapshot of 300 events: {size:,} bytes; in memory {held:,} bytes, {held / size:.2f} x")
    return rates


def filled(events: int, tick_ms: int = 0, sensors: int = 4) -> DeviceWindow:
    """A window that holds so many events, and evicts one for each further one."""
    spec = WindowSpec(interval_ms=PERIOD_MS * events - 1, tick_ms=tick_ms)
    window = DeviceWindow(spec, "device-1")
    for number in range(events):
        time_ms = START_MS + PERIOD_MS * number
        window.on_event(Event("device-1", time_ms, pack(f"<{sensors}f", *range(sensors))), time_ms)
    return window


def rate(held: int, late_share: float = 0.0, tick_ms: int = 0, sensors: int = 4) -> float:
    """Events/s of one device whose window is full, each evaluation read."""
    window = filled(held, tick_ms, sensors)
    random = Random(1)
    events = []
    for number in range(held, held + EVENTS):
        arrival_ms = time_ms = START_MS + PERIOD_MS * number
        if random.random() < late_share:
            time_ms -= random.randrange(1, (held - 1) * PERIOD_MS)
        row = pack(f"<{sensors}f", number, *range(1, sensors))
        events.append((Event("device-1", time_ms, row), arrival_ms))
    on_event = window.on_event
    start = perf_counter()
    for event, arrival_ms in events:
        for evaluation in on_event(event, arrival_ms):
            evaluation.window()  # type: ignore[union-attr]  # there is nothing to reject
    return EVENTS / (perf_counter() - start)


def ceiling() -> float:
    """Events/s if an event were nothing but a copy of its 24 bytes from here to there."""
    source, target = bytes(24), bytearray(24 * EVENTS)
    start = perf_counter()
    for row in range(0, 24 * EVENTS, 24):
        target[row : row + 24] = source
    return EVENTS / (perf_counter() - start)


def held_bytes(window: DeviceWindow) -> int:
    """What the interpreter holds for a window: the object, its columns, and their views."""
    columns = window._columns
    parts = [window, columns, columns.times, columns.rows, columns.views, *columns.views]
    return sum(map(sys.getsizeof, parts))
