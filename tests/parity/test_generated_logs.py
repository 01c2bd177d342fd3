"""A sample of ``latecomer parity``: generated logs give the same bytes on every engine, from files and from Kafka."""

from dataclasses import replace
from functools import cache

import pytest

from tests.parity.comparison import compared
from tests.parity.drawing import drawn_logs
from tests.parity.engines import BYTEWAX, FLINK, KAFKA, EngineRun
from tests.parity.jobs import CLOCKS, JOBS, with_sensors
from tests.parity.keeping import side_by_side
from tests.parity.logs import EventRecord, Log
from tests.parity.suite import chosen_jobs, judged, prepared
from tests.parity.surroundings import Surrounding
from tests.parity.transcript_jobs import transcript_jobs
from window_core import DEMO_SENSORS, Sensors, WindowSpec

LOGS = 50
SEED = 7

EDGES, REFUSING, *_ = JOBS
FEW = with_sensors(EDGES, SEED, None)
JAVA = with_sensors(next(job for job in JOBS if job.features_in == "java"), SEED, None)
LITTLE_ROOM = with_sensors(next(job for job in JOBS if job.has_little_room), SEED, None)

CASES = {
    "bytewax-file": (replace(EDGES, has_until=True), EngineRun(BYTEWAX, {"rpc": "batch", "batch_windows": 3})),
    "bytewax-java": (JAVA, EngineRun(BYTEWAX)),
    "bytewax-little-room": (LITTLE_ROOM, EngineRun(BYTEWAX, {"batch_windows": 9})),
    "bytewax-restarted": (FEW, EngineRun(BYTEWAX, restarts=5)),
    "bytewax-kafka": (REFUSING, EngineRun(BYTEWAX, {"parallelism": 2, "source_records": 7}, medium=KAFKA)),
    "bytewax-clocks": (CLOCKS, EngineRun(BYTEWAX, restarts=4)),
    "bytewax-until": (CLOCKS, EngineRun(BYTEWAX, restarts=4, ends="until")),
    "bytewax-kafka-clocks": (CLOCKS, EngineRun(BYTEWAX, medium=KAFKA)),
    "bytewax-kafka-until": (CLOCKS, EngineRun(BYTEWAX, restarts=3, ends="until", medium=KAFKA)),
    "flink-clocks": (CLOCKS, EngineRun(FLINK)),
    "flink-file": (FEW, EngineRun(FLINK, {"parallelism": 2, "batch_windows": 7, "batch_wait_ms": 60_000})),
    "bytewax-to-bytewax": (FEW, EngineRun(BYTEWAX, restarts=3, handed_to=BYTEWAX)),
    "bytewax-to-flink-file": (FEW, EngineRun(BYTEWAX, restarts=1, handed_to=FLINK)),
    "bytewax-to-flink-and-back": (CLOCKS, EngineRun(BYTEWAX, restarts=2, handed_to=FLINK, medium=KAFKA)),
    "flink-kafka": (REFUSING, EngineRun(FLINK, {"parallelism": 2}, medium=KAFKA)),
}


@cache
def logs_under(spec: WindowSpec, sensors: Sensors, goes_back: bool) -> list[Log]:
    return drawn_logs(LOGS, SEED, spec, sensors, goes_back=goes_back)


@pytest.fixture
def needs(request: pytest.FixtureRequest, case: str) -> None:
    """Skip what cannot run here."""
    _, run = CASES[case]
    if FLINK in (run.engine, run.handed_to) or CASES[case][0].features_in == "java":
        request.getfixturevalue("has_flink")
    if run.medium == KAFKA:
        request.getfixturevalue("has_broker")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("needs")
def test_an_engine_writes_the_bytes_of_the_plain_loop(case: str, surrounding: Surrounding) -> None:
    job, run = CASES[case]
    job = replace(job, runs=(run,))
    around = surrounding.of(job)
    of_job = prepared(job, logs_under(job.spec, job.sensors, job.goes_back), around.asked)
    outputs, finding = judged(of_job, run, around)
    shown = "" if finding is None else finding.failure or side_by_side(b"", {run.name: finding.difference})
    assert finding is None, f"{len(finding.suspects)} of {LOGS} logs\n{shown}"
    assert compared(outputs) == compared(of_job.readings[run.medium].expectation.outputs)
    assert compared(outputs).outputs > 10 * LOGS


@pytest.mark.parametrize("sensors", ["the demo's", "others"])
@pytest.mark.usefixtures("has_broker")
def test_the_transcripts_of_one_spec_give_the_same_bytes_on_a_topic(surrounding: Surrounding, sensors: str) -> None:
    jobs = [job for job in transcript_jobs() if (job.sensors == DEMO_SENSORS) == (sensors == "the demo's")]
    job = max(jobs, key=lambda job: (job.spec.tick_ms > 0, job.sensors.width, len(job.logs)))
    run = next(run for run in job.runs if run.engine == BYTEWAX)
    around = surrounding.of(job)
    _, finding = judged(prepared(job, job.logs, around.asked), run, around)
    assert finding is None, side_by_side(b"", {run.name: finding.difference})


def test_all_jobs_together_run_both_engines_on_both_media_in_every_way_to_call() -> None:
    runs = [run for job in JOBS for run in job.runs]
    for engine in (BYTEWAX, FLINK):
        assert {run.medium for run in runs if run.engine == engine} == {"file", "Kafka"}
        assert {run.settings.get("rpc", "stream") for run in runs if run.engine == engine} == {
            "batch",
            "stream",
            "unary",
        }
    assert all({BYTEWAX, FLINK} == {run.engine for run in job.runs} for job in JOBS)


def test_few_logs_go_through_few_jobs() -> None:
    assert [len(chosen_jobs(examples)) for examples in (1, 100, 200, 2_000)] == [2, 2, 5, len(JOBS)]


def test_a_log_whose_every_evaluation_is_refused_is_compared_like_any(surrounding: Surrounding) -> None:
    job = replace(JOBS[0], runs=(EngineRun(BYTEWAX),), sensors=Sensors.of(["door?"]))
    log = tuple(EventRecord("a", 1_000 + number, (reading,), 1_000) for number, reading in enumerate((None, "null")))
    _, finding = judged(prepared(job, [log]), job.runs[0], surrounding.of(job))
    assert finding is None, finding.failure
