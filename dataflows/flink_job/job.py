"""The Flink job: log, windows, services, outputs. The wiring, which holds no rule.

Started by ``latecomer run --engine flink`` in a mini-cluster on this machine, and submitted to a cluster by
``flink run -py job.py --input kafka://…``; it takes the options of ``latecomer run``.
"""

import os
from contextlib import chdir, nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any, Final

import click
from pyflink.common import Configuration, Types
from pyflink.datastream import ProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.data_stream import _create_j_data_stream_python_function_info
from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import get_j_env_configuration

from dataflows.connectors.kafka.log import KafkaLog
from dataflows.connectors.locations import located
from dataflows.connectors.log import Log, opened_log
from dataflows.flink_job.connectors import log_records, write
from dataflows.flink_job.decoding import DecodingFunction
from dataflows.flink_job.installation import jars
from dataflows.flink_job.one_line import told_in_one_line
from dataflows.flink_job.process import PipelineFunction
from dataflows.flink_job.report import REPORT_VARIABLE
from dataflows.flink_job.state_reader import BACKENDS
from dataflows.flink_job.stopping import CHECKPOINTS, SAVEPOINTS, newest_state
from dataflows.pipeline.metrics import Metrics
from dataflows.saved_state.imported import fitting_origin
from dataflows.services.client import Services, check_services
from dataflows.services.errors import MisfitError, ServiceError
from dataflows.settings import RunSettings, run_options
from runtime.errors import SettingsError
from runtime.terminal import say

__all__ = ["build_job", "configuration", "main"]

MAX_PARALLELISM: Final = 720
"""Fixed for good, since the state is cut by it: many divisors, so that keys spread evenly over 2 to 10 subtasks."""

_WATERMARK_INTERVAL_MS: Final = 50
"""How often watermarks are emitted: ticks of silent devices come up to that much later. Flink's default is 200."""

_BUFFER_TIMEOUT_MS: Final = 5
"""How long a record waits for others before it is sent to the task of its device. Flink's default is 100."""


@click.command()
@run_options
def main(**options: Any) -> None:
    """Build the job and run it until its input ends, or until it is cancelled."""
    if REPORT_VARIABLE in os.environ:
        Thread(target=_end_with_input, daemon=True).start()
    settings = RunSettings.of(**{**options, "engine": "flink"})
    log = opened_log(settings, located(settings), Metrics(), say)
    settings = log.with_end(settings)
    if settings.state.from_export is not None and isinstance(log, KafkaLog):
        log = _begun_with(Path(settings.state.from_export), log)
    if REPORT_VARIABLE in os.environ:
        with chdir(Path(os.environ[REPORT_VARIABLE]).parent):
            get_gateway()  # the JVM stays there: it puts its current folder on the paths of Java's and Python's modules
    elif settings.calls.features is not None and settings.calls.inference is not None:
        _check_services(settings, Services(settings.calls.features, settings.calls.inference))
    lock = _state_lock(Path(settings.state.folder)) if settings.state.folder and REPORT_VARIABLE in os.environ else None
    env = StreamExecutionEnvironment.get_execution_environment(configuration(settings))
    if settings.outputs.delivery == "exactly-once" and not env.get_checkpoint_config().is_checkpointing_enabled():
        raise SettingsError("--delivery exactly-once needs checkpoints: set execution.checkpointing.interval")
    build_job(env, settings, log)
    env.execute("latecomer")
    if lock is not None:
        lock.release()


def _begun_with(file: Path, log: KafkaLog) -> KafkaLog:
    """A topic that is read from where an exported state was. A state of Flink's own says by itself where it was.

    Raises:
        SettingsError: the state is of another topic, or of other sensors.
        SnapshotError: it is damaged, or of another version.
    """
    partitions = fitting_origin(file, log, f"--from-export {file}").partitions
    offsets = tuple(position.next_offset for position in partitions)
    return replace(log, first_offsets=offsets, first_clocks_ms=tuple(position.clock_ms for position in partitions))


def _check_services(settings: RunSettings, services: Services) -> None:
    """Look whether the services can answer about these events. Those of a cluster may start with the job, or be away
    when a job manager starts again: the job itself asks again until they answer.

    Raises:
        MisfitError: they cannot.
    """
    try:
        check_services(services, settings, Metrics())
    except MisfitError:
        raise
    except ServiceError as error:
        say(f"{error}; the job asks again")


def _state_lock(folder: Path) -> Any:
    """Wait until no other JVM uses a state: that of a killed run outlives it by seconds, and keeps writing."""
    file = get_gateway().jvm.java.io.RandomAccessFile(str(folder / "job.lock"), "rw")
    return file.getChannel().lock()


def _end_with_input() -> None:
    """End the process when its standard input ends: the process that started this run is gone."""
    while os.read(0, 1):
        pass
    os._exit(1)


