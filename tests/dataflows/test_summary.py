"""The lines at the end of a run: what was counted, where it is, and what a person should not miss."""

from io import StringIO
from pathlib import Path

import pytest

from dataflows import summary
from dataflows.connectors.locations import Locations
from dataflows.pipeline.metrics import Metrics
from dataflows.summary import RejectionsSoFar, print_summary
from runtime.terminal import Terminal

FILES = Locations("events.jsonl", "out/predictions.jsonl", "out/rejections.jsonl", makes_sample=False)


def lines(metrics: Metrics, locations: Locations = FILES, seconds: float = 2.0) -> list[str]:
    file = StringIO()
    print_summary(Terminal(file=file), metrics, locations, seconds)
    return file.getvalue().splitlines()


def rows(metrics: Metrics, locations: Locations = FILES, seconds: float = 2.0) -> dict[str, str]:
    """The text of each line by its name."""
    return {line[:15].rstrip(): line[16:] for line in lines(metrics, locations, seconds)}


def test_a_run_is_told_in_a_line_each() -> None:
    metrics = Metrics()
    metrics.records.inc(12_345)
    for cause, number in (("event", 10_000), ("late_event", 345)):
        metrics.evaluations.labels(cause).inc(number)
    for reason, number in (("DUPLICATE", 1_999), ("INVALID", 1)):
        metrics.rejections.labels(reason).inc(number)
    assert rows(metrics, seconds=2.5) == {
        "records": "12,345 in 2.5 s, 4,938 records/s",
        "evaluations": "10,345: event 10,000, late_event 345",
        "rejections": "2,000: INVALID 1, DUPLICATE 1,999",
        "predictions in": "out/predictions.jsonl",
        "rejections in": "out/rejections.jsonl",
    }


def test_the_place_of_amendments_is_told_where_there_are_some() -> None:
    file = StringIO()
    print_summary(Terminal(file=file), Metrics(), FILES, 2.0, "out/amendments.jsonl")
    assert file.getvalue().splitlines()[5] == "amendments in   out/amendments.jsonl"


def test_events_that_were_too_late_or_found_no_room_are_a_warning_that_names_the_option() -> None:
    metrics = Metrics()
    metrics.records.inc(1_000)
    metrics.rejections.labels("TOO_LATE").inc(100)
    assert lines(metrics)[5:] == []
    metrics.rejections.labels("TOO_LATE").inc()
    metrics.rejections.labels("WINDOW_FULL").inc(2)
    too_late, full = lines(metrics)[5:]
    assert too_late.startswith("warning: 101 events were TOO_LATE")
    assert "--interval" in too_late
    assert full == "warning: 2 events found their window full: --max-events says how many one may hold"


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("kafka://localhost:9092/raw-events", "the topic kafka://localhost:9092/raw-events is empty, or --state, "),
        ("events.jsonl", "the file events.jsonl is empty, or --state, --from or --until leave nothing of it"),
        ("-", "standard input was empty"),
    ],
)
def test_a_run_that_read_no_record_says_where_there_was_none(place: str, says: str) -> None:
    locations = FILES._replace(input=place)
    [warning] = lines(Metrics(), locations)[5:]
    assert warning.startswith(f"warning: no record was read: {says}")
    metrics = Metrics()
    metrics.records.inc()
    assert lines(metrics, locations)[5:] == []


def test_a_run_of_nothing_and_of_no_time_is_told_too() -> None:
    told = rows(Metrics(), seconds=0.0)
    assert told["records"] == "0 in 0.0 s, 0 records/s"
    assert (told["evaluations"], told["rejections"]) == ("0", "0")


