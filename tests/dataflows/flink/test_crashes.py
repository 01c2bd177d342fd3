"""Flink on this machine, killed or stopped: each output stands there, and with exactly once it stands there once."""

import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from dataflows.kafka_broker.broker import Broker
from tests.dataflows.commands import latecomer_here, one_line
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC_OPTIONS, fleet_lines
from tests.dataflows.connectors.kafka.topics import PASSWORD, USER, Record, Topics, records_of
from tests.dataflows.flink.flink_runs import THOROUGH, Lines, Sink, kill_all, portions, undisturbed_by

pytestmark = pytest.mark.usefixtures("has_flink")

PARTITIONS = 3
HUGE = 5_000_000
KILLS = 4 if THOROUGH else 2


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Those of a fleet, and one of 5 MB in their midst."""
    records = records_of(fleet_lines(devices=30, minutes=40))
    middle = len(records) // 2
    huge = (b"device-0001", b"{" * HUGE, records[middle][2])
    return [*records[:middle], huge, *records[middle:]]


def made_log(topics: Topics) -> str:
    return topics.made(PARTITIONS, max_message_bytes="6000000")


@pytest.fixture(scope="module")
def undisturbed(records: list[Record], topics: Topics, kafka_pipelines: KafkaPipelines) -> Lines:
    log = made_log(topics)
    topics.fill(log, records)
    predictions, rejections = undisturbed_by(kafka_pipelines, topics, log)
    assert len(set(predictions)) == len(predictions) > 5_000
    assert sum(f'"size":{HUGE},'.encode() in line for line in rejections) == 1
    return predictions, rejections


def test_with_exactly_once_a_run_that_is_killed_writes_each_output_once(
    records: list[Record], undisturbed: Lines, topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    log, sink, state = made_log(topics), Sink.made(topics), ["--state", str(tmp_path / "state")]
    options = ["--engine", "flink", "--input", log, *sink.options, *SPEC_OPTIONS, *state]
    options += ["--delivery", "exactly-once", "--epoch", "300ms"]
    committed = 0
    for number, portion in enumerate(portions(records, KILLS)):
        first, second = portions(portion, 2)
        with kafka_pipelines.started(*options) as process:
            topics.fill(log, first)
            committed = sink.appeared(committed + 1, "read_committed")  # what begins anew now repeats
            appeared = sink.seen()
            topics.fill(log, second)
            sink.appeared(appeared + 300)
            if number % 2 == 0:
                kill_all(process)
            else:
                process.kill()  # the JVM lives on for a moment, and the next run has to wait for its end
                process.wait()
    with kafka_pipelines.started(*options, "--bounded") as process:
        assert process.wait(120) == 0, process.communicate()
    written = sink.committed()
    print(f"{KILLS} kills: {len(undisturbed[0])} predictions expected, {len(written[0])} committed, {sink.seen()} sent")
    assert written == undisturbed
    topics.add_partitions(log, 4)
    assert "of 3 partitions, not" in refused(kafka_pipelines, *options, "--bounded", cwd=tmp_path)


def refused(kafka_pipelines: KafkaPipelines, *options: str, cwd: Path) -> str:
    """What a run says that does not start."""
    done = latecomer_here(*kafka_pipelines.command(*options, "--quiet")[3:], cwd=cwd)
    assert done.returncode == 2
    return one_line(done.stderr)


class Stopped(NamedTuple):
    """A run that was told to end.

    Attributes:
        savepoints: a copy of what it has left behind.
        left: the records that it has not seen.
        options: those to resume with.
        written: the predictions.
    """

    sink: Sink
    log: str
    savepoints: Path
    left: Sequence[Record]
    options: list[str]
    written: list[bytes]


@pytest.fixture(scope="module")
def stopped(
    records: list[Record],
    broker: Broker,
    topics: Topics,
    kafka_pipelines: KafkaPipelines,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stopped:
    """One that keeps its windows in RocksDB, logs in to the broker, and is interrupted."""
    folder = tmp_path_factory.mktemp("stopped")
    assert broker.secured_address is not None
    log, sink, state = made_log(topics), Sink.made(topics), folder / "state"
    properties = folder / "kafka.properties"
    properties.write_text(
        f"security.protocol=SASL_PLAINTEXT\nsasl.mechanisms=PLAIN\nsasl.username={USER}\nsasl.password={PASSWORD}\n"
    )
    places = [text.replace(topics.address, broker.secured_address) for text in ("--input", log, *sink.options)]
    options = ["--engine", "flink", *places, *SPEC_OPTIONS, "--epoch", "300ms", "--state", str(state)]
    options += ["--state-backend", "rocksdb", "--kafka-properties", str(properties)]
    first, second = portions(records, 2)
    with kafka_pipelines.started(*options) as process:
        topics.fill(log, first)
        sink.appeared(300)
        assert "is in use by another run" in refused(kafka_pipelines, *options, cwd=folder)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "evaluations" in said
    savepoints = shutil.copytree(state / "savepoints", folder / "savepoints")
    return Stopped(sink, log, savepoints, second, options, sink.committed()[0])


def test_a_run_that_was_interrupted_goes_on_without_a_repeat_and_one_that_is_killed_loses_nothing(
    stopped: Stopped, undisturbed: Lines, topics: Topics, kafka_pipelines: KafkaPipelines
) -> None:
    sink = stopped.sink
    before = len(stopped.written)
    assert 300 <= before == len(set(stopped.written)) < len(undisturbed[0])
    with kafka_pipelines.started(*stopped.options) as process:
        topics.fill(stopped.log, stopped.left)
        sink.appeared(before + 300)
        kill_all(process)
    seen = sink.committed()[0]
    assert len(seen) == len(set(seen))
    with kafka_pipelines.started(*stopped.options, "--bounded") as process:
        assert process.wait(120) == 0, process.communicate()
    predictions, rejections = sink.committed()
    print(f"RocksDB, 1 kill: {len(undisturbed[0])} predictions expected, {len(predictions)} written")
    assert (sorted(set(predictions)), sorted(set(rejections))) == undisturbed


def test_the_state_of_another_topic_is_refused_by_the_job_too(
    stopped: Stopped, topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    log, sink = made_log(topics), Sink.made(topics)
    options = ["--engine", "flink", "--input", log, *sink.options, "--state", str(tmp_path / "state"), "--bounded"]
    command = kafka_pipelines.command(*options)
    shutil.copytree(stopped.savepoints, tmp_path / "state" / "savepoints")
    (tmp_path / "state" / "latecomer.json.new").touch()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "latecomer: the job failed: the state is of the topic " in done.stderr.splitlines()[-1]