def configuration(settings: RunSettings) -> Configuration:
    """The options that the job needs wherever it runs; the rest is the cluster's configuration."""
    options = {
        "python.execution-mode": "thread",
        "pipeline.max-parallelism": str(MAX_PARALLELISM),
        "pipeline.auto-watermark-interval": f"{_WATERMARK_INTERVAL_MS} ms",
        "execution.buffer-timeout.interval": f"{_BUFFER_TIMEOUT_MS} ms",
    }
    if needed := jars():
        options["pipeline.jars"] = ";".join(jar.as_uri() for jar in needed)
    if REPORT_VARIABLE in os.environ or settings.parallelism > 1:  # else a cluster's own
        options["parallelism.default"] = str(settings.parallelism)
    if REPORT_VARIABLE in os.environ:  # a run on this machine: a failure is reported at once, and the next run resumes
        options["restart-strategy.type"] = "none"
        options["state.backend.rocksdb.log.dir"] = str(Path(os.environ[REPORT_VARIABLE]).parent)  # else beside Flink
    if settings.state.folder is not None:
        options |= _checkpoints(settings, Path(settings.state.folder))
    if settings.web_port is not None:
        options |= {"rest.port": str(settings.web_port), "rest.bind-address": "127.0.0.1"}
    result = Configuration()
    for name, value in options.items():
        result.set_string(name, value)
    return result


def _checkpoints(settings: RunSettings, folder: Path) -> dict[str, str]:
    """State in a folder of this machine: where checkpoints go, and the one to resume from, if there is one."""
    checkpoints, savepoints = folder / CHECKPOINTS, folder / SAVEPOINTS
    options = {
        "execution.checkpointing.interval": f"{settings.state.epoch_ms} ms",
        "execution.checkpointing.dir": checkpoints.resolve().as_uri(),
        "execution.checkpointing.savepoint-dir": savepoints.resolve().as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.max-concurrent-checkpoints": "1",
        "state.backend.type": BACKENDS[settings.state.state_backend],
    }
    if (newest := newest_state(folder)) is not None:
        options["execution.state-recovery.path"] = newest.resolve().as_uri()
        options["execution.state-recovery.claim-mode"] = "CLAIM"  # removed with the next one, or the folder would grow
    return options


def build_job(
    env: StreamExecutionEnvironment,
    settings: RunSettings,
    log: Log,
    pipeline: type[PipelineFunction] = PipelineFunction,
) -> None:
    """Wire the job into an environment."""
    operators = get_gateway().jvm.io.latecomer.flink
    devices = operators.DeviceOperator
    j_records = log_records(env, settings, log)
    if settings.log.key == "ignore":
        j_records = _under_device_ids(env, j_records, DecodingFunction(settings, log.schema))
    j_keyed = j_records.keyBy(devices.byDevice(), Types.STRING().get_java_type_info())
    calls = settings.calls
    entries = calls.batch_windows * calls.calls_in_flight  # a crossing is worth as many calls as go at once
    j_python = _python_operator(env, pipeline(settings, log.schema))
    j_factory = operators.DeviceOperatorFactory(j_python, entries, calls.batch_wait_ms, settings.state.from_export)
    j_outputs = j_keyed.transform("devices", devices.type(), j_factory).uid("windows")
    write("predictions", j_outputs, settings)
    write("rejections", j_outputs.getSideOutput(devices.rejections()), settings)


def _under_device_ids(env: StreamExecutionEnvironment, j_records: Any, function: DecodingFunction) -> Any:
    """The records under the keys of their devices, each partition in its order: the same subtask goes on with it."""
    frames = get_gateway().jvm.io.latecomer.flink.FrameStage
    parallelism, most = j_records.getParallelism(), j_records.getTransformation().getMaxParallelism()

    def placed(j_stage: Any, name: str) -> Any:
        return j_stage.name(name).setParallelism(parallelism).setMaxParallelism(most)

    j_frames = placed(j_records.map(frames.ofRows(), _bytes_type()), "frames")
    j_decoded = placed(j_frames.transform("decode", _bytes_type(), _python_operator(env, function)), "decode")
    return placed(j_decoded.map(frames.asRows(), frames.type()), "keys")


def _bytes_type() -> Any:
    """Bytes that arrive as ``bytes``, without a conversion."""
    return Types.PRIMITIVE_ARRAY(Types.BYTE()).get_java_type_info()


def _python_operator(env: StreamExecutionEnvironment, function: ProcessFunction) -> Any:
    """The operator with a Python function in thread mode, as PyFlink makes it, but as a part of our own operator.

    PyFlink adds such an operator to the graph itself and gives it the settings of Python when the job starts.
    """
    jvm = get_gateway().jvm
    j_settings = get_j_env_configuration(env._j_stream_execution_environment)
    j_python_settings = jvm.org.apache.flink.python.util.PythonConfigUtil.extractPythonConfiguration(j_settings)
    j_function = _create_j_data_stream_python_function_info(function, UserDefinedDataStreamFunction.PROCESS)
    j_bytes = _bytes_type()
    embedded = jvm.org.apache.flink.streaming.api.operators.python.embedded
    return embedded.EmbeddedPythonProcessOperator(j_python_settings, j_function, j_bytes, j_bytes)


if __name__ == "__main__":
    with nullcontext() if REPORT_VARIABLE in os.environ else told_in_one_line():
        main(standalone_mode=False)
