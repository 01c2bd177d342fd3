"""The edges of a log on Flink: where runs end and go on, clocks that go back, records and topics that are gone."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from confluent_kafka import Producer

from dataflows.pipeline.event_codec import EventCodec
from tests.dataflows.commands import one_line
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC_OPTIONS, START_MS, fleet_lines
from tests.dataflows.connectors.kafka.topics import Record, Topics, records_of
from tests.dataflows.flink.flink_runs import Lines, Sink, undisturbed_by
from tests.events import demo_event

pytestmark = [pytest.mark.usefixtures("has_flink"), pytest.mark.timeout(900)]  # up to three starts of a JVM

PARTITIONS = 3
MINUTE_MS = 60_000
DAY_MS = 86_400_000
ANY_TIME = {"message_timestamp_after_max_ms": str(2**63 - 1), "message_timestamp_before_max_ms": str(2**63 - 1)}
WITHIN_S = 300


def with_wrong_clocks(records: Sequence[Record]) -> list[Record]:
    """Arrivals that go back by less or more than a tick, some in microseconds, and at the end a jump of eight days."""
    wrong = []
    for number, (key, value, at_ms) in enumerate(records):
        back_ms = {3: 1, 7: 90_000, 11: 20 * MINUTE_MS}.get(number % 13, 0)
        wrong.append((key, value, 1_000 * at_ms if number % 101 == 50 else at_ms - back_ms))
    key, value, at_ms = wrong[-20]
    wrong[-20] = (key, value, at_ms + 8 * DAY_MS)
    return wrong


def run(kafka_pipelines: KafkaPipelines, *options: str) -> tuple[int, str, str]:
    """A run to its end: status, summary, errors."""
    with kafka_pipelines.started("--engine", "flink", *options) as process:
        said, errors = process.communicate(timeout=WITHIN_S)
    return process.returncode, said, errors


def test_bounded_runs_one_after_another_write_what_one_run_writes(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    log, sink = topics.made(PARTITIONS, **ANY_TIME), Sink.made(topics)
    topics.fill(log, with_wrong_clocks(records_of(fleet_lines(devices=20, minutes=30))))
    once = undisturbed_by(kafka_pipelines, topics, log)
    clamped = kafka_pipelines.metrics.total("latecomer_arrivals_clamped_total")
    options = ["--input", log, *sink.options, *SPEC_OPTIONS, "--state", str(tmp_path / "state"), "--bounded"]
    options += ["--delivery", "exactly-once", "--epoch", "500ms"]
    until = ("--until", str(START_MS + 13 * MINUTE_MS))
    written: list[Lines] = []
    counted = 0
    # What each reads begins where the one before has ended; a partition may be another subtask's then.
    for more in (until, ("--parallelism", "2"), ()):
        status, said, errors = run(kafka_pipelines, *options, *more)
        assert status == 0, errors
        written.append(sink.committed())
        if found := re.search(r"([\d,]+) arrivals went back", said):
            counted += int(found[1].replace(",", ""))
        assert ("arrivals by producers' clocks went ahead by a day" in said) == (len(written) == 2)
    assert 0 < len(written[0][0]) < len(written[1][0])
    assert written[1] == written[2] == once
    assert counted == clamped > 100


def test_every_committed_record_is_read_whatever_it_is_compressed_with(
    topics: Topics, kafka_pipelines: KafkaPipelines
) -> None:
    log, sink = topics.made(PARTITIONS), Sink.made(topics)
    records = records_of(fleet_lines(devices=10, minutes=20))
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    for number, codec in enumerate(codecs):
        topics.fill(log, records[number :: len(codecs)], codec=codec)
    in_transactions(topics, log)
    status, _, errors = run(kafka_pipelines, "--input", log, *sink.options, *SPEC_OPTIONS, "--bounded")
    assert status == 0, errors
    written = sink.committed()
    assert written == undisturbed_by(kafka_pipelines, topics, log)
    assert sum(b'"in-transactions"' in line and b'"event"' in line for line in written[0]) == 1


def in_transactions(topics: Topics, log: str) -> None:
    """Append events to partition 1 in transactions: one is committed, one aborted, and one stays open."""
    settings = {"bootstrap.servers": topics.address, "transactional.id": log, "log_level": 2}
    producer = Producer(settings)
    producer.init_transactions(60)
    for number, ending in enumerate((producer.commit_transaction, producer.abort_transaction, producer.flush)):
        producer.begin_transaction()
        at_ms = START_MS + 20 * MINUTE_MS + number
        value = EventCodec().encoded(demo_event("in-transactions", at_ms, 1.0, 2.0, 3.0, 4.0))
        producer.produce(log.rpartition("/")[2], value, b"in-transactions", 1, timestamp=at_ms)
        ending()


def test_what_is_gone_under_a_state_is_said_in_one_line(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    log, sink, state = topics.made(), Sink.made(topics), tmp_path / "state"
    records = records_of(fleet_lines(devices=2, minutes=5))
    options = ["--input", log, *sink.options, *SPEC_OPTIONS, "--quiet", "--bounded", "--state"]
    topics.fill(log, records)
    status, _, errors = run(kafka_pipelines, *options, str(state))
    assert status == 0, errors
    savepoints = shutil.copytree(state / "savepoints", tmp_path / "savepoints")
    topics.fill(log, records)
    topics.remove_up_to(log, len(records) + 3)
    status, _, errors = run(kafka_pipelines, *options, str(state))
    assert status == 1
    assert one_line(errors.encode()) == (
        f"latecomer: the job failed: {log}, partition 0: the records from offset {len(records)} on are gone, by "
        "retention or with the topic; they cannot be made up for, so start anew with another --state"
    )
    topics.make_anew(log)
    topics.fill(log, records + records)
    taken = tmp_path / "taken"
    shutil.copytree(savepoints, taken / "savepoints")
    (taken / "latecomer.json.new").touch()
    status, _, errors = run(kafka_pipelines, *options, str(taken))
    assert status == 1
    assert "latecomer: the job failed: the state is of another topic that was named " in one_line(errors.encode())


def test_a_topic_that_is_made_anew_under_a_run_ends_it_with_one_line(
    topics: Topics, kafka_pipelines: KafkaPipelines
) -> None:
    log, sink = topics.made(), Sink.made(topics)
    records = records_of(fleet_lines(devices=5, minutes=10))
    topics.fill(log, records)
    options = ["--engine", "flink", "--input", log, *sink.options, *SPEC_OPTIONS, "--quiet"]
    with kafka_pipelines.started(*options) as process:
        sink.appeared(100)
        topics.make_anew(log)
        topics.fill(log, records + records)
        _, errors = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 1
    # Which of the two comes first is the broker's to decide.
    assert re.search(" is another one now: it was deleted and made anew| on are gone, by ", one_line(errors.encode()))
