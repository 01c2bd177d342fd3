"""Makes the golden states of this version: ``.venv/bin/python -m tests.golden.make [bytewax|flink]``.

Run it when the form of a state changes, under a new name, and keep the old ones for as long as they are to be read.
"""

import shutil
import signal
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from dataflows.bytewax_flow.saved import saved_by_bytewax
from dataflows.flink_job.stopping import SAVEPOINTS
from dataflows.kafka_broker.broker import Broker, running_broker
from dataflows.kafka_broker.topics import make_topics
from dataflows.saved_state.portable_file import write_portable_file
from dataflows.services.client import Services
from dataflows.state_folder import identity_in
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from tests.dataflows.bytewax_flow.states import StatefulRuns
from tests.dataflows.commands import sample_log
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC_OPTIONS, fleet_lines
from tests.dataflows.connectors.kafka.topics import Topics, records_of
from tests.dataflows.flink.flink_runs import Sink

__all__ = [
    "EXPORT",
    "FLINK_LOG",
    "FLINK_RUN",
    "NUMBERS",
    "PARTITIONS",
    "RUN",
    "WHOLE_LOG",
    "demo_services",
    "flink_places",
]

FOLDER: Final = Path(__file__).parent / "0.1.0"
RUN: Final = FOLDER / "bytewax.tar.xz"
"""A folder of a run that has read half of its log: the log, the outputs, the state."""

EXPORT: Final = FOLDER / "fleet.state"
"""The same state, exported."""

WHOLE_LOG: Final = "whole.jsonl"
"""The log with its other half, in that folder."""

FLINK_RUN: Final = FOLDER / "flink.tar.xz"
"""A broker's folder, in which a topic has the id that Flink's state names, and the state of a run that was stopped."""

FLINK_LOG: Final = fleet_lines(devices=3, minutes=20).splitlines(keepends=True)
"""The topic holds the first half."""

PARTITIONS: Final = 2

NUMBERS: Final = {"interval_ms": 3_600_000, "idle_after_ms": 1_200_000, "forget_after_ms": 2_400_000}


@contextmanager
def demo_services() -> Iterator[Services]:
    """Both services of the demo, in this process."""
    servers = [start(ServerSettings.of(kind, port=0)) for kind in ("features", "inference")]
    try:
        yield Services(*(server.address for server in servers))
    finally:
        for server in servers:
            server.stop(0.0)


def flink_places(broker: Broker, topics: Topics) -> tuple[str, Sink]:
    """The topics of the run on Flink."""
    log, *outputs = (f"kafka://{broker.address}/golden-{name}" for name in ("events", "predictions", "rejections"))
    return log, Sink(topics, *outputs)


def make_bytewax() -> None:
    """A run on Bytewax that has read half of its log, and its export."""
    lines = sample_log(devices=3, hours=3, late=0.1, duplicates=0.05, wrong_clock=0.02).splitlines(keepends=True)
    silent = range(len(lines) // 3, len(lines) * 2 // 3)
    lines = [line for number, line in enumerate(lines) if number not in silent or b"device-0001" not in line]
    with TemporaryDirectory() as name, demo_services() as services:
        folder = Path(name)
        half = b"".join(lines[: len(lines) // 2])
        runs = StatefulRuns(folder, services, half)
        runs.run(**NUMBERS)
        (folder / WHOLE_LOG).write_bytes(b"".join(lines))
        identity = identity_in(runs.state)
        assert identity is not None
        with saved_by_bytewax(runs.state, identity) as (origin, devices):
            EXPORT.unlink(missing_ok=True)
            write_portable_file(EXPORT, origin, devices)
        _pack(RUN, *sorted(folder.iterdir()))
    shutil.copymode(RUN, EXPORT)  # what is in a checkout is no secret


def make_flink() -> None:
    """A run on Flink that was stopped in the middle of its stream."""
    with TemporaryDirectory() as name, demo_services() as services:
        folder = Path(name)
        with running_broker(folder / "broker") as broker:
            topics = Topics(broker.address)
            log, sink = flink_places(broker, topics)
            for place in (log, sink.output, sink.rejections):
                make_topics(broker.address, {place.rpartition("/")[2]: {}}, PARTITIONS)
            topics.fill(log, records_of(b"".join(FLINK_LOG))[: len(FLINK_LOG) // 2])
            options = ["--engine", "flink", "--input", log, *sink.options, "--state", str(folder / "state")]
            with KafkaPipelines(topics, services, folder).started(*options, *SPEC_OPTIONS) as process:
                sink.appeared(len(FLINK_LOG) // 3)
                process.send_signal(signal.SIGINT)
                assert process.wait(120) == 0
        (folder / "broker" / "broker.log").unlink()
        (folder / "state" / SAVEPOINTS).rename(folder / SAVEPOINTS)
        _pack(FLINK_RUN, folder / "broker", folder / SAVEPOINTS)


def _pack(file: Path, *paths: Path) -> None:
    with tarfile.open(file, "w:xz") as tar:
        for path in paths:
            tar.add(path, path.name)


def main() -> None:
    """Make them anew, or those of one engine."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in (("bytewax", make_bytewax), ("flink", make_flink)):
        if name in sys.argv[1:] or not sys.argv[1:]:
            make()


if __name__ == "__main__":
    main()
