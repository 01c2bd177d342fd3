"""Both engines side by side on one topic that still grows: once both have caught up, their outputs are the same."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from dataflows.services.client import Services
from dataflows.settings import RunSettings
from runtime.python_process import python_environment
from runtime.settings import arguments_of
from tests.dataflows.connectors.kafka.topics import Topics
from tests.parity.comparison import compared, differences, in_sequence
from tests.parity.drawing import drawn_logs
from tests.parity.expected import expectation_of
from tests.parity.jobs import JOBS
from tests.parity.logs import TopicRecord, as_topic, combined
from tests.parity.surroundings import Surrounding
from tests.reference import Outputs, read_outputs

PARTITIONS = 3
CHUNKS = 8


@contextmanager
def started(engine: str, settings: RunSettings) -> Iterator[None]:
    """A run that would go on for ever, until the end of the context."""
    command = [sys.executable, "-m", "dataflows.command_line", "run", "--engine", engine, *arguments_of(settings)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=python_environment())
    try:
        yield
    finally:
        has_ended = process.poll() is not None
        process.terminate()
        said = process.communicate()
        assert not has_ended, said  # else it would only be told that outputs are missing


def fill(topics: Topics, source: str, records: Sequence[TopicRecord]) -> None:
    for partition in range(PARTITIONS):
        topics.fill(source, [record[1:] for record in records if record.partition == partition], partition)


def outputs_of(topics: Topics, where: dict[str, str], expected: Outputs, folder: Path) -> Outputs:
    """What both topics of a run hold once there is as much as there has to be."""
    predictions = sum(len(lines.predictions) for lines in expected.values())
    others = compared(expected).outputs - predictions
    folder.mkdir()
    for name, number in (("predictions", predictions), ("rejections", others)):
        found = topics.records(where[name], lambda messages, number=number: len(messages) >= number)
        (folder / name).write_bytes(b"".join((message.value() or b"") + b"\n" for message in found))
    return in_sequence(read_outputs(folder / "predictions", folder / "rejections"))


@pytest.mark.usefixtures("has_flink", "has_broker")
def test_both_engines_give_the_same_on_a_topic_that_is_still_written_to(
    surrounding: Surrounding, tmp_path: Path
) -> None:
    job = JOBS[0]
    around = surrounding.of(job)
    topics, services = around.topics, around.services
    assert topics is not None
    whole = combined(drawn_logs(30, 11, job.spec, job.sensors), job.spec, job.start_ms)
    records, placed, _ = as_topic(whole, job.sensors, PARTITIONS)
    end_ms = max(record.timestamp_ms for record in records)
    expected = expectation_of(placed, job.spec, job.sensors, end_ms).outputs
    source = topics.made(PARTITIONS)
    runs = {engine: {"predictions": topics.made(2), "rejections": topics.made(2)} for engine in ("bytewax", "flink")}

    def settings(engine: str, services: Services) -> RunSettings:
        return RunSettings.of(
            input=source, features=services.features, inference=services.inference, quiet=True, timeout_ms=60_000,
            epoch_ms=500, **runs[engine], **asdict(job.spec),
        )  # type: ignore[arg-type]  # fmt: skip

    with started("flink", settings("flink", services)), started("bytewax", settings("bytewax", services)):
        size = -(-len(records) // CHUNKS)
        for start in range(0, len(records), size):
            fill(topics, source, records[start : start + size])
        # Behind its watermark, a heartbeat's arrival less 1 ms, each partition has shown all it will show.
        fill(topics, source, [TopicRecord(number, None, None, end_ms + 1) for number in range(PARTITIONS)])
        found = {engine: outputs_of(topics, where, expected, tmp_path / engine) for engine, where in runs.items()}
    assert list(differences(expected, found["bytewax"])) == []
    assert list(differences(expected, found["flink"])) == []
