"""The job on a cluster of two task managers, submitted by the command on the page about Flink."""

import re
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC_OPTIONS, fleet_lines
from tests.dataflows.connectors.kafka.topics import Record, Topics, records_of
from tests.dataflows.flink.cluster import Cluster, running_cluster
from tests.dataflows.flink.flink_runs import Lines, Sink, portions, undisturbed_by

pytestmark = pytest.mark.usefixtures("has_flink")

PARTITIONS = 4
TWO = ("--parallelism", "2")


def documented_command() -> list[str]:
    """What the page says to type, up to the options of the job."""
    page = (ROOT / "docs" / "kafka-and-flink.md").read_text()
    [command] = re.findall(r"^flink (run .*?-py \S+) ", page.replace("\\\n", " "), re.MULTILINE)
    return command.split()


RUN = documented_command()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), task_managers=2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return records_of(fleet_lines(devices=30, minutes=40))


@pytest.fixture(scope="module")
def undisturbed(records: list[Record], topics: Topics, kafka_pipelines: KafkaPipelines) -> Lines:
    log = topics.made(PARTITIONS)
    topics.fill(log, records)
    return undisturbed_by(kafka_pipelines, topics, log)


@pytest.fixture(scope="module")
def services(features_address: str, inference_address: str) -> list[str]:
    return ["--features", features_address, "--inference", inference_address]


def test_flink_run_takes_the_job_to_a_cluster(
    cluster: Cluster,
    records: list[Record],
    undisturbed: Lines,
    services: list[str],
    topics: Topics,
) -> None:
    log, sink = topics.made(PARTITIONS), Sink.made(topics)
    topics.fill(log, records)
    done = cluster.flink(*RUN, "--input", log, *sink.options, *services, *SPEC_OPTIONS, *TWO, "--bounded")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sink.committed() == undisturbed


def test_a_task_manager_that_is_killed_costs_no_output_and_repeats_none(
    cluster: Cluster,
    records: list[Record],
    undisturbed: Lines,
    services: list[str],
    topics: Topics,
) -> None:
    log, sink = topics.made(PARTITIONS), Sink.made(topics)
    options = ["--input", log, *sink.options, *services, *SPEC_OPTIONS, *TWO, "--delivery", "exactly-once"]
    done = cluster.flink("run", "--detached", *RUN[1:], *options)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = portions(records, 2)
    topics.fill(log, first)
    sink.appeared(500)
    cluster.kill_a_task_manager()
    cluster.add_task_manager()
    topics.fill(log, second)
    # Behind its watermark, the last arrival less 1 ms, each partition has shown all it will show.
    heartbeats = [(number, (None, None, records[-1][2] + 1)) for number in range(PARTITIONS)]
    for number, heartbeat in heartbeats:
        topics.fill(log, [heartbeat], number)
    topics.records(sink.output, lambda messages: len(messages) >= len(undisturbed[0]))
    topics.records(sink.rejections, lambda messages: len(messages) >= len(undisturbed[1]))
    assert cluster.was_restarted()
    cluster.cancel()
    written = sink.committed()
    print(f"{len(undisturbed[0])} predictions expected, {len(written[0])} written, {sink.seen()} sent")
    assert written == undisturbed
