"""The suite itself: its logs mean what they say, and what differs is found, made small and shown."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout
from tests.parity.comparison import Difference, differences, owners_of
from tests.parity.drawing import drawn_logs, drawn_sensors, odd_lines, odd_values
from tests.parity.engines import EngineRun, LogFile, bytes_before, cuts_of
from tests.parity.expected import expectation_of, oracle_difference
from tests.parity.jobs import JOBS, Job, with_sensors
from tests.parity.keeping import kept, side_by_side
from tests.parity.logs import Combined, EventRecord, Heartbeat, Log, OddRecord, Record, as_lines, as_topic, combined
from tests.parity.shrinking import shrunk_by
from tests.reference import DeviceOutputs, first_difference, reference
from tests.transcript import load_transcripts
from window_core import CAUSES, DEMO_SENSORS, REASONS, EventError, Sensors, WindowSpec

SPEC = WindowSpec(40, 7, 20, 80, 5, 6)
LOGS = drawn_logs(60, 3, SPEC)


def event(device_id: str, time_ms: int, arrival_ms: int, **more: object) -> EventRecord:
    return EventRecord(device_id, time_ms, ("1", "2", "3", "4"), arrival_ms)._replace(**more)


def test_the_same_seed_draws_the_same_logs() -> None:
    assert drawn_logs(10, 3, SPEC) == drawn_logs(10, 3, SPEC)
    assert drawn_logs(10, 4, SPEC) != drawn_logs(10, 3, SPEC)


def test_combined_logs_keep_what_each_gives_but_for_names_and_instants() -> None:
    logs = [tuple(with_its_arrival(record) for record in log) for log in LOGS]
    _, placed = as_lines(combined(logs, SPEC, 10_000_000).log, DEMO_SENSORS)
    together = expectation_of(placed, SPEC, DEMO_SENSORS)
    for number, log in enumerate(logs):
        alone = expectation_of(as_lines(log, DEMO_SENSORS)[1], SPEC, DEMO_SENSORS)
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


SENSORS = (DEMO_SENSORS, Sensors.of(["door?"]), drawn_sensors(3, 2, 8), drawn_sensors(4, 9, 16))


@pytest.mark.parametrize("sensors", SENSORS, ids=lambda sensors: f"{sensors.width} sensors")
def test_the_shipped_reader_finds_in_a_file_what_was_placed_there(sensors: Sensors) -> None:
    logs = drawn_logs(60, 3, SPEC, sensors)
    data, placed = as_lines(combined(logs, SPEC, 1_587_920_555_000).log, sensors)
    expected = expectation_of(placed, SPEC, sensors).outputs
    assert first_difference(expected, reference(data, SPEC, sensors=sensors)) == ""


@pytest.mark.parametrize("sensors", SENSORS, ids=lambda sensors: f"{sensors.width} sensors")
def test_the_loop_over_a_topic_gives_what_the_oracle_finds(sensors: Sensors) -> None:
    _, placed, owners = as_topic(combined(drawn_logs(60, 3, SPEC, sensors), SPEC, 1_587_920_555_000), sensors, 3)
    expectation = expectation_of(placed, SPEC, sensors)
    assert oracle_difference(expectation, SPEC) == ""
    assert expectation.occurred["INVALID key"] > 0
    assert (expectation.occurred["absent readings"] > 0) == any(sensors.optional)
    assert (expectation.occurred["REFUSED"] > 0) == any(sensors.optional)  # a mean of none
    assert {owner % 3 for owner in owners} == {int(entry.position[0]) for entry in placed}


@pytest.mark.parametrize("sensors", SENSORS, ids=lambda sensors: f"{sensors.width} sensors")
def test_each_odd_value_has_the_error_that_the_shipped_codec_finds(sensors: Sensors) -> None:
    codec = EventCodec(EventLayout(sensors))
    for value, error in (*odd_values(sensors), *odd_lines(sensors)):
        if error is not None:
            with pytest.raises(EventError) as caught:
                codec.line(value)
            assert " ".join(filter(None, (caught.value.error, caught.value.field))) == error, value


def test_a_seed_draws_1_to_16_sensors_some_of_them_optional() -> None:
    drawn = [drawn_sensors(seed, fewest, most) for seed in range(60) for fewest, most in ((1, 1), (2, 8), (9, 16))]
    assert {sensors.width for sensors in drawn} == set(range(1, 17))
    assert {any(sensors.optional) for sensors in drawn} == {True, False}
    assert all(not all(sensors.optional) for sensors in drawn if sensors.width > 1)
    assert drawn_sensors(5, 9, 16) == drawn_sensors(5, 9, 16)


def test_the_jobs_are_of_the_demo_and_of_fleets_with_one_few_and_many_sensors() -> None:
    assert {job.fleet for job in JOBS} == {"demo", "one", "few", "many"}
    drawn = [with_sensors(job, 3, None) for job in JOBS]
    assert len({job.sensors for job in drawn}) == 4  # services for each of them: few
    given = [with_sensors(job, 3, SENSORS[2]) for job in JOBS]
    assert {job.sensors for job in given} == {SENSORS[2]}
    assert not any(job.is_refusing for job in given)
    assert "unary" not in {run.settings.get("rpc") for job in given for run in job.runs}
    assert [with_sensors(job, 3, DEMO_SENSORS) for job in JOBS] == [*JOBS]


def test_the_jobs_show_every_rule() -> None:
    occurred: Counter[str] = Counter()
    for number, job in enumerate(JOBS):
        job = with_sensors(job, number, None)
        logs = drawn_logs(20, number, job.spec, job.sensors, goes_back=job.goes_back)
        whole = combined(logs, job.spec, job.start_ms, overlap=not job.goes_back)
        _, placed = as_lines(whole.log, job.sensors)
        occurred += expectation_of(placed, job.spec, job.sensors).occurred
    wanted = {*CAUSES, *REASONS, "absent readings"} - {"INVALID"}
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
    odd = OddRecord(b"{", "not_an_event", 5)
    data, placed = as_lines((event("a", 1, 5), event("a", 2, 5), odd, event("a", 3, 6)), DEMO_SENSORS)
    cuts = bytes_before(placed, cuts_of(placed))
    assert [data[cut:].count(b"\n") for cut in cuts] == [2, 1]  # what is no event may stand on either side


def test_a_topic_is_cut_only_where_every_clock_is_behind_what_comes() -> None:
    events = [event("a", 1, 5), event("b", 1, 9), event("a", 2, 8), event("b", 2, 10), event("a", 3, 10)]
    _, placed, _ = as_topic(Combined(tuple(events), (0, 1, 0, 1, 0)), DEMO_SENSORS, 2)
    assert cuts_of(placed) == (1, 3)


def test_what_is_placed_is_clamped_to_the_clock_of_its_partition() -> None:
    events = (event("a", 1, 5), event("b", 1, 9), event("a", 2, 4), event("a", 3, 0, no_time_ms=-1), event("b", 2, 8))
    owners = (0, 1, 0, 0, 1)
    _, placed, _ = as_topic(Combined(events, owners), DEMO_SENSORS, 2)
    assert [(entry.arrival_ms, entry.clock_ms, entry.error) for entry in placed] == [
        (5, 5, None),
        (9, 9, None),
        (5, 5, None),
        (-1, 5, "time arrival"),
        (9, 9, None),
    ]
    _, placed = as_lines(events, DEMO_SENSORS)
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
        as_lines(log, DEMO_SENSORS)[0], {"bytewax, file": Difference("a", "predictions", 0, b"x", None), "flink": None}
    )
    assert "bytewax, file    nothing more" in text
    assert "flink: as the plain loop" in text
    files = kept(tmp_path, "found", log, SPEC, DEMO_SENSORS, {"job": "a job"})
    assert {file.name for file in files} == {"found.jsonl", "found.yaml", "found.transcript.yaml"}
    assert yaml.safe_load((tmp_path / "found.yaml").read_text())["spec"]["tick_ms"] == 7
    (tmp_path / "found.yaml").unlink()
    [transcript] = load_transcripts(tmp_path)
    assert [output.kind for output in transcript.expected()][:2] == ["event", "event"]


def test_a_run_without_restarts_reads_its_log_at_once() -> None:
    log = LogFile(b"", SPEC, DEMO_SENSORS, 70, cuts=(1, 2, 3), instants=(40, 50, 60))
    assert EngineRun("bytewax")._ends(log, 9) == [(9, 70)]
    assert EngineRun("bytewax", restarts=2)._ends(log, 9) == [(1, 70), (2, 70), (9, 70)]
    assert EngineRun("bytewax", restarts=2, ends="until")._ends(log, 9) == [(9, 40), (9, 50), (9, 70)]
    assert Job("a job", SPEC, ()).partitions == 3


def test_a_log_of_other_sensors_is_kept_as_a_transcript_of_them(tmp_path: Path) -> None:
    sensors = Sensors.of(["celsius", "door?"])
    readings = [("1", "2"), ("1", None), ("1", "null"), ("0.1", None)]
    log = tuple(EventRecord("a", 20_000, each, 20_000) for each in readings)
    kept(tmp_path, "found", log, SPEC, sensors, {})
    assert yaml.safe_load((tmp_path / "found.yaml").read_text())["sensors"] == ["celsius", "door?"]
    (tmp_path / "found.yaml").unlink()
    [transcript] = load_transcripts(tmp_path)
    assert transcript.sensors == sensors
    assert [output.kind for output in transcript.expected()] == ["event", "event", "DUPLICATE", "event"]
