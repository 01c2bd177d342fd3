"""Whatever dies, the set of outputs is that of a run that nothing happened to, and repeats are the same bytes."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Message

from dataflows.kafka_broker.broker import Broker
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC, SPEC_OPTIONS, fleet_lines
from tests.dataflows.connectors.kafka.topics import Topics, records_of, values_of

LINES = fleet_lines(devices=30, minutes=40)

SLOW = ("--batch-windows", "2", "--in-flight", "1", "--source-records", "40", "--epoch", "100ms")
"""So slow that it can be met in the middle, and with many epochs."""


def more_than(number: int) -> Callable[[list[Message]], bool]:
    return lambda messages: len(messages) > number


@pytest.fixture(scope="module")
def log(topics: Topics) -> str:
    location = topics.made(3)
    topics.fill(location, records_of(LINES))
    return location


@pytest.mark.parametrize("parallelism", ["1", "2", "3"])
def test_killed_twice_it_loses_nothing(
    parallelism: str,
    log: str,
    undisturbed: tuple[set[bytes], set[bytes]],
    topics: Topics,
    kafka_pipelines: KafkaPipelines,
    tmp_path: Path,
) -> None:
    output, rejections = topics.made(2), topics.made(2)
    options = ["--input", log, "--output", output, "--rejections", rejections, "--bounded", *SPEC_OPTIONS]
    options += ["--state", str(tmp_path / "state"), "--parallelism", parallelism]
    written = 0
    for _ in range(2):
        with kafka_pipelines.started(*options, *SLOW) as process:
            written = len(topics.records(output, more_than(written + 500)))
            process.kill()
            assert process.wait() == -signal.SIGKILL  # it was in the middle
    with kafka_pipelines.started(*options) as process:
        assert process.wait(120) == 0
    predictions = values_of(topics.records(output))
    assert (set(predictions), set(values_of(topics.records(rejections)))) == undisturbed
    assert len(undisturbed[0]) <= len(predictions) < 2 * len(undisturbed[0])  # it went on, and did not begin anew


def test_a_file_is_cut_back_to_what_the_state_knows(
    log: str, topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    undisturbed = kafka_pipelines.run(log, SPEC, output=str(tmp_path / "once"), rejections=str(tmp_path / "once-not"))
    output, rejections = tmp_path / "predictions.jsonl", topics.made()
    options = ["--input", log, "--output", str(output), "--rejections", rejections, "--bounded", *SPEC_OPTIONS]
    options += ["--state", str(tmp_path / "state")]
    with kafka_pipelines.started(*options, *SLOW) as process:
        topics.records(rejections, more_than(20))
        process.kill()
        assert process.wait() == -signal.SIGKILL  # it was in the middle
    with kafka_pipelines.started(*options) as process:
        assert process.wait(120) == 0
    again = kafka_pipelines.outputs(str(output), rejections)
    assert {device: of.predictions for device, of in again.items()} == {
        device: of.predictions for device, of in undisturbed.items()
    }


@pytest.mark.parametrize("is_orderly", [False, True])
def test_a_broker_that_goes_and_comes_back_is_waited_for(
    is_orderly: bool,
    broker: Broker,
    log: str,
    undisturbed: tuple[set[bytes], set[bytes]],
    topics: Topics,
    kafka_pipelines: KafkaPipelines,
) -> None:
    output, rejections = topics.made(2), topics.made(2)
    options = ["--input", log, "--output", output, "--rejections", rejections, "--bounded", *SPEC_OPTIONS]
    with kafka_pipelines.started(*options, *SLOW) as process:
        topics.records(output, more_than(500))
        if is_orderly:
            broker.stop()
        else:
            broker.kill()
        broker.start()
        written = len(topics.records(output, more_than(0)))
        assert process.wait(120) == 0
    predictions = values_of(topics.records(output))
    assert written < len(predictions)
    assert (set(predictions), set(values_of(topics.records(rejections)))) == undisturbed
    assert len(predictions) == len(undisturbed[0])  # the producer is idempotent


def test_an_interrupt_ends_an_unbounded_run_in_order_and_it_goes_on_without_repeats(
    log: str,
    undisturbed: tuple[set[bytes], set[bytes]],
    topics: Topics,
    kafka_pipelines: KafkaPipelines,
    tmp_path: Path,
) -> None:
    output, rejections = topics.made(2), topics.made(2)
    options = ["--input", log, "--output", output, "--rejections", rejections, *SPEC_OPTIONS]
    options += ["--state", str(tmp_path / "state")]
    with kafka_pipelines.started(*options, *SLOW) as process:
        written = len(topics.records(output, more_than(1_000)))
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, _notice(log))
        assert "evaluations" in said
    with kafka_pipelines.started(*options, "--bounded") as process:
        assert process.wait(120) == 0
    predictions = values_of(topics.records(output))
    assert written < len(predictions) == len(set(predictions))
    assert set(predictions) == undisturbed[0]


def _notice(log: str) -> str:
    topic = log.rpartition("/")[2]
    return (
        f"the timestamps of {topic} are its producers' (message.timestamp.type=CreateTime): they are taken for "
        "arrivals, and one that goes back is clamped to the clock of its partition and counted\n"
    )
