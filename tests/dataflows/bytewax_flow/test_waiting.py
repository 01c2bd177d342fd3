"""A source waits by no clock that can be set back, and only where there is nothing to do."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dataflows.bytewax_flow import waiting
from dataflows.bytewax_flow.file_source import FileSource
from dataflows.bytewax_flow.waiting import AT_ONCE, SharedPause
from dataflows.connectors.file_log import FileLog
from dataflows.pipeline.metrics import Metrics
from window_core import WindowSpec


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(waiting, "sleep", pauses.append)
    return pauses


def shared_by(partitions: int) -> SharedPause:
    pause = SharedPause(5)
    for _ in range(partitions):
        pause.join()
    return pause


def test_a_worker_pauses_once_every_partition_had_nothing_for_more_than_a_round(slept: list[float]) -> None:
    pause = shared_by(3)
    for _ in range(3):
        pause.after(0)
    assert slept == []
    pause.after(0)
    assert slept == [0.005]
    for _ in range(4):
        pause.after(0)
    assert slept == [0.005] * 2


def test_a_partition_with_records_is_held_up_by_none_without(slept: list[float]) -> None:
    pause = shared_by(3)
    for _ in range(10):
        for records in (0, 7, 0):
            pause.after(records)
    assert slept == []


def test_a_partition_that_has_ended_is_not_waited_for(slept: list[float]) -> None:
    pause = shared_by(2)
    pause.leave()
    pause.after(0)
    pause.after(0)
    assert slept == [0.005]


def test_the_machines_clock_is_asked_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"")
    part = FileSource(FileLog(str(tmp_path / "log"), Metrics()), WindowSpec()).build_part("log", "file", None)
    with closing(part):
        assert part.next_awake() == AT_ONCE
    assert datetime.fromtimestamp(0, UTC) == AT_ONCE  # passed on any machine, however its clock is set
