"""The windows that ``latecomer ask`` sends, and how it shows the answers; the Java client does the same."""

from array import array
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import numpy as np

from dataflows.services.answers import Answer, Refusal
from window_core import Evaluation
from window_core.columns import Columns

__all__ = ["WindowError", "demo_window", "json_line", "plain_lines", "read_windows"]

_DEMO_DEVICE: Final = "device_123"
_DEMO_EVENTS: Final = 300
_DEMO_FIRST_MS: Final = 1_587_920_555_000
_DEMO_STEP_MS: Final = 120_000
_DEMO_SEED: Final = 1

_SENSORS: Final = ("sensor1", "sensor2", "sensor3", "sensor4")
_json: Final = msgspec.json.Encoder()


class WindowError(Exception):
    """A line is not a window; the message says which one and why."""


class _Line(msgspec.Struct):
    device_id: str
    times: list[int]
    sensor1: list[float]
    sensor2: list[float]
    sensor3: list[float]
    sensor4: list[float]


_decoder: Final = msgspec.json.Decoder(_Line)


def demo_window() -> Evaluation:
    """The window of the original demo's client: 300 events two minutes apart, from a generator with a fixed seed."""
    readings = _java_floats(_DEMO_SEED)
    rows = [[next(readings) for _ in _SENSORS] for _ in range(_DEMO_EVENTS)]
    times = [_DEMO_FIRST_MS + _DEMO_STEP_MS * index for index in range(_DEMO_EVENTS)]
    return _evaluation(0, _DEMO_DEVICE, times, [list(column) for column in zip(*rows, strict=True)])


def read_windows(lines: Iterator[bytes]) -> Iterator[Evaluation]:
    """One window a line: ``{"device_id":"d1","times":[..],"sensor1":[..],...,"sensor4":[..]}``.

    A reading is rounded to float32. Blank lines are skipped.

    Raises:
        WindowError: a line is something else.
    """
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            line = _decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise WindowError(f"line {number}: not a window: {error}") from None
        columns = [getattr(line, sensor) for sensor in _SENSORS]
        for sensor, column in zip(_SENSORS, columns, strict=True):
            if len(column) != len(line.times):
                raise WindowError(f"line {number}: {sensor} has {len(column)} readings, times has {len(line.times)}")
        try:
            yield _evaluation(number - 1, line.device_id, line.times, columns)
        except OverflowError:
            raise WindowError(f"line {number}: a time is no int64") from None


def json_line(device_id: str, answer: Answer) -> bytes:
    """One answer for a program; a float32 is written as the double it equals."""
    if isinstance(answer, Refusal):
        shown: dict[str, Any] = {
            "device_id": device_id,
            "status": answer.status,
            "service": answer.service,
            "message": answer.message,
        }
    else:
        shown = {
            "device_id": device_id,
            "features": answer.features,
            "model_id": answer.model_id,
            "result": dict(sorted(answer.result.items())),
        }
    return _json.encode(shown)


def plain_lines(device_id: str, answer: Answer) -> list[str]:
    """One answer for a person."""
    if isinstance(answer, Refusal):
        return [f"{answer.service} service: {answer.status}: {answer.message}"]
    features = [f"  {name}  {np.float32(value)!s}" for name, value in answer.features.items()]
    results = [f"  {key}  {text}" for key, text in sorted(answer.result.items())]
    return [f"device {device_id}", *features, f"model {answer.model_id}", *results]


def _evaluation(number: int, device_id: str, times: list[int], readings: list[list[float]]) -> Evaluation:
    sensor1, sensor2, sensor3, sensor4 = (array("f", column) for column in readings)
    newest_ms = max(times, default=0)
    columns = Columns(device_id, newest_ms, array("q", times), (sensor1, sensor2, sensor3, sensor4))
    return Evaluation("event", newest_ms, newest_ms, number, columns, 0, len(times))


def _java_floats(seed: int) -> Iterator[float]:
    """``java.util.Random(seed).nextFloat()``, again and again."""
    state = (seed ^ 0x5DEECE66D) & (1 << 48) - 1
    while True:
        state = (state * 0x5DEECE66D + 0xB) & (1 << 48) - 1
        yield (state >> 24) / (1 << 24)
