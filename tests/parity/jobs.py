"""The jobs of the suite: under which numbers its logs are read, and how the engines are set while they read them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from tests.parity.drawing import drawn_sensors
from tests.parity.engines import BYTEWAX, FLINK, KAFKA, EngineRun
from tests.parity.logs import Log
from window_core import DEMO_SENSORS, MAX_TIME_MS, Sensors, WindowSpec

__all__ = ["CLOCKS", "JOBS", "Job", "with_sensors"]

_START_MS: Final = 1_587_920_555_000
"""An instant of 2020, as good as any: 13 digits, as those of today."""


Fleet: TypeAlias = Literal["demo", "one", "few", "many"]

_SENSORS: Final[Mapping[Fleet, tuple[int, int]]] = {"one": (1, 1), "few": (2, 8), "many": (9, 16)}


@dataclass(frozen=True)
class Job:
    """Some logs under one spec, combined, through these runs of the engines.

    Attributes:
        fleet: how many sensors the devices have, or those of the demo; ``with_sensors`` says which.
        sensors: what an event has; all logs of a job have the same.
        start_ms: about the first arrival.
        goes_back: the logs have arrivals that go back, jump ahead, and are no times.
        is_refusing: the services refuse some windows.
        has_little_room: the feature service holds the columns of a few devices at most.
        features_in: the language of the feature service.
        has_until: the run has an end before that of the log.
        partitions: of the topic.
        logs: these, in place of generated ones.
    """

    name: str
    spec: WindowSpec
    runs: tuple[EngineRun, ...]
    fleet: Fleet = "demo"
    sensors: Sensors = DEMO_SENSORS
    start_ms: int = _START_MS
    goes_back: bool = False
    is_refusing: bool = False
    has_little_room: bool = False
    features_in: Literal["python", "java"] = "python"
    has_until: bool = False
    partitions: int = 3
    logs: tuple[Log, ...] = ()


_NEVER_MS: Final = 10**15

_FILES: Final = EngineRun(BYTEWAX), EngineRun(FLINK)
_TOPICS: Final = EngineRun(BYTEWAX, medium=KAFKA), EngineRun(FLINK, medium=KAFKA)
_PLAIN: Final = *_FILES, *_TOPICS


def _on(
    medium: Literal["file", "Kafka"], bytewax: Mapping[str, Any], flink: Mapping[str, Any]
) -> tuple[EngineRun, ...]:
    return EngineRun(BYTEWAX, bytewax, medium=medium), EngineRun(FLINK, flink, medium=medium)


CLOCKS: Final = Job(
    "clocks that go back and jump",
    WindowSpec(50, 9, 40, 100, 20, 8),
    (
        *_PLAIN,
        EngineRun(BYTEWAX, restarts=2),
        EngineRun(BYTEWAX, restarts=3, ends="until"),
        EngineRun(BYTEWAX, restarts=3, ends="until", medium=KAFKA),
    ),
    goes_back=True,
)

JOBS: Final = (
    Job(
        "every limit a few steps away",
        WindowSpec(40, 7, 20, 80, 5, 6),
        (
            *_on("file", {}, {"parallelism": 2, "batch_windows": 5}),
            *_on(KAFKA, {"parallelism": 2}, {"parallelism": 2}),
            EngineRun(BYTEWAX, restarts=2),
            EngineRun(BYTEWAX, restarts=2, medium=KAFKA),
        ),
        fleet="few",
    ),
    Job(
        "a service that refuses",
        WindowSpec(50, 10, 60, 200, 5, 12),
        (*_on("file", {"batch_windows": 16}, {"rpc": "batch"}), *_TOPICS),
        is_refusing=True,
    ),
    Job(
        "no ticks, nothing ahead",
        WindowSpec(50, 0, 30, 200, 0, 5),
        (
            *_on("file", {"rpc": "batch", "batch_windows": 2}, {"rpc": "unary"}),
            *_on(KAFKA, {"source_records": 7}, {"batch_windows": 3}),
        ),
        has_until=True,
    ),
    Job(
        "a tick each millisecond",
        WindowSpec(10, 1, 5, 12, 3, 100),
        (
            *_on("file", {"batch_windows": 3}, {"batch_windows": 3, "batch_wait_ms": 1}),
            *_on(KAFKA, {"rpc": "batch"}, {"parallelism": 3}),
        ),
        fleet="one",
    ),
    Job("idle and forgotten at once", WindowSpec(10, 10, 0, 0, 100, 3), _PLAIN, fleet="many", features_in="java"),
    Job(
        "forgotten as soon as idle",
        WindowSpec(200, 50, 70, 70, 30, 12),
        (*_on("file", {"rpc": "unary"}, {"parallelism": 2, "rpc": "batch"}), *_TOPICS),
        has_until=True,
    ),
    Job(
        "windows of one event",
        WindowSpec(1, 3, 7, 37, 1, 1),
        (*_FILES, EngineRun(BYTEWAX, restarts=1), *_on(KAFKA, {"parallelism": 3}, {"batch_windows": 1})),
        fleet="few",
    ),
    Job(
        "idle at once, forgotten later",
        WindowSpec(40, 7, 0, 61, 5, 2),
        (*_on("file", {"batch_windows": 1}, {"parallelism": 3}), *_TOPICS),
        features_in="java",
        partitions=1,
    ),
    Job(
        "long windows",
        WindowSpec(5_000, 401, 1_000, 20_000, 30, 1_000),
        (
            *_on("file", {"batch_bytes": 700, "rpc": "batch"}, {"batch_bytes": 700}),
            *_TOPICS,
            EngineRun(BYTEWAX, {"batch_windows": 5}),
        ),
        fleet="many",
        has_little_room=True,
        partitions=8,
    ),
    Job("the default, a ten-thousandth", WindowSpec(3_600, 30, 3_600, 60_480, 30, 100_000), _PLAIN),
    Job("from the beginning of time", WindowSpec(77, 31, 30, 1_000, 11, 4), _FILES, start_ms=0),
    Job("to the end of time", WindowSpec(60, 11, 33, 50, 9, 3), _FILES, fleet="one", start_ms=MAX_TIME_MS - 1_500),
    Job(
        "arrivals that go back, without ticks",
        WindowSpec(50, 0, _NEVER_MS, _NEVER_MS, 20, 8),
        (*_on("file", {}, {"parallelism": 2}), *_TOPICS),
        fleet="few",
        goes_back=True,
        has_until=True,
    ),
    CLOCKS,
)  # fmt: skip
"""The first ones show the most: a small sample takes them. Kafka takes no timestamp of 0, and none of the year 9999."""


def with_sensors(job: Job, seed: int, sensors: Sensors | None) -> Job:
    """A job with sensors: those of its fleet, the same for the same seed, or those that are given."""
    if sensors is None and job.fleet != "demo":
        sensors = drawn_sensors(seed, *_SENSORS[job.fleet])
    if sensors is None or sensors == DEMO_SENSORS:
        return job
    # The service that refuses has features of the demo's sensors, and the demo's calls have these sensors alone.
    runs = tuple(replace(run, settings=_without_unary(run.settings)) for run in job.runs)
    return replace(job, sensors=sensors, runs=runs, is_refusing=False)


def _without_unary(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in settings.items() if (name, value) != ("rpc", "unary")}
