"""Bytewax on a topic, killed at random moments, and made to die where a later run once took its snapshots for its own.

``LATECOMER_KILLS=100 pytest -s -o timeout=0`` with the path of this file kills 100 times in place of 3,
forces a fifth as many deaths, and prints what became of the outputs and how long it took to go on.
"""

import subprocess
from contextlib import suppress
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from tests.dataflows.bytewax_flow.states import epochs, refusing
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC, SPEC_OPTIONS, fleet_lines
from tests.dataflows.connectors.kafka.topics import Topics, records_of, values_of
from tests.faults.figures import KILLS, report

DEATHS = max(2, KILLS // 5)

SLOW = ("--batch-windows", "2", "--in-flight", "1", "--source-records", "20", "--epoch", "50ms")
"""So slow that many epochs pass before the end of the log."""


@pytest.fixture(scope="module")
def log(topics: Topics) -> str:
    location = topics.made(3)
    topics.fill(location, records_of(fleet_lines(devices=30, minutes=40 + 10 * KILLS)))
    return location


@pytest.fixture(scope="module")
def expected(log: str, kafka_pipelines: KafkaPipelines, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """What a run writes that nobody kills."""
    folder = tmp_path_factory.mktemp("undisturbed")
    places = folder / "p.jsonl", folder / "r.jsonl"
    kafka_pipelines.run_only(log, SPEC, *map(str, places))
    return lines(*places)


def lines(*paths: Path) -> list[bytes]:
    return sorted(line for path in paths for line in path.read_bytes().splitlines())


@pytest.mark.parametrize("where", ["files", "topics"])
def test_killed_at_random_moments_it_writes_what_a_run_writes_that_nobody_kills(
    where: str, log: str, expected: list[bytes], topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    random, state = Random(KILLS), tmp_path / "state"
    files = tmp_path / "p.jsonl", tmp_path / "r.jsonl"
    places = [str(file) for file in files] if where == "files" else [topics.made(2), topics.made(2)]
    options = ["--input", log, "--output", places[0], "--rejections", places[1], "--state", str(state), *SPEC_OPTIONS]
    processes = "1" if where == "files" else "2"
    recovered_s: list[float] = []
    for _ in range(KILLS):
        wanted = epochs(state) + random.randrange(4)
        with kafka_pipelines.started(*options, "--parallelism", processes, *SLOW) as process:
            start_s = monotonic()
            wait_for_epochs(process, state, wanted)
            recovered_s.append(monotonic() - start_s)
            with suppress(subprocess.TimeoutExpired):  # a moment inside an epoch
                process.wait(random.random() / 10)
            assert process.poll() is None, process.communicate()
            process.kill()
            process.wait()
    with kafka_pipelines.started(*options, "--bounded") as process:
        assert process.wait(300) == 0
    written = lines(*files) if where == "files" else [v for place in places for v in values_of(topics.records(place))]
    report(f"bytewax: SIGKILL, Kafka to {where}", KILLS, expected, written, recovered_s)
    if where == "files":
        assert written == expected  # not one line twice
    else:
        assert set(written) == set(expected)


def wait_for_epochs(process: "subprocess.Popen[str]", state: Path, number: int) -> None:
    """Wait until so many epochs of a state have ended."""
    while process.poll() is None and epochs(state) < number:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.005)


def test_snapshots_that_a_death_leaves_behind_are_not_taken_for_those_of_a_later_run(
    log: str, expected: list[bytes], kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    state, files = tmp_path / "state", (tmp_path / "p.jsonl", tmp_path / "r.jsonl")

    def run(**more: object) -> None:
        kafka_pipelines.run_only(log, SPEC, *map(str, files), folder=str(state), **more)

    def died(frontier: int, **more: object) -> None:
        with (
            refusing(state, "INSERT UPDATE ON fronts", f"new.worker_frontier > {frontier}"),
            pytest.raises(OSError, match="killed here"),
        ):
            run(**more)

    options = ["--input", log, "--output", str(files[0]), "--rejections", str(files[1]), "--state", str(state)]
    with kafka_pipelines.started(*options, *SPEC_OPTIONS, *SLOW) as process:
        wait_for_epochs(process, state, 1)
        process.kill()
        process.wait()
    recovered_s: list[float] = []
    for _ in range(DEATHS):
        epoch = epochs(state) + 3
        died(epoch, epoch_ms=50, source_records=300, batch_windows=8, in_flight=1)
        start_s = monotonic()
        died(epoch + 1, epoch_ms=1, source_records=10)
        recovered_s.append(monotonic() - start_s)
    run()
    report("bytewax: death between snapshots and frontier", DEATHS, expected, lines(*files), recovered_s)
    assert lines(*files) == expected
