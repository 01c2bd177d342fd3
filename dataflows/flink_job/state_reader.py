"""The job that writes down what a checkpoint or savepoint holds: ``SavedState.java``, in a mini-cluster of its own."""

import sys
from pathlib import Path
from typing import Final

from dataflows.flink_job.installation import jars

__all__ = ["BACKENDS"]

BACKENDS: Final = {"heap": "hashmap", "rocksdb": "rocksdb"}
"""Where Flink keeps windows, and what it calls that."""


def main(state: str, backend: str, splits: str, devices: str) -> None:
    """Run the job.

    Args:
        state: the folder of the checkpoint or savepoint.
        backend: a value of ``BACKENDS``, with which its run kept windows.
        splits: the file to write the partitions to.
        devices: the file to write the devices to.
    """
    from pyflink.common import Configuration
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.java_gateway import get_gateway

    options = {
        "pipeline.jars": ";".join(jar.as_uri() for jar in jars()),
        "restart-strategy.type": "none",
        "execution.state-recovery.path": Path(state).resolve().as_uri(),
        "execution.state-recovery.claim-mode": "NO_CLAIM",
        "execution.state-recovery.ignore-unclaimed-state": "true",  # that of the sinks
        "state.backend.type": backend,
        "state.backend.rocksdb.log.dir": str(Path(splits).parent),  # else beside Flink
        "rest.port": "0",
    }
    configuration = Configuration()
    for name, value in options.items():
        configuration.set_string(name, value)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    get_gateway().jvm.io.latecomer.flink.SavedState.read(environment._j_stream_execution_environment, splits, devices)
    environment.execute("state")


if __name__ == "__main__":
    main(*sys.argv[1:])
