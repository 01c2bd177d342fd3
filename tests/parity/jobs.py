"""The jobs of the suite: under which numbers its logs are read, and how the engines are set while they read them."""

from dataclasses import dataclass
from typing import Final, Literal

from tests.parity.engines import BYTEWAX, FLINK, EngineRun
from window_core import MAX_TIME_MS, WindowSpec

__all__ = ["JOBS", "Job"]

_START_MS: Final = 1_587_920_555_000
"""An instant of 2020, as good as any: 13 digits, as those of today."""


@dataclass(frozen=True)
class Job:
    """Some logs under one spec, combined, through these runs of the engines.

    Attributes:
        start_ms: about the first arrival.
        goes_back: the logs have arrivals that go back.
        compares: ``bytes``, or only which ``positions`` were answered.
        is_refusing: the services refuse some windows.
        has_until: the run has an end before that of the log.
    """

    name: str
    spec: WindowSpec
    runs: tuple[EngineRun, ...]
    start_ms: int = _START_MS
    goes_back: bool = False
    compares: Literal["bytes", "positions"] = "bytes"
    is_refusing: bool = False
    has_until: bool = False


_NEVER_MS: Final = 10**15

_PLAIN: Final = EngineRun(BYTEWAX), EngineRun(FLINK)

JOBS: Final = (
    Job(
        "every limit a few steps away",
        WindowSpec(40, 7, 20, 80, 5, 6),
        (EngineRun(BYTEWAX), EngineRun(BYTEWAX, restarts=2), EngineRun(FLINK, {"parallelism": 2, "batch_windows": 5})),
    ),
    Job(
        "a service that refuses",
        WindowSpec(50, 10, 60, 200, 5, 12),
        (EngineRun(BYTEWAX, {"batch_windows": 16}), EngineRun(FLINK, {"rpc": "stream"})),
        is_refusing=True,
    ),
    Job(
        "no ticks, nothing ahead",
        WindowSpec(50, 0, 30, 200, 0, 5),
        (EngineRun(BYTEWAX, {"rpc": "stream", "batch_windows": 2}), EngineRun(FLINK, {"rpc": "unary"})),
        has_until=True,
    ),
    Job(
        "a tick each millisecond",
        WindowSpec(10, 1, 5, 12, 3, 100),
        (
            EngineRun(BYTEWAX, {"parallelism": 2, "batch_windows": 3, "in_flight": 2}),
            EngineRun(FLINK, {"batch_windows": 3, "in_flight": 2, "batch_wait_ms": 1}),
        ),
    ),
    Job("idle and forgotten at once", WindowSpec(10, 10, 0, 0, 100, 3), _PLAIN),
    Job(
        "forgotten as soon as idle",
        WindowSpec(200, 50, 70, 70, 30, 12),
        (EngineRun(BYTEWAX, {"rpc": "unary"}), EngineRun(FLINK, {"parallelism": 2, "rpc": "stream"})),
        has_until=True,
    ),
    Job(
        "windows of one event",
        WindowSpec(1, 3, 7, 37, 1, 1),
        (EngineRun(BYTEWAX, restarts=1), EngineRun(FLINK, {"batch_windows": 1, "in_flight": 1})),
    ),
    Job(
        "idle at once, forgotten later",
        WindowSpec(40, 7, 0, 61, 5, 2),
        (EngineRun(BYTEWAX, {"batch_windows": 1}), EngineRun(FLINK, {"parallelism": 3})),
    ),
    Job(
        "long windows",
        WindowSpec(5_000, 401, 1_000, 20_000, 30, 1_000),
        (EngineRun(BYTEWAX, {"batch_bytes": 700}), EngineRun(FLINK, {"batch_bytes": 700})),
    ),
    Job("the default, a ten-thousandth", WindowSpec(3_600, 30, 3_600, 60_480, 30, 100_000), _PLAIN),
    Job("from the beginning of time", WindowSpec(77, 31, 30, 1_000, 11, 4), _PLAIN, start_ms=0),
    Job("to the end of time", WindowSpec(60, 11, 33, 50, 9, 3), _PLAIN, start_ms=MAX_TIME_MS - 1_500),
    Job(
        "arrivals that go back, without ticks",
        WindowSpec(50, 0, _NEVER_MS, _NEVER_MS, 20, 8),
        (EngineRun(BYTEWAX, {"parallelism": 2}), EngineRun(FLINK, {"parallelism": 2})),
        goes_back=True,
    ),
    Job(
        "arrivals that go back, with ticks",
        WindowSpec(50, 9, 40, 100, 20, 8),
        _PLAIN,
        goes_back=True,
        compares="positions",
    ),
)  # fmt: skip
"""The first ones show the most: a small sample takes them."""
