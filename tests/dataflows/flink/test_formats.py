"""Topics of others on Flink: what the other engine makes of them, byte by byte."""

from pathlib import Path
from typing import Any

import pytest

from tests.dataflows.connectors.kafka.formats import LINES, as_avro, as_messages, registered, valued
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import NOISE, SPEC, SPEC_OPTIONS, START_MS
from tests.dataflows.connectors.kafka.registry import Registry
from tests.dataflows.connectors.kafka.topics import Record, Topics
from tests.dataflows.flink.flink_runs import Lines, Sink

pytestmark = [pytest.mark.usefixtures("has_flink"), pytest.mark.timeout(600)]

WITHIN_S = 300
DAY_MS = 86_400_000


def made_by_both(
    topics: Topics, kafka_pipelines: KafkaPipelines, log: str, options: dict[str, Any], *more: str
) -> tuple[Lines, Lines, str]:
    """What Bytewax and Flink make of a topic, and the summary of Flink."""
    ours, theirs = Sink.made(topics), Sink.made(topics)
    kafka_pipelines.run_only(log, SPEC, ours.output, ours.rejections, **options)
    arguments = [
        f"--{name.replace('_', '-')}={','.join(value) if isinstance(value, tuple) else value}"
        for name, value in options.items()
    ]
    command = ["--engine", "flink", "--bounded", "--input", log, *theirs.options, *SPEC_OPTIONS, *arguments, *more]
    with kafka_pipelines.started(*command) as process:
        said, errors = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0, errors
    return ours.committed(), theirs.committed(), said


def with_other_keys(records: list[Record]) -> list[Record]:
    """Noise, heartbeats and wrong clocks among them, all under keys that are those of no device."""
    keyed: list[Record] = []
    for number, (_, value, at_ms) in enumerate(records):
        keyed.append((b"%d" % number if number % 3 else None, value, at_ms - 90_000 * (number % 13 == 7)))
        if number % 50 == 20:
            keyed += [(None, None, at_ms), (b"key", None, at_ms), (None, NOISE[number % len(NOISE)], at_ms)]
    return [*keyed, (None, None, START_MS + 8 * DAY_MS), keyed[0]]


def test_messages_under_other_keys_give_the_same_on_both_engines(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    log, (options, encoded) = topics.made(3), as_messages(tmp_path)
    records = valued(LINES, encoded)
    devices = sorted({key or b"" for key, _, _ in records})
    for number in range(3):  # a device stands in one partition
        of_partition = [record for record in records if devices.index(record[0] or b"") % 3 == number]
        topics.fill(log, with_other_keys(of_partition), number)
    ours, theirs, said = made_by_both(topics, kafka_pipelines, log, {**options, "key": "ignore"}, "--parallelism", "2")
    assert theirs == ours
    assert len(ours[0]) > 300
    assert len(ours[1]) > 10
    metrics = kafka_pipelines.metrics
    counted = {of: metrics.total(f"latecomer_{of}_total") for of in ("records", "arrivals_clamped", "arrival_jumps")}
    invalid = metrics.value("latecomer_rejections_total", reason="INVALID")
    cause = metrics.commonest_cause("INVALID")
    assert cause is not None
    for line in (
        f"records         {counted['records']:.0f} in",
        f"INVALID {invalid:.0f}",
        f"INVALID, most often ({invalid:.0f}): {cause.cause}; the first is ",
        f"{counted['arrivals_clamped']:.0f} arrivals went back",
        f"{counted['arrival_jumps']:.0f} arrivals by producers' clocks",
    ):
        assert line in said


def test_records_of_avro_give_the_same_on_both_engines(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    log, (options, encoded) = topics.made(2), as_avro(tmp_path)
    records = valued(LINES, encoded)
    cut = [(key, (value or b"")[:-3], at_ms) for key, value, at_ms in records[:2]]
    topics.fill(log, [*cut, *records])
    ours, theirs, said = made_by_both(topics, kafka_pipelines, log, options)
    assert theirs == ours
    assert len(ours[0]) > 300
    assert "INVALID, most often (2): not_an_event; the first is " in said


@pytest.mark.parametrize("has_few", [False, True])
def test_of_a_topic_without_an_event_is_told_what_may_fit(
    topics: Topics, kafka_pipelines: KafkaPipelines, has_few: bool
) -> None:
    log, sink = topics.made(2), Sink.made(topics)
    number = 5 if has_few else 3_000
    topics.fill(log, [(b"d%d" % (one % 7), b'{"asset":"d","ts":5}', START_MS + one) for one in range(number)])
    more = ["--bounded"] if has_few else []  # else only this ends it
    command = ["--engine", "flink", "--input", log, *more, *sink.options, *SPEC_OPTIONS]
    with kafka_pipelines.started(*command) as process:
        summary, errors = process.communicate(timeout=WITHIN_S)
    assert process.returncode == (0 if has_few else 1), errors
    says = "the first is not_an_event in device_id: there are asset, ts; say where each field stands, as in --fields"
    if has_few:
        assert f"warning: no event among 5 records; {says} device_id=…" in summary
    else:
        assert f"latecomer: --input {log}: no event among the first 1,000 records; {says} device_id=…" in errors


@pytest.mark.parametrize("event_format", ["protobuf", "json", "avro"])
def test_values_by_a_schema_in_a_registry_give_the_same_on_both_engines(
    topics: Topics, kafka_pipelines: KafkaPipelines, registry: Registry, tmp_path: Path, event_format: str
) -> None:
    log, (options, encoded) = topics.made(2), registered(registry, event_format, tmp_path)
    records = valued(LINES, encoded)
    topics.fill(log, [(b"d", b"\0\0\1\0\0x", START_MS), (b"d", b"{}", START_MS), *records])
    ours, theirs, said = made_by_both(topics, kafka_pipelines, log, options)
    assert theirs == ours
    assert len(ours[0]) > 300
    assert "INVALID, most often (2): not_an_event in schema_id" in said
