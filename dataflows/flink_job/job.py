"""The Flink job: log, windows, services, outputs. The wiring, which holds no rule.

Started by ``latecomer run --engine flink`` in a mini-cluster on this machine, and submitted to a cluster by
``flink run -py job.py --input kafka://…``; it takes the options of ``latecomer run``.
"""

from pathlib import Path
from typing import Any, Final

import click
from pyflink.common import Configuration, Types
from pyflink.datastream import DataStream, KeyedStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from dataflows.command_line.options import run_options
from dataflows.flink_job.frames import TOPICS
from dataflows.flink_job.installation import jars
from dataflows.flink_job.process import BYTES, REJECTIONS, PredictionFunction, WindowFunction
from dataflows.prediction_step import Topic
from dataflows.settings import RunSettings

__all__ = ["FRAMES_SUFFIX", "build_job", "main"]

FRAMES_SUFFIX: Final = ".frames"
"""An input of this name is a file of frames, as ``latecomer run`` makes one of a file of JSON lines."""

MAX_PARALLELISM: Final = 720
"""Fixed for good, since the state is cut by it: many divisors, so that keys spread evenly over 2 to 10 subtasks."""

_WATERMARK_INTERVAL_MS: Final = 50
"""How often the clock moves: ticks of silent devices come that much later. Flink's own is 200."""

_KEY: Final = Types.ROW([Types.STRING()])
_RECORD: Final = Types.ROW([BYTES, BYTES])


@click.command()
@run_options
def main(**options: Any) -> None:
    """Build the job and run it until its input ends, or until it is cancelled."""
    settings = RunSettings(**options)
    env = StreamExecutionEnvironment.get_execution_environment(configuration(settings))
    build_job(env, settings)
    env.execute("latecomer")


def configuration(settings: RunSettings) -> Configuration:
    """What the job needs to be configured as, wherever it runs."""
    options = {
        "python.execution-mode": "thread",
        "pipeline.max-parallelism": str(MAX_PARALLELISM),
        "pipeline.auto-watermark-interval": f"{_WATERMARK_INTERVAL_MS} ms",
        "pipeline.jars": ";".join(jar.as_uri() for jar in jars()),
        "parallelism.default": str(settings.parallelism),
    }
    if settings.input is not None and settings.input.endswith(FRAMES_SUFFIX):
        options["restart-strategy.type"] = "none"  # bounded and without state: a failure is final, and told at once
    result = Configuration()
    for name, value in options.items():
        result.set_string(name, value)
    return result


def build_job(env: StreamExecutionEnvironment, settings: RunSettings) -> None:
    """Wire the job into an environment."""
    java = get_gateway().jvm.io.latecomer.flink
    records = _source(env, settings, java)
    keyed = KeyedStream(
        records._j_data_stream.keyBy(get_gateway().jvm.KeyByKeySelector(), _KEY.get_java_type_info()), BYTES, records
    )  # what ``key_by`` does, without its Python function: the key is made in Java already
    windows = keyed.process(WindowFunction(settings), BYTES).name("windows").uid("windows")
    batches = DataStream(
        windows._j_data_stream.transform(
            "micro-batches",
            BYTES.get_java_type_info(),
            java.MicroBatchOperator(settings.batch_windows, settings.batch_bytes, settings.batch_wait_ms),
        )
    ).uid("micro-batches")
    answers = batches.process(PredictionFunction(settings), BYTES).name("services").uid("services")
    refusals_and_rejections = windows.get_side_output(REJECTIONS).union(answers)
    _write("predictions", answers, settings.output, java)
    assert settings.rejections is not None
    _write("rejections", refusals_and_rejections, settings.rejections, java)


def _source(env: StreamExecutionEnvironment, settings: RunSettings, java: Any) -> DataStream:
    """The records of the log as rows of key and frame, with their arrivals as timestamps, heartbeats left out."""
    assert settings.input is not None
    gateway = get_gateway()
    path = gateway.jvm.org.apache.flink.core.fs.Path(Path(settings.input).resolve().as_uri())
    paths = gateway.new_array(gateway.jvm.org.apache.flink.core.fs.Path, 1)
    paths[0] = path
    file_source = gateway.jvm.org.apache.flink.connector.file.src.FileSource
    source = file_source.forRecordStreamFormat(java.FileRecords(), paths).build()
    stream = env._j_stream_execution_environment.fromSource(source, java.ArrivalClock.watermarks(), "log")
    stream = stream.setParallelism(1).uid("log")
    return DataStream(stream.filter(java.ArrivalClock.RecordsOnly()).name("records").setParallelism(1))


def _write(topic: Topic, records: DataStream, path: str, java: Any) -> None:
    """Take the records of a topic out of a stream, and write them."""
    rows = records._j_data_stream.flatMap(java.OutputRecords(TOPICS.index(topic)))
    rows = rows.returns(_RECORD.get_java_type_info()).name(topic)
    rows.sinkTo(java.LineFileSink(str(Path(path).resolve()))).setParallelism(1).name(f"{topic} file").uid(topic)


if __name__ == "__main__":
    main(standalone_mode=False)
