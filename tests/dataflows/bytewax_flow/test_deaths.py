"""A run that dies between two writes of its state, at each pair that there is, loses and repeats nothing.

The pairs are those of docs/adr/0001. A trigger aborts a write of the database; Bytewax then ends where it stands.
"""

from pathlib import Path
from unittest.mock import patch

import pytest

from dataflows.services.client import Services
from tests.dataflows.bytewax_flow.states import StatefulRuns
from tests.dataflows.commands import sample_log
from tests.reference import Outputs, first_difference, reference
from window_core import WindowSpec

FEW, MANY = 2_000, 20_000
"""Bytes of the log in an epoch: some 20 events of a few devices, or 200 of all."""


@pytest.fixture(scope="module")
def log() -> bytes:
    return sample_log(devices=20, hours=3)


@pytest.fixture(scope="module")
def expected(log: bytes) -> Outputs:
    return reference(log, WindowSpec())


@pytest.fixture
def runs(tmp_path: Path, features_address: str, inference_address: str, log: bytes) -> StatefulRuns:
    runs = StatefulRuns(tmp_path, Services(features_address, inference_address), log)
    runs.begin()
    return runs


PLACES = {
    "before it is noted that a run began": ("INSERT ON exs", "new.ex_num >= 0"),
    "before the position in the log": ("INSERT UPDATE ON snaps", "new.step_id = 'latecomer.log' AND {is_late}"),
    "between two windows": ("INSERT UPDATE ON snaps", "new.state_key = 'device-0009' AND {is_late}"),
    "before the size of an output": ("INSERT UPDATE ON snaps", "new.step_id = 'latecomer.outputs' AND {is_late}"),
    "between snapshots and frontier": ("INSERT UPDATE ON fronts", "new.worker_frontier > {epoch}"),
    "between frontier and commit": ("INSERT UPDATE ON commits", "new.commit_epoch >= {epoch}"),
    "while old snapshots are removed": ("DELETE ON snaps", "old.snap_epoch < (SELECT commit_epoch FROM commits)"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_run_that_dies_between_two_writes_again_and_again_loses_nothing(
    runs: StatefulRuns, expected: Outputs, place: str
) -> None:
    """Long epochs and short ones in turn: an epoch of the same number then holds other records."""
    writes, condition = PLACES[place]
    for _ in range(3):
        epoch = runs.epochs() + 2
        when = condition.format(epoch=epoch, is_late=f"new.snap_epoch >= {epoch}")
        assert runs.dies(writes, when, chunk_bytes=MANY)
        progress = f"new.worker_frontier > {epoch + 1}"
        assert runs.dies("INSERT UPDATE ON fronts", progress, chunk_bytes=FEW)
    runs.run()
    assert first_difference(expected, runs.outputs()) == ""


def killed(*_: object, **__: object) -> None:
    raise RuntimeError("killed here")


@pytest.mark.parametrize(
    "where",
    [
        "dataflows.bytewax_flow.database.init_db_dir",  # the folder and what it is to be are there
        "dataflows.bytewax_flow.database.sqlite3.connect",  # a database that is not ready
        "dataflows.state_folder.Path.replace",  # a database that is, in a folder that is not
        "dataflows.bytewax_flow.run.FileSink.begin",  # a state, and outputs of before
        "dataflows.bytewax_flow.one_process.latecomer_flow",  # a state and empty outputs
    ],
)
def test_a_run_that_dies_while_it_makes_its_state_begins_anew(
    tmp_path: Path, features_address: str, inference_address: str, where: str
) -> None:
    log = sample_log(devices=2, hours=1, late=0, too_late=0, duplicates=0, wrong_clock=0)
    runs = StatefulRuns(tmp_path, Services(features_address, inference_address), log)
    for output in (runs.predictions, runs.rejections):
        output.write_bytes(b'{"device_id":"of another run"}\n')
    with patch(where, killed), pytest.raises(RuntimeError, match="killed here"):
        runs.run()
    runs.run()
    assert first_difference(reference(log, WindowSpec()), runs.outputs()) == ""


@pytest.mark.parametrize("where", ["os.fsync", "os.write", "_FilePartition.snapshot"])
def test_a_run_that_dies_while_it_writes_its_outputs_loses_and_repeats_nothing(
    runs: StatefulRuns, expected: Outputs, where: str
) -> None:
    assert runs.dies("INSERT UPDATE ON fronts", "new.worker_frontier > 3", chunk_bytes=FEW)
    with patch(f"dataflows.bytewax_flow.file_sink.{where}", killed), pytest.raises(RuntimeError, match="killed here"):
        runs.run(chunk_bytes=MANY)
    runs.run()
    assert first_difference(expected, runs.outputs()) == ""


def test_devices_of_which_every_event_was_rejected_leave_nothing_in_a_state(
    tmp_path: Path, features_address: str, inference_address: str
) -> None:
    """Bytewax notes that a step has no state for a key, and keeps the note for ever."""
    line = b'{"device_id":"d%d","time":%d,"sensor1":1,"sensor2":1,"sensor3":1,"sensor4":1,"arrival":%d}\n'
    ahead = b"".join(line % (number, 10**9, 1_000) for number in range(300))
    last = b"".join(line % (0, 1_000 + number, 1_000 + number) for number in range(300))
    runs = StatefulRuns(tmp_path, Services(features_address, inference_address), ahead + last)
    runs.run(chunk_bytes=3_000, tick_ms=0)
    assert runs.epochs() > 3  # else they had no time to go
    assert runs.rows("SELECT state_key FROM snaps WHERE step_id = 'latecomer.windows'") == [("d0",)]
    assert runs.rejections.read_bytes().count(b"AHEAD_OF_CLOCK") == 300
