"""Sources and sinks of the job: topics, or on one machine files."""

from collections.abc import Iterable
from functools import singledispatch
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetResetStrategy,
    KafkaOffsetsInitializer,
    KafkaSink,
    KafkaSource,
    KafkaTopicPartition,
)
from pyflink.java_gateway import get_gateway

from dataflows.connectors.file_log import FileLog
from dataflows.connectors.kafka.client import java_properties, kafka_location, read_properties
from dataflows.connectors.kafka.log import KafkaLog
from dataflows.connectors.locations import is_kafka
from dataflows.connectors.log import Log
from dataflows.flink_job.report import stop_file_of
from dataflows.pipeline.record import OutputKind
from dataflows.settings import RunSettings

__all__ = ["log_records", "write"]

_SHADED: Final = "org.apache.flink.kafka.shaded."
"""The connector's jar holds Kafka's client under other names."""

_TRANSACTION_TIMEOUT_MS: Final = 600_000
"""As long as a checkpoint may take (10 minutes), shorter than a broker allows by default (15). The connector's own, an
hour, would be refused, and the job would restart for ever."""

_OUTAGE_MS: Final = 600_000
"""How long the client waits for a broker that is away, where its own 60 s and 120 s would fail the job: as long as a
checkpoint may take, which then fails it."""

_NOT_BEGUN_MS: Final = -1
"""Stands for the clock of a partition that has shown no arrival."""

_PARTITIONS_LOOKED_AT_MS: Final = 10_000
"""How often a run without an end sees whether its topic is the same, and has the partitions that it had."""


def log_records(env: StreamExecutionEnvironment, settings: RunSettings, log: Log) -> Any:
    """The records of the log as rows of key and frame, with their arrivals as timestamps; heartbeats are left out."""
    operators = get_gateway().jvm.io.latecomer.flink
    most = log.partitions  # a subtask without a partition would hold the clock of all others still
    parallelism = min(env.get_parallelism(), most)
    j_watermarks = operators.ArrivalClock.watermarks()
    j_records = env._j_stream_execution_environment.fromSource(_source(log, settings), j_watermarks, "log")
    # The maximum holds where a cluster takes as many subtasks as it has task managers.
    j_records = j_records.setParallelism(parallelism).setMaxParallelism(most).uid("log")
    j_kept = j_records.filter(operators.ArrivalClock.RecordsOnly()).name("records")
    return j_kept.setParallelism(parallelism).setMaxParallelism(most)


def write(kind: OutputKind, j_rows: Any, settings: RunSettings) -> None:
    """Write the records of one kind, rows of key and value."""
    operators = get_gateway().jvm.io.latecomer.flink
    location = settings.outputs.predictions if kind == "predictions" else settings.outputs.rejections
    assert location is not None
    if is_kafka(location):
        j_rows.sinkTo(_topic_sink(kind, location, settings)).name(f"{kind} topic").uid(kind)
    else:
        sink = operators.LineFileSink(str(Path(location).resolve()))
        j_rows.sinkTo(sink).setParallelism(1).name(f"{kind} file").uid(kind)


@singledispatch
def _source(log: Log, settings: RunSettings) -> Any:
    """Flink's source of a log."""
    raise NotImplementedError(type(log))


@_source.register
def _file_source(log: FileLog, settings: RunSettings) -> Any:
    """The lines as the frames that the run has written of them."""
    jvm = get_gateway().jvm
    paths = get_gateway().new_array(jvm.org.apache.flink.core.fs.Path, 1)
    paths[0] = jvm.org.apache.flink.core.fs.Path(Path(log.path).resolve().as_uri())
    format_of_frames = jvm.io.latecomer.flink.FileRecords()
    return jvm.org.apache.flink.connector.file.src.FileSource.forRecordStreamFormat(format_of_frames, paths).build()


@_source.register
def _topic_source(log: KafkaLog, settings: RunSettings) -> Any:
    location = log.location
    builder = (
        KafkaSource.builder()
        .set_bootstrap_servers(location.brokers)
        .set_starting_offsets(_offsets(location.topic, log.first_offsets))
        .set_property("isolation.level", "read_committed")
        .set_property("partition.discovery.interval.ms", str(_PARTITIONS_LOOKED_AT_MS))
    )
    if settings.log.group is not None:
        builder.set_group_id(settings.log.group)  # under which the connector commits at each checkpoint
    for name, value in java_properties(log.properties, _SHADED).items():
        builder.set_property(name, value)
    stop_file = stop_file_of(settings)
    if log.bounded is not None and stop_file is None:
        builder.set_bounded(_offsets(location.topic, log.bounded.end_offsets))
    operators = get_gateway().jvm.io.latecomer.flink
    j_log = operators.TopicLog(
        str(location),
        location.topic,
        log.topic_id,
        log.partitions,
        log.has_producers_clock,
        ",".join(log.layout.sensors.declared),
        settings.log.end_offsets,
        settings.log.until_ms,
        settings.log.last_instant_ms,
        ",".join(str(_NOT_BEGUN_MS if clock_ms is None else clock_ms) for clock_ms in log.first_clocks_ms),
        None if stop_file is None else str(stop_file),
    )
    builder._j_builder.setKafkaSubscriber(operators.FixedPartitions(j_log)).setDeserializer(operators.KafkaRecords())
    return operators.TopicSource(builder.build().get_java_function(), j_log)


def _offsets(topic: str, offsets: Iterable[int]) -> KafkaOffsetsInitializer:
    """One offset for each partition. If its record is gone, the consumer fails; it skips nothing in silence."""
    named = {KafkaTopicPartition(topic, number): offset for number, offset in enumerate(offsets)}
    return KafkaOffsetsInitializer.offsets(named, KafkaOffsetResetStrategy.NONE)


def _topic_sink(kind: OutputKind, text: str, settings: RunSettings) -> Any:
    location = kafka_location("--output" if kind == "predictions" else "--rejections", text)
    is_exactly_once = settings.outputs.delivery == "exactly-once"
    builder = (
        KafkaSink.builder()
        .set_bootstrap_servers(location.brokers)
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE if is_exactly_once else DeliveryGuarantee.AT_LEAST_ONCE)
        .set_transactional_id_prefix(_transactional_id_prefix(kind, location.topic, settings))
        .set_property("transaction.timeout.ms", str(_TRANSACTION_TIMEOUT_MS))
        .set_property("delivery.timeout.ms", str(_OUTAGE_MS))
        .set_property("max.block.ms", str(_OUTAGE_MS))
        .set_property("enable.idempotence", "true")
        .set_property("compression.type", "lz4")
    )
    for name, value in java_properties(read_properties(settings.broker.kafka_properties), _SHADED).items():
        builder.set_property(name, value)
    builder._j_builder.setRecordSerializer(get_gateway().jvm.io.latecomer.flink.TopicRecords(location.topic))
    return builder.build().get_java_function()


def _transactional_id_prefix(kind: OutputKind, topic: str, settings: RunSettings) -> str:
    """Of this sink of this pipeline only: a job ends what transactions it finds open under it, and keeps others out."""
    places = f"{settings.log.input} {settings.outputs.predictions} {settings.outputs.rejections}"
    return f"latecomer-{topic}-{kind}-{sha256(places.encode()).hexdigest()[:12]}"
