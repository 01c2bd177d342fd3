"""An explanation in words, for a terminal."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from runtime.durations import duration_text

__all__ = ["explanation_lines", "instant_text"]

_SHOWN: Final = 5
"""Of a list; ``--json`` has all of it."""

_CAUSES: Final = {
    "event": "an event",
    "late_event": "a late event",
    "tick": "a tick",
    "instant": "asked about by its time",
}

Line = tuple[str, str]
"""A name and what there is to say under it."""


def explanation_lines(shown: dict[str, Any]) -> Iterator[Line]:
    """The lines of an explanation, each with its name; a line that goes on has none."""
    yield _head(shown)
    if shown["event"]:
        yield "event", _event(shown["event"])
    if shown["rejection"]:
        yield "rejected", _rejection(shown["rejection"])
    if window := shown["window"]:
        yield from _window(window)
        yield from _listed("came late", shown["late"], _late)
    yield from _said(shown)
    yield from _listed("rejections", shown["rejected_near"], _rejection, "within an hour: ")
    if shown["belong"]:
        yield from _listed("belong too", shown["belong"], _late, "arrived later: ")
    if later := shown["with_later"]:
        yield "with them", _answer(later)
        for name, value in later.get("features", {}).items():
            yield "", f"{name}  {np.float32(value)!s}"


def _head(shown: dict[str, Any]) -> Line:
    as_of = "" if shown["as_of_ms"] is None else f", as of {instant_text(shown['as_of_ms'])}"
    position = f" at {shown['position']}" if shown["position"] else ""
    if shown["moment"] == "rejection":
        return "device", f"{shown['device_id'] or 'unknown'}, a rejected record{position}{as_of}"
    name = "evaluation" if shown["evaluation_id"] else "device"
    return name, f"{shown['evaluation_id'] or shown['device_id']}, {_CAUSES[shown['moment']]}{position}{as_of}"


def _event(event: dict[str, Any]) -> str:
    on_its_way = event["on_its_way_ms"]
    way = f"{_span(on_its_way)} later" if on_its_way >= 0 else f"{_span(-on_its_way)} earlier, by a clock that is ahead"
    behind = f", {_span(event['behind_newest_ms'])} behind newest" if event["behind_newest_ms"] else ""
    readings = ", ".join(f"{name} {_number(reading)}" for name, reading in event["readings"].items())
    return f"{instant_text(event['time_ms'])}, arrived {way}{behind}: {readings}"


def _rejection(rejection: dict[str, Any]) -> str:
    late = f" by {_span(rejection['late_by_ms'])}" if rejection.get("late_by_ms") else ""
    what = f", event of {instant_text(rejection['time_ms'])}" if "time_ms" in rejection else f": {rejection['error']}"
    field = f" in {rejection['field']}" if rejection.get("field") else ""
    arrived = "" if rejection["arrival_ms"] is None else f", arrived {instant_text(rejection['arrival_ms'])}"
    return f"{rejection['reason']}{late} at {rejection['position']}{what}{field}{arrived}"


def _window(window: dict[str, Any]) -> Iterator[Line]:
    newest, span = instant_text(window["newest_ms"]), _span(window["newest_ms"] - window["oldest_ms"])
    events = (
        f"{window['events']:,} event{'s' * (window['events'] != 1)} of the last {duration_text(window['interval_ms'])}"
    )
    yield "window", f"{events}, {instant_text(window['oldest_ms'])} to {newest}: {span}"
    for gap in window["gaps"]:
        yield "", f"nothing for {_span(gap['to_ms'] - gap['from_ms'])} from {instant_text(gap['from_ms'])}"
    for name, sensor in window["sensors"].items():
        told = "no reading"
        if sensor["readings"]:
            least, mean, largest = (_number(sensor[key]) for key in ("least", "mean", "largest"))
            told = f"{sensor['line']}  {least} to {largest}, mean {mean}"
        yield name, told


def _said(shown: dict[str, Any]) -> Iterator[Line]:
    for feature in shown["features"]:
        yield "feature", f"{feature['name']}  {np.float32(feature['value'])!s}"
        if len(feature["farthest"]) > 1:
            farthest = (
                f"{_number(one['reading'])} at {one['position']} (moves it by {one['moves_by']:+.3g})"
                for one in feature["farthest"]
            )
            yield "", f"farthest from the mean: {', '.join(farthest)}"
    if shown["prediction"]:
        yield "prediction", _answer(shown["prediction"])


def _answer(answer: dict[str, Any]) -> str:
    if "status" in answer:
        return f"REFUSED by the {answer['service']} service, {answer['status']}: {answer['message']}"
    return ", ".join(f"{key} {text}" for key, text in answer["result"].items()) + f", by {answer['model_id']}"


def _late(one: dict[str, Any]) -> str:
    behind = f", {_span(one['behind_newest_ms'])} behind newest" if "behind_newest_ms" in one else ""
    on_its_way = f"arrived {_span(one['arrival_ms'] - one['time_ms'])} later"
    return f"{one['position']}, of {instant_text(one['time_ms'])}, {on_its_way}{behind}"


def _listed(name: str, entries: list[dict[str, Any]], text: Any, what: str = "") -> Iterable[Line]:
    if entries:
        yield name, f"{what}{len(entries):,}"
        yield from (("", text(entry)) for entry in entries[:_SHOWN])
        if len(entries) > _SHOWN:
            yield "", f"and {len(entries) - _SHOWN:,} more: --json has all"


def instant_text(time_ms: int) -> str:
    """An instant to be read, in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _span(span_ms: int) -> str:
    """A span to be read: two units are enough."""
    parts, left = [], span_ms
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    if not parts or (left and len(parts) < 2):
        parts.append(f"{left / 1000:.3g}s")
    return " ".join(parts[:2])


def _number(value: float | None) -> str:
    return "null" if value is None else f"{value:.6g}"