@pytest.mark.parametrize(
    ("script", "program"),
    [("latecomer", "./latecomer"), ("a checkout/latecomer", "'a checkout/latecomer'"), (None, "latecomer")],
)
def test_the_command_that_shows_the_outputs_is_told_where_they_are_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, program: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(summary, "_SCRIPT", tmp_path / (script or "none"))
    if script is not None:
        (tmp_path / script).parent.mkdir(exist_ok=True)
        (tmp_path / script).touch()
    folder = tmp_path / "my outputs"
    folder.mkdir()
    outputs = [folder / name for name in ("predictions.parquet", "rejections.parquet", "p.jsonl")]
    for path in outputs:
        path.touch()
    predictions, rejections, other = map(str, outputs)
    for locations, command in (
        (FILES._replace(predictions=predictions, rejections=rejections), f"{program} report '{folder}'"),
        (
            FILES._replace(predictions=other, rejections=rejections),
            f"{program} report --predictions '{other}' --rejections '{rejections}'",
        ),
        (FILES._replace(predictions="-", rejections=rejections), None),
        (FILES._replace(predictions="kafka://localhost:9092/predictions", rejections=rejections), None),
    ):
        assert rows(Metrics(), locations).get("to look at them") == command


def test_standard_output_is_named() -> None:
    told = rows(Metrics(), FILES._replace(predictions="-", rejections="-"))
    assert (told["predictions in"], told["rejections in"]) == ("standard output", "standard output")


def test_arrivals_that_went_back_or_ahead_are_a_warning_over_all_partitions() -> None:
    metrics = Metrics()
    metrics.records.inc(2_000)
    for partition, number in (("0", 1_000), ("1", 1)):
        metrics.clamped.labels(partition).inc(number)
        metrics.jumps.labels(partition).inc(number + 1)
    clamped, jumps = lines(metrics)[5:]
    assert clamped.startswith("warning: 1,001 arrivals")
    assert "clamped" in clamped
    assert jumps.startswith("warning: 1,003 arrivals")
    assert "LogAppendTime" in jumps


def test_each_warning_of_the_run_is_told_again() -> None:
    metrics = Metrics()
    metrics.records.inc()
    metrics.warn("one", "the first [bold]")
    metrics.warn("two", "the second")
    metrics.warn("one", "the first once more")
    assert lines(metrics)[5:] == ["warning: the first [bold]", "warning: the second"]


def test_a_run_that_goes_on_tells_what_it_rejects_when_there_is_more() -> None:
    file, metrics = StringIO(), Metrics()
    metrics.records.inc(100)
    so_far = RejectionsSoFar(Terminal(file=file), metrics)
    so_far.tell()
    assert file.getvalue() == ""
    metrics.rejections.labels("INVALID").inc(2)
    metrics.caused("INVALID", "time in time", "0/7", 2)
    so_far.tell()
    so_far.tell()
    assert file.getvalue().splitlines() == [
        "rejections      2: INVALID 2",
        "                INVALID, most often (2): time in time; the first is 0/7",
    ]


def test_a_run_that_goes_on_warns_of_each_kind_once() -> None:
    file, metrics = StringIO(), Metrics()
    metrics.records.inc(100)
    metrics.warn("kind", "the metrics say this themselves")
    so_far = RejectionsSoFar(Terminal(file=file), metrics)
    for _ in range(3):
        metrics.rejections.labels("TOO_LATE").inc(20)
        so_far.tell()
    told = file.getvalue().splitlines()
    assert [line for line in told if line.startswith("rejections")] == [
        f"rejections      {number}: TOO_LATE {number}" for number in (20, 40, 60)
    ]
    assert len([line for line in told if line.startswith("warning: 20 events were TOO_LATE")]) == 1
    assert len(told) == 4


@pytest.mark.parametrize(("records", "said"), [(1, "1 record"), (20, "20 records")])
def test_a_log_without_any_event_is_a_warning_with_what_may_fit(records: int, said: str) -> None:
    metrics = Metrics()
    metrics.records.inc(records)
    metrics.rejections.labels("INVALID").inc(records)
    metrics.first_look = "the first is no event; --fields?"
    assert f"warning: no event among {said}; the first is no event; --fields?" in lines(metrics)
    metrics.records.inc()
    assert not any("no event" in line for line in lines(metrics))
