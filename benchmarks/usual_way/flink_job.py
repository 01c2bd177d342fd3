"""The usual PyFlink job: process mode, a list state of pickled rows, two unary calls for each event.

Usage: flink_job.py BROKERS INPUT OUTPUT FEATURES INFERENCE INTERVAL_MS CHECKPOINTS END_OFFSET[,...]
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import KeyedProcessFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
    KafkaTopicPartition,
)
from pyflink.datastream.state import ListStateDescriptor

from benchmarks.usual_way.services import UsualServices, with_event
from dataflows.flink_job.installation import jars


class Predictions(KeyedProcessFunction):
    def __init__(self, features: str, inference: str, interval_ms: int) -> None:
        self._addresses = (features, inference)
        self._interval_ms = interval_ms

    def open(self, runtime_context: RuntimeContext) -> None:
        self._window = runtime_context.get_list_state(ListStateDescriptor("window", Types.PICKLED_BYTE_ARRAY()))
        self._services = UsualServices(*self._addresses)

    def process_element(self, value: dict[str, Any], ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        row = (value["time"], value["sensor1"], value["sensor2"], value["sensor3"], value["sensor4"])
        window = with_event(list(self._window.get()), row, self._interval_ms)
        self._window.update(window)
        yield self._services.prediction(value["device_id"], window)


def main(
    brokers: str, topic: str, output: str, features: str, inference: str, interval_ms: str, checkpoints: str, ends: str
) -> None:
    configuration = Configuration()
    for name, value in {
        "python.execution-mode": "process",
        "python.executable": sys.executable,
        "pipeline.jars": ";".join(jar.as_uri() for jar in jars()),
        "execution.checkpointing.interval": "10 s",
        "execution.checkpointing.dir": checkpoints,
        "restart-strategy.type": "none",
    }.items():
        configuration.set_string(name, value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(2)
    offsets = {KafkaTopicPartition(topic, number): int(end) for number, end in enumerate(ends.split(","))}
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(brokers)
        .set_topics(topic)
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_bounded(KafkaOffsetsInitializer.offsets(offsets))
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    serializer = (
        KafkaRecordSerializationSchema.builder()
        .set_topic(output)
        .set_value_serialization_schema(SimpleStringSchema())
        .build()
    )
    sink = KafkaSink.builder().set_bootstrap_servers(brokers).set_record_serializer(serializer).build()
    events = env.from_source(source, WatermarkStrategy.for_monotonous_timestamps(), "events").map(json.loads)
    predictions = events.key_by(lambda event: event["device_id"]).process(
        Predictions(features, inference, int(interval_ms)), Types.STRING()
    )
    predictions.sink_to(sink)
    env.execute("usual way")


if __name__ == "__main__":
    main(*sys.argv[1:])
