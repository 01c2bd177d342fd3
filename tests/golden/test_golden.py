"""What an earlier version has saved is continued to the same outputs; what a newer one has saved is refused."""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflows.flink_job.stopping import SAVEPOINTS
from dataflows.kafka_broker.broker import running_broker
from dataflows.saved_state import portable_file
from dataflows.saved_state.imported import import_state
from dataflows.saved_state.portable_file import read_devices, read_origin, write_portable_file
from dataflows.services.client import Services
from dataflows.state_folder import claim
from tests.dataflows.bytewax_flow.states import StatefulRuns
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC_OPTIONS
from tests.dataflows.connectors.kafka.topics import Topics, records_of
from tests.dataflows.flink.flink_runs import undisturbed_by
from tests.golden.make import EXPORT, FLINK_LOG, FLINK_RUN, NUMBERS, RUN, WHOLE_LOG, demo_services, flink_places
from tests.machine import has_broker, has_flink
from tests.reference import first_difference, reference
from window_core import DeviceWindow, SnapshotError, WindowSpec

__all__ = ["has_broker", "has_flink"]

MAX_BYTES = 200_000
"""Of all golden states, so that a checkout stays small."""


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with demo_services() as services:
        yield services


@pytest.fixture
def runs(tmp_path: Path, services: Services) -> StatefulRuns:
    """The run of the golden state in a folder of its own, with the whole log."""
    with tarfile.open(RUN) as tar:
        tar.extractall(tmp_path, filter="tar")
    (tmp_path / "state").chmod(0o700)
    runs = StatefulRuns(tmp_path, services, (tmp_path / WHOLE_LOG).read_bytes())
    claim(runs.state, runs.identity)  # it was made in another folder
    return runs


def test_a_state_of_bytewax_is_continued(runs: StatefulRuns) -> None:
    before = runs.predictions.read_bytes()
    runs.run(**NUMBERS)
    assert runs.predictions.read_bytes().startswith(before)
    assert first_difference(reference(runs.data, WindowSpec(**NUMBERS)), runs.outputs()) == ""


def test_an_exported_state_is_continued(runs: StatefulRuns, tmp_path: Path) -> None:
    before = runs.predictions.read_bytes(), runs.rejections.read_bytes()
    shutil.rmtree(runs.state)
    import_state(EXPORT, runs.state, "it")
    runs.run(**NUMBERS)  # into new files, since those of the export stood elsewhere
    for path, first in zip((runs.predictions, runs.rejections), before, strict=True):
        path.write_bytes(first + path.read_bytes())
    assert first_difference(reference(runs.data, WindowSpec(**NUMBERS)), runs.outputs()) == ""


def test_its_windows_are_the_bytes_that_the_core_writes_today(tmp_path: Path) -> None:
    devices = list(read_devices(EXPORT, "it"))
    assert len(devices) == 3
    for device in devices:
        assert DeviceWindow.restore(WindowSpec(**NUMBERS), device.snapshot).snapshot() == device.snapshot
    write_portable_file(tmp_path / "again", read_origin(EXPORT, "it"), devices)
    assert (tmp_path / "again").read_bytes() == EXPORT.read_bytes()


@pytest.mark.timeout(900)  # a start of a JVM, or two
@pytest.mark.usefixtures("has_broker", "has_flink")
def test_a_savepoint_of_flink_is_continued(tmp_path: Path, services: Services) -> None:
    with tarfile.open(FLINK_RUN) as tar:
        tar.extractall(tmp_path, filter="tar")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (tmp_path / SAVEPOINTS).rename(state / SAVEPOINTS)
    (state / "latecomer.json.new").touch()  # it was made at another address
    with running_broker(tmp_path / "broker") as broker:
        topics = Topics(broker.address)
        pipelines = KafkaPipelines(topics, services, tmp_path)
        log, sink = flink_places(broker, topics)
        before = sink.committed()[0]
        topics.fill(log, records_of(b"".join(FLINK_LOG))[len(FLINK_LOG) // 2 :])
        options = ["--engine", "flink", "--input", log, *sink.options, "--state", str(state), "--bounded"]
        with pipelines.started(*options, *SPEC_OPTIONS, "--quiet") as process:
            _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        assert 0 < len(before) < len(sink.committed()[0])
        assert sink.committed() == undisturbed_by(pipelines, topics, log)


def test_a_program_older_than_a_state_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portable_file, "_VERSION", 0)
    with pytest.raises(SnapshotError, match="it has version 1, this program reads version 0"):
        read_origin(EXPORT, "it")


def test_the_golden_states_are_small() -> None:
    assert sum(path.stat().st_size for path in RUN.parent.iterdir()) < MAX_BYTES
