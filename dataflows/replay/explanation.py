"""Why an evaluation is what it is: the event, the window, what each feature is made of, and what came too late for it.

An explanation is a value as ``latecomer explain --json`` prints it; ``docs/results.md`` describes its fields.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import fsum, isnan
from statistics import median
from typing import Any, Final

import numpy as np

from dataflows.replay.history import Accepted, History, Rejected, rows_of, with_later
from dataflows.replay.moments import AtInstant
from dataflows.services.answers import Answer, Refusal
from dataflows.services.client import ServiceClient
from grpc_services.python.features import means_of
from window_core import Evaluation, Sensors

__all__ = ["explained", "window_line"]

_NEAR_MS: Final = 3_600_000
"""Rejections within an hour tell of the same trouble."""

_GAPS: Final = 3
_GAP_STEPS: Final = 3
"""A pause is a gap from three usual steps on; the longest are told."""

_FARTHEST: Final = 3

_LINE_CELLS: Final = 60
_LINE: Final = "▁▂▃▄▅▆▇█"

Explanation = dict[str, Any]


def explained(history: History, sensors: Sensors, client: ServiceClient | None) -> Explanation:
    """All that is known of a moment.

    Args:
        history: in which it was found.
        sensors: those of its events.
        client: of the services; ``None``: they are not asked.
    Raises:
        ServiceError: a service failed.
    """
    evaluation, rejected = history.evaluation, history.rejected
    kind = "instant" if isinstance(history.moment, AtInstant) else "rejection" if rejected else None
    shown: Explanation = {
        "moment": kind or (evaluation and evaluation.cause),
        "device_id": evaluation and evaluation.device_id,
        "evaluation_id": evaluation.evaluation_id if evaluation and kind is None else None,
        "position": history.position,
        "as_of_ms": rejected.arrival_ms if rejected else evaluation and evaluation.as_of_ms,
        "event": None,
        "rejection": rejected and _rejection(rejected, sensors),
        "window": None,
        "late": [],
        "features": [],
        "prediction": None,
        "rejected_near": _near(history, sensors),
        "belong": [],
        "with_later": None,
    }
    if evaluation is None:
        return shown
    taken = {(one.logged.event.time_ms, one.logged.event.row): one for one in history.accepted}
    held = [taken[key] for key in zip(*rows_of(evaluation), strict=True)]
    shown["event"] = next((_event(one, sensors) for one in held if one.logged.position == history.position), None)
    shown["window"] = _window(evaluation, history.spec.interval_ms, sensors)
    shown["late"] = [_late(one) for one in held if one.behind_ms > 0]
    if rejected is None:
        _ask(shown, history, held, sensors, client)
    return shown


def window_line(evaluation: Evaluation, sensors: Sensors) -> dict[str, Any]:
    """The exact window, as ``latecomer ask --input`` takes it."""
    times, rows = rows_of(evaluation)
    readings = zip(*(sensors.readings(row) for row in rows), strict=True)
    columns = ([None if isnan(reading) else reading for reading in column] for column in readings)
    return {"device_id": evaluation.device_id, "times": times, **dict(zip(sensors.names, columns, strict=True))}


def _ask(
    shown: Explanation, history: History, held: Sequence[Accepted], sensors: Sensors, client: ServiceClient | None
) -> None:
    """Add what the services say, about the window as it was and as it would be today."""
    assert history.evaluation is not None
    merged, belonging = with_later(history.evaluation, history.later, history.spec.interval_ms)
    shown["belong"] = [
        {"position": one.position, "time_ms": one.event.time_ms, "arrival_ms": one.arrival_ms} for one in belonging
    ]
    if client is None:
        return
    windows = [history.evaluation, *([merged] if belonging else [])]
    answer, *more = client.answers(windows)
    shown["prediction"] = _said(answer)
    if not isinstance(answer, Refusal):
        means = {mean.name: number for number, mean in enumerate(means_of(sensors))}
        shown["features"] = [
            _feature(name, value, means.get(name), held, sensors) for name, value in answer.features.items()
        ]
    for later in more:
        features = {} if isinstance(later, Refusal) else {"features": later.features}
        shown["with_later"] = {"events": merged.events, **features, **_said(later)}


def _said(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Refusal):
        return {"status": answer.status, "service": answer.service, "message": answer.message}
    return {"model_id": answer.model_id, "result": dict(sorted(answer.result.items()))}


def _feature(name: str, value: float, sensor: int | None, held: Sequence[Accepted], sensors: Sensors) -> dict[str, Any]:
    """A feature; of a mean, the readings that weigh most."""
    shown: dict[str, Any] = {"name": name, "value": value, "mean_of": None, "farthest": []}
    if sensor is None:
        return shown
    readings = [(sensors.readings(one.logged.event.row)[sensor], one.logged) for one in held]
    there = [(reading, logged) for reading, logged in readings if not isnan(reading)]
    mean = fsum(reading for reading, _ in there) / len(there)
    if np.float32(mean) != np.float32(value):  # a feature of the user's own, under this name
        return shown
    farthest = sorted(there, key=lambda one: -abs(one[0] - mean))[:_FARTHEST]
    shown["mean_of"] = sensors.names[sensor]
    shown["farthest"] = [
        {
            "position": logged.position,
            "time_ms": logged.event.time_ms,
            "reading": reading,
            "moves_by": (reading - mean) / len(there),
        }
        for reading, logged in farthest
    ]
    return shown


def _event(one: Accepted, sensors: Sensors) -> dict[str, Any]:
    event, arrival_ms, _ = one.logged.event, one.logged.arrival_ms, one.logged.position
    return {
        "time_ms": event.time_ms,
        "arrival_ms": arrival_ms,
        "on_its_way_ms": arrival_ms - event.time_ms,
        "behind_newest_ms": one.behind_ms,
        "readings": _readings(event.row, sensors),
    }


def _late(one: Accepted) -> dict[str, Any]:
    logged = one.logged
    return {
        "position": logged.position,
        "time_ms": logged.event.time_ms,
        "arrival_ms": logged.arrival_ms,
        "behind_newest_ms": one.behind_ms,
    }


def _readings(row: bytes, sensors: Sensors) -> dict[str, float | None]:
    named = zip(sensors.names, sensors.readings(row), strict=True)
    return {name: None if isnan(reading) else reading for name, reading in named}


def _rejection(rejected: Rejected, sensors: Sensors) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "reason": rejected.reason,
        "position": rejected.position,
        "arrival_ms": rejected.arrival_ms,
    }
    if rejected.invalid is not None:
        return {**shown, "error": rejected.invalid["error"], "field": rejected.invalid["field"]}
    assert rejected.rejection is not None
    event = rejected.rejection.event
    late_by_ms = rejected.rejection.late_by_ms or None
    return {**shown, "time_ms": event.time_ms, "late_by_ms": late_by_ms, "readings": _readings(event.row, sensors)}


def _near(history: History, sensors: Sensors) -> list[dict[str, Any]]:
    """Rejections of the device within an hour, but the one that is asked about."""
    here = history.rejected or history.evaluation
    if here is None:
        return []
    as_of_ms = here.arrival_ms if isinstance(here, Rejected) else here.as_of_ms
    return [
        _rejection(one, sensors)
        for one in history.rejections
        if None not in (one.arrival_ms, as_of_ms)
        and abs((one.arrival_ms or 0) - (as_of_ms or 0)) <= _NEAR_MS
        and one.position != history.position
    ]


def _window(evaluation: Evaluation, interval_ms: int, sensors: Sensors) -> dict[str, Any]:
    times, rows = rows_of(evaluation)
    steps = [after - before for before, after in pairwise(times)]
    usual = median(steps) if steps else 0
    longest = sorted(range(len(steps)), key=lambda at: -steps[at])[:_GAPS]
    gaps = [at for at in sorted(longest) if steps[at] > _GAP_STEPS * usual]
    readings = list(zip(*(sensors.readings(row) for row in rows), strict=True))
    return {
        "oldest_ms": evaluation.oldest_ms,
        "newest_ms": evaluation.newest_ms,
        "interval_ms": interval_ms,
        "events": evaluation.events,
        "gaps": [{"from_ms": times[at], "to_ms": times[at + 1]} for at in gaps],
        "sensors": {name: _sensor(times, one) for name, one in zip(sensors.names, readings, strict=True)},
    }


def _sensor(times: Sequence[int], readings: Sequence[float]) -> dict[str, Any]:
    """What a sensor did in the window; the line has a cell for each sixtieth of its time, empty where nothing came."""
    there = [(time, reading) for time, reading in zip(times, readings, strict=True) if not isnan(reading)]
    if not there:
        return {"readings": 0, "least": None, "mean": None, "largest": None, "line": ""}
    values = [reading for _, reading in there]
    least, largest = min(values), max(values)
    span = times[-1] - times[0]
    cells: dict[int, list[float]] = {}
    for time, reading in there:
        cells.setdefault((time - times[0]) * (_LINE_CELLS - 1) // span if span else 0, []).append(reading)
    height = (largest - least) or 1.0
    levels = {at: (fsum(cell) / len(cell) - least) / height for at, cell in cells.items()}
    drawn = (
        _LINE[min(int(levels[at] * len(_LINE)), len(_LINE) - 1)] if at in levels else " "
        for at in range(max(cells) + 1)
    )
    mean = fsum(values) / len(values)
    return {"readings": len(there), "least": least, "mean": mean, "largest": largest, "line": "".join(drawn)}
