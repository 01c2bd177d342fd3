"""The suite itself: its logs mean what they say, and what differs is found, made small and shown."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.parity.comparison import Difference, differences, owners_of
from tests.parity.drawing import drawn_logs
from tests.parity.engines import EngineRun, LogFile, bytes_before, cuts_of
from tests.parity.expected import expectation_of, oracle_difference
from tests.parity.jobs import JOBS, Job
from tests.parity.keeping import kept, side_by_side
from tests.parity.logs import Combined, EventRecord, Heartbeat, Log, OddRecord, Record, as_lines, as_topic, combined
from tests.parity.shrinking import shrunk_by
from tests.reference import DeviceOutputs, first_difference, reference
from tests.transcript import load_transcripts
from window_core import CAUSES, REASONS, WindowSpec

SPEC = WindowSpec(40, 7, 20, 80, 5, 6)
LOGS = drawn_logs(60, 3, SPEC)


def event(device_id: str, time_ms: int, arrival_ms: int, **more: object) -> EventRecord:
    return EventRecord(device_id, time_ms, ("1", "2", "3", "4"), arrival_ms)._replace(**more)


def test_the_same_seed_draws_the_same_logs() -> None:
    assert drawn_logs(10, 3, SPEC) == drawn_logs(10, 3, SPEC)
    assert drawn_logs(10, 4, SPEC) != drawn_logs(10, 3, SPEC)


def test_combined_logs_keep_what_each_gives_but_for_names_and_instants() -> None:
    logs = [tuple(with_its_arrival(record) for record in log) for log in LOGS]
    _, placed = as_lines(combined(logs, SPEC, 10_000_000).log)
    together = expectation_of(placed, SPEC)
    for number, log in enumerate(logs):
        alone = expectation_of(as_lines(log)[1], SPEC)
        ours = {name: lines for name, lines in together.outputs.items() if name and name.startswith(f"{number}.")}
        assert len(ours) == len([name for name in alone.outputs if name is not None])
        for name, lines in alone.outputs.items():
            if name is not None and len(name.encode()) < 200:
                [same] = [given for device, given in ours.items() if device.split(".", 3)[3] == name]
                assert [kind(line) for line in same.rejected] == [kind(line) for line in lines.rejected]
                begun = [kind(line) for line in same.predictions][: len(lines.predictions)]
                assert begun == [kind(line) for line in lines.predictions]


def with_its_arrival(record: Record) -> Record:
    """A line without an arrival arrives when the file says, and so when those of other logs say."""
    return record._replace(says_arrival=True) if isinstance(record, EventRecord) else record


def kind(line: bytes) -> tuple[object, ...]:
    values = json.loads(line)
    return values.get("cause"), values.get("reason"), values.get("events"), values.get("late_by_ms")


def test_combined_logs_are_in_the_order_of_arrival() -> None:
    arrivals = [record.arrival_ms for record in combined(LOGS, SPEC, 0).log]
    assert arrivals == sorted(arrivals)
    assert arrivals[0] >= 0


def test_the_shipped_reader_finds_in_a_file_what_was_placed_there() -> None:
    data, placed = as_lines(combined(LOGS, SPEC, 1_587_920_555_000).log)
    assert first_difference(expectation_of(placed, SPEC).outputs, reference(data, SPEC)) == ""


def test_the_loop_over_a_topic_gives_what_the_oracle_finds() -> None:
    _, placed, owners = as_topic(combined(LOGS, SPEC, 1_587_920_555_000), 3)
    expectation = expectation_of(placed, SPEC)
    assert oracle_difference(expectation, SPEC) == ""
    assert expectation.occurred["INVALID key"] > 0
    assert {owner % 3 for owner in owners} == {int(entry.position[0]) for entry in placed}


def test_the_jobs_show_every_rule() -> None:
    occurred: Counter[str] = Counter()
    for number, job in enumerate(JOBS):
        logs = drawn_logs(20, number, job.spec, goes_back=job.goes_back)
        _, placed = as_lines(combined(logs, job.spec, job.start_ms, overlap=not job.goes_back).log)
        occurred += expectation_of(placed, job.spec).occurred
    wanted = {*CAUSES, *REASONS} - {"INVALID", "REFUSED"}
    wanted |= {
        "clamped arrivals",
        "arrivals that are no time",
        "sessions after forgetting",
        "spoke again after idleness",
        "forgotten at the end",
    }
    wanted |= {f"INVALID {error}" for error in ("not_an_event", "wrong_type", "device_id", "time", "sensor")}
    assert wanted <= set(occurred)


def test_a_file_is_cut_only_where_the_arrival_grows() -> None:
    data, placed = as_lines((event("a", 1, 5), event("a", 2, 5), OddRecord(b"{", "not_an_event", 5), event("a", 3, 6)))
    cuts = bytes_before(placed, cuts_of(placed))
    assert [data[cut:].count(b"\n") for cut in cuts] == [2, 1]  # what is no event may stand on either side


def test_a_topic_is_cut_only_where_every_clock_is_behind_what_comes() -> None:
    events = [event("a", 1, 5), event("b", 1, 9), event("a", 2, 8), event("b", 2, 10), event("a", 3, 10)]
    _, placed, _ = as_topic(Combined(tuple(events), (0, 1, 0, 1, 0)), 2)
    assert cuts_of(placed) == (1, 3)


def test_what_is_placed_is_clamped_to_the_clock_of_its_partition() -> None:
    events = (event("a", 1, 5), event("b", 1, 9), event("a", 2, 4), event("a", 3, 0, no_time_ms=-1), event("b", 2, 8))
    owners = (0, 1, 0, 0, 1)
    _, placed, _ = as_topic(Combined(events, owners), 2)
    assert [(entry.arrival_ms, entry.clock_ms, entry.error) for entry in placed] == [
        (5, 5, None),
        (9, 9, None),
        (5, 5, None),
        (-1, 5, "time arrival"),
        (9, 9, None),
    ]
    _, placed = as_lines(events)
    assert [(entry.arrival_ms, entry.error) for entry in placed] == [
        (5, None),
        (9, None),
        (9, None),
        (9, "time arrival"),
        (9, None),
    ]


def test_each_difference_names_its_place() -> None:
    expected = {"1.0.0.a": DeviceOutputs([b"1", b"2"], [], []), None: DeviceOutputs([], [], [])}
    actual = {"1.0.0.a": DeviceOutputs([b"1"], [], []), "1.0.0.b": DeviceOutputs([], [b"3"], [])}
    found = list(differences(expected, actual))
    assert found == [
        Difference("1.0.0.a", "predictions", 1, b"2", None),
        Difference("1.0.0.b", "refused", 0, None, b"3"),
    ]
    assert owners_of(found[0], [], ()) == {1}


def test_a_log_is_made_small_in_a_handful_of_jobs() -> None:
    guilty = {event("a", 30, 30), event("a", 10, 10)}
    log = tuple(event("a", number, number, form=number % 4) for number in range(45))
    jobs: list[int] = []

    def fails(candidates: Sequence[Log]) -> list[bool]:
        jobs.append(len(candidates))
        return [guilty <= {record._replace(form=0) for record in one} for one in candidates]

    assert shrunk_by(fails, [log]) == (event("a", 10, 10, form=2), event("a", 30, 30, form=2))
    assert len(jobs) < 10


def test_what_shows_no_difference_alone_is_not_made_small() -> None:
    assert shrunk_by(lambda candidates: [False] * len(candidates), LOGS[:3]) is None


def test_a_difference_is_shown_beside_the_other_engines_and_kept_as_a_transcript(tmp_path: Path) -> None:
    log = (event("a", 20_000, 20_000), event("a", 20_001, 20_002), Heartbeat(20_010))
    text = side_by_side(
        as_lines(log)[0], {"bytewax, file": Difference("a", "predictions", 0, b"x", None), "flink": None}
    )
    assert "bytewax, file    nothing more" in text
    assert "flink: as the plain loop" in text
    files = kept(tmp_path, "found", log, SPEC, {"job": "a job"})
    assert {file.name for file in files} == {"found.jsonl", "found.yaml", "found.transcript.yaml"}
    assert yaml.safe_load((tmp_path / "found.yaml").read_text())["spec"]["tick_ms"] == 7
    (tmp_path / "found.yaml").unlink()
    [transcript] = load_transcripts(tmp_path)
    assert [output.kind for output in transcript.expected()][:2] == ["event", "event"]


def test_a_run_without_restarts_reads_its_log_at_once() -> None:
    log = LogFile(b"", SPEC, 70, cuts=(1, 2, 3), instants=(40, 50, 60))
    assert EngineRun("bytewax")._ends(log, 9) == [(9, 70)]
    assert EngineRun("bytewax", restarts=2)._ends(log, 9) == [(1, 70), (2, 70), (9, 70)]
    assert EngineRun("bytewax", restarts=2, ends="until")._ends(log, 9) == [(9, 40), (9, 50), (9, 70)]
    assert Job("a job", SPEC, ()).partitions == 3
