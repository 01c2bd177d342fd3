"""A run as several processes is one run: in its outputs, its state, its counts and its end."""

import fcntl
import os
import re
import signal
import subprocess
import urllib.request
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import TypeAlias

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.dataflows.command_line.test_signals import all_gone, children_of
from tests.dataflows.commands import latecomer
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.live_runs import run_with_metrics
from tests.dataflows.connectors.kafka.logs import SPEC, SPEC_OPTIONS, fleet_lines
from tests.dataflows.connectors.kafka.test_failures import more_than
from tests.dataflows.connectors.kafka.topics import Topics, records_of, values_of

LINES = fleet_lines(devices=30, minutes=40)
PARTITIONS = 5

SLOW = ("--batch-windows", "2", "--in-flight", "1", "--source-records", "40", "--epoch", "100ms")
"""So slow that it can be met in the middle, and with many epochs."""


@pytest.fixture(scope="module")
def log(topics: Topics) -> str:
    location = topics.made(PARTITIONS, message_timestamp_type="CreateTime")
    topics.fill(location, records_of(LINES))
    return location


class Run:
    """What the runs of a test have in common."""

    def __init__(self, log: str, topics: Topics, folder: Path) -> None:
        self.topics, self.state = topics, folder / "state"
        self.output, self.rejections = topics.made(2), topics.made(2)
        places = ["--input", log, "--output", self.output, "--rejections", self.rejections]
        self.options = [*places, "--state", str(self.state), *SPEC_OPTIONS]

    def of(self, processes: int) -> list[str]:
        return [*self.options, "--parallelism", str(processes)]

    def waits_for(self, more: int) -> None:
        """Wait for so many more predictions."""
        self.topics.records(self.output, more_than(len(self.topics.records(self.output)) + more))

    def written(self) -> tuple[list[bytes], list[bytes]]:
        return values_of(self.topics.records(self.output)), values_of(self.topics.records(self.rejections))


@pytest.fixture
def run(log: str, topics: Topics, tmp_path: Path) -> Run:
    return Run(log, topics, tmp_path)


