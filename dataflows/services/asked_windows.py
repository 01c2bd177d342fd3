"""The windows that ``latecomer ask`` sends, and how it shows the answers; the Java client does the same."""

from array import array
from collections.abc import Iterator, Sequence
from math import nan
from typing import Any, Final

import msgspec
import numpy as np

from dataflows.services.answers import Answer, Refusal
from window_core import DEMO_SENSORS, Columns, Evaluation, Sensors

__all__ = ["WindowError", "demo_window", "json_line", "plain_lines", "read_windows"]

_DEMO_DEVICE: Final = "device_123"
_DEMO_EVENTS: Final = 300
_DEMO_FIRST_MS: Final = 1_587_920_555_000
_DEMO_STEP_MS: Final = 120_000
_DEMO_SEED: Final = 1

_json: Final = msgspec.json.Encoder()


class WindowError(Exception):
    """A line is not a window; the message says which one and why."""


def demo_window() -> Evaluation:
    """The window of the original demo's client: 300 events two minutes apart, from a generator with a fixed seed."""
    floats = _java_floats(_DEMO_SEED)
    columns: list[list[float]] = [[] for _ in DEMO_SENSORS.names]
    for _ in range(_DEMO_EVENTS):
        for column in columns:
            column.append(next(floats))
    times = [_DEMO_FIRST_MS + _DEMO_STEP_MS * index for index in range(_DEMO_EVENTS)]
    return _evaluation(0, _DEMO_DEVICE, times, columns)


def read_windows(lines: Iterator[bytes], sensors: Sensors) -> Iterator[Evaluation]:
    """One window a line: ``{"device_id":"d1","times":[..],"sensor1":[..],...}``, a list for each of the sensors.

    A reading is rounded to float32; one of an optional sensor may be null. Blank lines are skipped.

    Raises:
        WindowError: a line is something else.
    """
    decoder = msgspec.json.Decoder(_line_type(sensors))
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            line = decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise WindowError(f"line {number}: not a window: {error}") from None
        device_id, times, *columns = msgspec.structs.astuple(line)
        for sensor, column in zip(sensors.names, columns, strict=True):
            if len(column) != len(times):
                raise WindowError(f"line {number}: {sensor} has {len(column)} readings, times has {len(times)}")
        try:
            yield _evaluation(number - 1, device_id, times, columns)
        except OverflowError:
            raise WindowError(f"line {number}: a time is no int64") from None


def _line_type(sensors: Sensors) -> type[Any]:
    """What a line is decoded as; the name of a sensor need not be one that Python takes."""
    fields: list[tuple[str, Any]] = [("device_id", str), ("times", list[int])]
    names = {}
    for place, (name, is_optional) in enumerate(zip(sensors.names, sensors.optional, strict=True)):
        fields.append((f"sensor_{place}", list[float | None] if is_optional else list[float]))
        names[f"sensor_{place}"] = name
    return msgspec.defstruct("Line", fields, rename=names)


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


def _evaluation(number: int, device_id: str, times: list[int], columns: Sequence[Sequence[float | None]]) -> Evaluation:
    readings = array("f", (nan if one is None else one for row in zip(*columns, strict=True) for one in row))
    newest_ms = max(times, default=0)
    row_bytes = 4 * len(columns)
    held = Columns(device_id, newest_ms, array("q", times), bytearray(readings.tobytes()), row_bytes)
    return Evaluation("event", newest_ms, newest_ms, number, held, 0, len(times))


def _java_floats(seed: int) -> Iterator[float]:
    """``java.util.Random(seed).nextFloat()``, again and again."""
    state = (seed ^ 0x5DEECE66D) & (1 << 48) - 1
    while True:
        state = (state * 0x5DEECE66D + 0xB) & (1 << 48) - 1
        yield (state >> 24) / (1 << 24)
