"""A file as a log: which line stands where, when it arrived, and which are read at all."""

import json

import pytest

from dataflows.file_log import FileLog
from dataflows.metrics import Metrics
from dataflows.records import LoggedEvent
from window_core import MAX_TIME_MS

DAY_MS = 86_400_000


def line(time_ms: int, arrival_ms: int | None = None) -> bytes:
    arrival = {} if arrival_ms is None else {"arrival": arrival_ms}
    readings = dict.fromkeys(("sensor1", "sensor2", "sensor3", "sensor4"), 1)
    return json.dumps({"device_id": "d", "time": time_ms, **readings, **arrival}).encode()


def arrivals(log: FileLog, *lines: bytes) -> list[int | str | None]:
    """The arrival of each event that is read; of an invalid line its arrival as text; ``None`` for what is not read."""
    found: list[int | str | None] = []
    for record in map(log.record, lines):
        if record is None:
            found.append(None)
        elif isinstance(record, LoggedEvent):
            found.append(record.arrival_ms)
        else:
            found.append(str(json.loads(record.value)["arrival_ms"]))
    return found


def test_a_line_without_an_arrival_arrived_at_its_time_or_with_the_largest_so_far() -> None:
    log = FileLog(Metrics())
    assert arrivals(log, line(5), line(3), line(9), line(1, 20), line(12)) == [5, 5, 9, 20, 20]
    assert log.end_ms() == 20


def test_an_arrival_that_goes_back_is_told_as_it_is_and_lowers_nothing() -> None:
    log = FileLog(Metrics())
    assert arrivals(log, line(5, 100), line(5, 40), line(5)) == [100, 40, 100]
    assert log.end_ms() == 100


def test_an_invalid_line_arrived_with_the_largest_so_far_or_at_no_known_time() -> None:
    log = FileLog(Metrics())
    assert arrivals(log, b"{", line(5, 7), b"{", line(-1, 900), line(5, 6), b"{") == ["None", 7, "7", "7", 6, "7"]


def test_positions_count_blank_lines_which_are_no_records() -> None:
    metrics = Metrics()
    log = FileLog(metrics)
    records = [log.record(text) for text in (b"", line(1), b" \t\r", b"{", line(2))]
    assert [isinstance(record, LoggedEvent) and record.position for record in records if record] == [
        "0/1",
        False,
        "0/4",
    ]
    assert b'"position":"0/3"' in records[3].value  # type: ignore[union-attr]
    assert metrics.value("latecomer_records_total") == 3
    assert metrics.value("latecomer_rejections_total", reason="INVALID") == 1


def test_what_arrived_after_until_is_not_read_but_moves_the_clock_of_the_lines_behind_it() -> None:
    metrics = Metrics()
    log = FileLog(metrics, until_ms=10)
    lines = (line(5, 10), line(5, 11), b"{", line(5), line(5, 9), line(5, 10))
    assert arrivals(log, *lines) == [10, None, None, None, 9, 10]
    assert log.end_ms() == 10
    assert metrics.value("latecomer_records_total") == 3


def test_the_clock_runs_to_until_also_where_the_log_ends_before() -> None:
    log = FileLog(Metrics(), until_ms=1_000)
    assert arrivals(log, line(5, 10)) == [10]
    assert log.end_ms() == 1_000
    assert FileLog(Metrics()).end_ms() is None


@pytest.mark.parametrize(
    ("lines", "jumps"),
    [
        ([line(0), line(DAY_MS)], 1),
        ([line(0), line(DAY_MS - 1)], 0),
        ([line(0), line(0, DAY_MS)], 0),
        ([line(MAX_TIME_MS)], 0),
        ([line(0), line(DAY_MS), line(1), line(2 * DAY_MS)], 2),
    ],
)
def test_a_jump_of_a_day_without_an_arrival_is_counted(lines: list[bytes], jumps: int) -> None:
    log = FileLog(Metrics())
    arrivals(log, *lines)
    assert log.jumps == jumps