def processes_of(run: "subprocess.Popen[str]", number: int) -> list[int]:
    """Wait until a run has so many processes; their ids."""
    while True:
        found = [
            child for child in children_of(run.pid) if b"one_process" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        if len(found) == number:
            return found
        assert run.poll() is None, "it ended before"
        with suppress(subprocess.TimeoutExpired):
            run.wait(0.01)


def ours(errors: str) -> list[str]:
    """What is said, but for notices and for what a run without an end tells now and then."""
    assert "Traceback" not in errors
    return [line for line in errors.splitlines() if line.startswith("latecomer")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_another_number_of_processes_goes_on_where_the_last_ones_were_stopped(
    run: Run, undisturbed: tuple[set[bytes], set[bytes]], kafka_pipelines: KafkaPipelines, number: signal.Signals
) -> None:
    for processes in (1, 3, 2):
        with kafka_pipelines.started(*run.of(processes), *SLOW) as process:
            run.waits_for(200)
            children = processes_of(process, 0 if processes == 1 else processes)
            process.send_signal(number)
            said, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "latecomer" not in errors
        evaluations = re.search(r"evaluations +([0-9,]+): event", said)
        assert evaluations is not None, said
        assert int(evaluations[1].replace(",", "")) >= 200
        assert all_gone(children)
    with kafka_pipelines.started(*run.of(PARTITIONS + 1), "--bounded") as process:
        assert process.wait(120) == 0
    predictions, rejections = run.written()
    assert (set(predictions), set(rejections)) == undisturbed
    assert len(predictions) == len(set(predictions))  # each was stopped in order


@pytest.mark.parametrize("bounded", [("--bounded",), ()])
def test_a_process_that_is_killed_ends_the_run_in_one_line_and_the_next_one_loses_nothing(
    run: Run,
    undisturbed: tuple[set[bytes], set[bytes]],
    kafka_pipelines: KafkaPipelines,
    bounded: tuple[str, ...],
) -> None:
    for processes, killed, partitions in ((2, 1, "1, 3"), (3, 0, "0, 3")):
        with kafka_pipelines.started(*run.of(processes), *bounded, *SLOW) as process:
            run.waits_for(200)
            children = sorted(processes_of(process, processes))
            os.kill(children[killed], signal.SIGKILL)
            said, errors = process.communicate(timeout=60)
        assert (process.returncode, said) == (1, "")
        where = f"the process of partitions {partitions} of {run.options[1]} was killed by SIGKILL"
        assert ours(errors) == [f"latecomer: {where}"]
        assert all_gone(children)
    with kafka_pipelines.started(*run.of(2), "--bounded") as process:
        assert process.wait(120) == 0
    predictions, rejections = run.written()
    assert (set(predictions), set(rejections)) == undisturbed


def test_no_process_outlives_a_run_that_is_killed_and_the_next_one_waits_for_them(
    run: Run, undisturbed: tuple[set[bytes], set[bytes]], kafka_pipelines: KafkaPipelines
) -> None:
    for processes in (3, 2):
        with kafka_pipelines.started(*run.of(processes), *SLOW) as process:
            run.waits_for(200)
            children = processes_of(process, processes)
            [lock] = run.state.glob("databases-*/processes.lock")
            assert all(holds(child, lock) for child in children)
            process.kill()
            process.wait()
            assert all_gone(children)
        with lock.open("r+b") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # as one of them would that takes its time to end
            with kafka_pipelines.started(*run.of(1), "--bounded") as second:
                assert second.stderr is not None
                line = f"--state {run.state}: waiting for the processes of a run that was killed to end\n"
                assert line in (second.stderr.readline() for _ in range(2))
                second.kill()
                second.wait()
    with kafka_pipelines.started(*run.of(1), "--bounded") as process:
        assert process.wait(120) == 0
    predictions, rejections = run.written()
    assert (set(predictions), set(rejections)) == undisturbed


def holds(process: int, file: Path) -> bool:
    """Whether a process has a file open."""
    return any(entry.resolve() == file.resolve() for entry in Path(f"/proc/{process}/fd").iterdir())


def test_a_second_signal_ends_all_processes_at_once(run: Run, kafka_pipelines: KafkaPipelines) -> None:
    with kafka_pipelines.started(*run.of(2), *SLOW) as process:
        run.waits_for(100)
        children = processes_of(process, 2)
        for child in children:
            os.kill(child, signal.SIGSTOP)  # neither ends in order
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert (process.returncode, said) == (1, "")
    assert ours(errors) == ["latecomer: interrupted; what was written so far is whole lines"]
    assert all_gone(children)


def test_an_error_of_one_process_is_the_error_of_the_run(
    run: Run, topics: Topics, kafka_pipelines: KafkaPipelines, log: str
) -> None:
    other = topics.made(2)
    topics.fill(other, [(b"d", b"{}", 1_000)] * 600, partition=0)
    topics.fill(other, [(b"d", b"{}", 1_000)] * 600, partition=1)
    options = [*run.of(2)[2:], "--input", other, "--bounded"]
    with kafka_pipelines.started(*options) as process:
        said, errors = process.communicate(timeout=60)
    assert (process.returncode, said) == (1, "")
    assert errors.splitlines()[-1].startswith(
        f"latecomer: {other}: no event among the first 1,000 records; the first is "
    )
    retained = topics.made(2)
    with kafka_pipelines.started(*run.of(2)[2:], "--input", retained, "--parallelism", "2") as process:
        assert process.wait(60) == 2  # the state belongs to the other topic


def test_states_of_any_number_of_processes_are_the_same_file(
    log: str, topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    files = []
    for processes in (1, 2, 3):
        state, file = tmp_path / f"state-{processes}", tmp_path / f"export-{processes}"
        kafka_pipelines.run(log, SPEC, folder=str(state), parallelism=processes)
        assert latecomer("state", "export", "--state", state, file, cwd=tmp_path).returncode == 0
        files.append(file.read_bytes())
    assert files[1:] == files[:1] * 2
    shown = latecomer("state", "show", "--state", tmp_path / "state-3", cwd=tmp_path).stdout.decode()
    assert shown.count("next offset") == PARTITIONS


def test_a_state_is_handed_over_from_three_processes_to_one_and_to_two(
    run: Run,
    undisturbed: tuple[set[bytes], set[bytes]],
    kafka_pipelines: KafkaPipelines,
    tmp_path: Path,
) -> None:
    state = run.state
    for number, processes in enumerate((3, 1, 2)):
        with kafka_pipelines.started(*run.of(processes), *SLOW) as process:
            run.waits_for(200)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        file = tmp_path / f"{number}"
        assert latecomer("state", "export", "--state", state, file, cwd=tmp_path).returncode == 0
        state = tmp_path / f"state-{number}"
        assert latecomer("state", "import", "--state", state, file, cwd=tmp_path).returncode == 0
        run.options[run.options.index("--state") + 1] = str(state)
    with kafka_pipelines.started(*run.of(2), "--bounded") as process:
        assert process.wait(120) == 0
    predictions, rejections = run.written()
    assert (set(predictions), set(rejections)) == undisturbed
    assert len(predictions) == len(set(predictions))


def test_the_metrics_are_those_of_all_processes_together(
    log: str, topics: Topics, features_address: str, inference_address: str, undisturbed: tuple[set[bytes], set[bytes]]
) -> None:
    predictions, rejections_written = undisturbed
    events = sum(b'"cause":"tick"' not in one for one in predictions)
    served = []
    for processes in ("1", "3"):
        output, rejections = topics.made(), topics.made()
        more = ("--parallelism", processes, *SPEC_OPTIONS)
        with run_with_metrics(log, output, rejections, features_address, inference_address, *more) as address:
            served.append(settled(address, events, len(rejections_written)))
    one, three = served
    assert three == one
    assert one["latecomer_records_total", ()] == len(LINES.splitlines())
    assert one["latecomer_lateness_seconds_count", ()] > 0
    assert {labels for name, labels in one if name == "latecomer_lag_records"} == {
        (("partition", str(number)),) for number in range(PARTITIONS)
    }


Samples: TypeAlias = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def settled(address: str, events: int, rejections: int) -> Samples:
    """What is served once all events are evaluated or rejected, and the last ticks too; without calls and batches."""
    before: Samples = {}
    while True:
        with urllib.request.urlopen(address, timeout=30) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        now = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
            if not sample.name.endswith("_created") and "call" not in family.name
        }
        ticks = now.get(("latecomer_evaluations_total", (("cause", "tick"),)), 0)
        is_whole = total(now, "evaluations") - ticks == events and total(now, "rejections") == rejections
        if now == before and is_whole:
            return now
        before = now
        sleep(1)  # several processes report five times a second


def total(samples: Samples, name: str) -> float:
    return sum(value for (sample, _), value in samples.items() if sample == f"latecomer_{name}_total")


def test_where_an_output_is_a_file_the_run_is_one_process_and_says_so(
    log: str, kafka_pipelines: KafkaPipelines, topics: Topics, tmp_path: Path
) -> None:
    output = tmp_path / "p.jsonl"
    options = ["--input", log, "--output", str(output), "--rejections", topics.made(), "--bounded", *SPEC_OPTIONS]
    with kafka_pipelines.started(*options, "--parallelism", "3") as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    line = f"--parallelism 3: the run is one process, since --output {output} is a file, which one process writes"
    assert errors.splitlines()[1:] == [line]
