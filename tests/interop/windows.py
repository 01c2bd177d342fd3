"""Windows of every size and magnitude, and what has to be answered to them, by the words of the contract."""

import json
import math
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from random import Random
from typing import Any, Final

WEIGHTS: Final = {"sensor_1/v1": 0.03, "sensor_2/v1": 0.05, "sensor_3/v1": 0.01, "sensor_4/v1": 0.02}
INTERCEPT: Final = 0.006
LARGEST: Final = float.fromhex("0x1.fffffep127")
SMALLEST: Final = float.fromhex("0x1p-149")


def float32(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


def _any_bits(random: Random) -> float:
    value = math.nan
    while not math.isfinite(value):
        (value,) = struct.unpack("<f", random.getrandbits(32).to_bytes(4, "little"))
    return value


def _decades(random: Random) -> float:
    return random.uniform(-1, 1) * 10.0 ** random.randint(-6, 7)


KINDS: Final[tuple[Callable[[Random], float], ...]] = (
    lambda random: random.random(),
    lambda random: random.gauss(0, 40),
    _decades,
    _any_bits,
    lambda random: random.choice((LARGEST, -LARGEST, 1.0, SMALLEST, -SMALLEST, 0.0, -0.0)),
    lambda random: random.uniform(-1, 1) * 1e-38,  # subnormal
    lambda random: float(random.randint(-3, 3)),
    lambda random: random.choice((1e7, -1e7)) + random.random(),  # cancels
)


def generated(number: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Most of up to 40 events, a few of 300, one of 10,000; the columns of a window are of one kind or of several."""
    random = Random(seed)
    for index in range(number):
        events = 10_000 if index == number // 2 else 300 if index % 100 == 7 else random.randint(1, 40)
        kinds = random.choices(KINDS, k=4) if index % 2 else [KINDS[index // 2 % len(KINDS)]] * 4
        start = random.randint(0, 2**41)
        times = sorted(start + random.randint(0, 36_000_000) for _ in range(events))
        columns = [[float32(kind(random)) for _ in times] for kind in kinds]
        sensors = {f"sensor{place}": column for place, column in enumerate(columns, 1)}
        yield {"device_id": f"d{index}/ü", "times": times, **sensors}


def expected(window: dict[str, Any]) -> dict[str, Any]:
    """Features and result, in exact arithmetic up to the rounding that the contract asks for."""
    features = {f"sensor_{place}/v1": _mean(window[f"sensor{place}"]) for place in range(1, 5)}
    score = INTERCEPT
    for name, weight in WEIGHTS.items():
        score += weight * features[name]
    probability = 1 / (1 + math.exp(-score)) if score >= 0 else math.exp(score) / (1 + math.exp(score))
    return {"features": features, "result": {"logistic_regression_result": f"{probability:.9g}"}}


def _mean(readings: list[float]) -> float:
    exact_sum = float(sum(map(Fraction, readings), Fraction()))
    return float32(exact_sum / len(readings)) + 0.0  # a zero is +0.0


def lines_of(windows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(window) + "\n" for window in windows)
