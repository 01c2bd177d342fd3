"""What the drawn logs reach: a rule that is never met is not tested, however many steps there are."""

from collections import Counter
from random import Random

from tests.window_core.drawing import DEVICES, SENSORS, arrivals_to_choose, events_to_choose, row_of, spec_of
from tests.window_core.pair import Pair
from window_core import CAUSES, REASONS, Event

LOGS = 120
STEPS = 50
"""Of one log. Long logs cost the oracle much and meet no more limits than short ones."""

REACHED = {
    *CAUSES,
    *({*REASONS} - {"INVALID", "REFUSED"}),  # which are not the core's
    "idle",
    "forgotten",
    "tie",
    "on the lower end",
    "too late by 1 ms",
    "arrival at a tick",
    "tick at the idle limit",
    "idle by 1 ms",
    "0 ms beyond the forget limit",
    "1 ms beyond the forget limit",
}


def walk(random: Random, counts: Counter) -> None:
    """One log of the fleet, drawn from a seed."""
    spec = spec_of(random.choice)
    sensors = random.choice(SENSORS)
    pairs = {device_id: Pair(spec, device_id, counts) for device_id in DEVICES}
    earliest_ms = 1_000
    for _ in range(STEPS):
        counts["steps"] += 1
        pair = pairs[random.choice(DEVICES)]
        arrivals = arrivals_to_choose(spec, pair.device_id, pair.oracle, earliest_ms)
        earliest_ms = random.choice(arrivals)
        what = random.random()
        if what < 0.1:
            for each in pairs.values():
                each.on_clock(earliest_ms)
            earliest_ms += 1
        elif what < 0.2:
            pair.restore()
        else:
            time_ms, twins = random.choice(events_to_choose(spec, pair.oracle, earliest_ms))
            new = Event(pair.device_id, time_ms, row_of(sensors, random.choice))
            pair.on_event(random.choice([*twins, new]), earliest_ms)
    for pair in pairs.values():
        pair.finish(earliest_ms, by_records_alone=True)


def test_thousands_of_drawn_steps_meet_every_cause_reason_and_limit() -> None:
    random, counts = Random(20_200_426), Counter[str]()
    for _ in range(LOGS):
        walk(random, counts)
    print(*(f"{number:6} {what}" for what, number in sorted(counts.items())), sep="\n")
    assert counts["steps"] == LOGS * STEPS
    assert {what: counts[what] for what in REACHED if counts[what] < 20} == {}
