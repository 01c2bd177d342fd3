"""Partitions that are added to the topic of a run: devices move between them, so the run ends, and says so."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.dataflows.commands import latecomer_here, one_line
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC_OPTIONS, fleet_lines
from tests.dataflows.connectors.kafka.topics import Topics, records_of
from tests.dataflows.flink.flink_runs import Sink, undisturbed_by

pytestmark = pytest.mark.usefixtures("has_flink")

RECORDS = records_of(fleet_lines(devices=10, minutes=20))

ENDS_WITHIN_S = 30


class Ended(NamedTuple):
    """A run under which a third partition was added.

    Attributes:
        options: its own, but for its state.
        said: what it said when it ended.
    """

    log: str
    sink: Sink
    options: list[str]
    state: Path
    said: str

    @property
    def topic(self) -> str:
        return self.log.rpartition("/")[2]


@pytest.fixture(scope="module")
def ended(topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    log, sink, state = topics.made(2), Sink.made(topics), tmp_path_factory.mktemp("ended") / "state"
    topics.fill(log, RECORDS)
    options = ["--engine", "flink", "--input", log, *sink.options, *SPEC_OPTIONS, "--epoch", "300ms", "--quiet"]
    with kafka_pipelines.started(*options, "--state", str(state)) as process:
        sink.appeared(300)
        topics.add_partitions(log, 3)
        _, errors = process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 1, errors
    return Ended(log, sink, options, state, one_line(errors.encode()))


def test_partitions_added_under_a_run_end_it_with_one_line(ended: Ended) -> None:
    assert ended.said == (
        f"latecomer: the job failed: the topic {ended.topic} has 3 partitions now, and had 2: devices have moved "
        "between them, so start anew with another state"
    )


def test_its_state_is_refused_by_the_command_line_and_by_the_job(
    ended: Ended, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    command = kafka_pipelines.command(*ended.options, "--state", str(ended.state))
    done = latecomer_here(*command[3:], cwd=tmp_path)
    assert done.returncode == 2
    assert "of 2 partitions, not " in one_line(done.stderr)
    taken = tmp_path / "state"
    shutil.copytree(ended.state / "checkpoints", taken / "checkpoints")
    (taken / "latecomer.json.new").touch()
    command = kafka_pipelines.command(*ended.options, "--state", str(taken))
    job = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert job.returncode == 1, job
    assert "with max parallelism 2 to new program with max parallelism 3" in one_line(job.stderr.encode())


def test_a_run_that_starts_anew_makes_its_outputs_whole(
    ended: Ended, topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    with kafka_pipelines.started(*ended.options, "--bounded", "--state", str(tmp_path / "anew")) as process:
        assert process.wait(60) == 0, process.communicate()
    predictions, rejections = ended.sink.committed()
    whole = undisturbed_by(kafka_pipelines, topics, ended.log)
    assert (sorted(set(predictions)), sorted(set(rejections))) == whole
    assert len(predictions) > len(whole[0])  # of which the one that was ended had written some
