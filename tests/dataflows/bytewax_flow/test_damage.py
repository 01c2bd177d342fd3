"""A state that is not what a run has left is refused in one line, whichever bit of it is another one."""

import pickle
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from struct import unpack_from

import pytest

from dataflows.bytewax_flow.recovery import opened_state, resumed
from dataflows.services.client import Services
from tests.dataflows.bytewax_flow.states import StatefulRuns, rows
from tests.dataflows.commands import latecomer, one_line, sample_log, started
from tests.reference import first_difference, reference
from window_core import SnapshotError, WindowSpec

FLIPS = 200

State = tuple[tuple[object, ...], ...]
"""What Bytewax reads of a state."""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, features_address: str, inference_address: str) -> StatefulRuns:
    """The state of a run that came to its end."""
    folder = tmp_path_factory.mktemp("ended")
    runs = StatefulRuns(folder, Services(features_address, inference_address), sample_log(devices=3, hours=1))
    runs.run(chunk_bytes=4_000)
    return runs


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, features_address: str, inference_address: str) -> StatefulRuns:
    """The state of a run that was killed, with the log of its database."""
    folder = tmp_path_factory.mktemp("killed")
    runs = StatefulRuns(folder, Services(features_address, inference_address), sample_log(devices=20, hours=24))
    slow = ("--epoch", "20ms", "--batch-windows", "1", "--in-flight", "1")
    with started("run", "--quiet", *runs.options, *runs.service_options, *slow, cwd=folder) as process:
        while not runs.predictions.exists() or runs.epochs() < 3:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.005)
            assert process.poll() is None
        process.kill()
        process.wait()
    assert (runs.state / "part-0.sqlite3-wal").stat().st_size > 50_000
    return runs


def opened(runs: StatefulRuns, folder: Path) -> State:
    """What stands in a copy of a state in ``folder`` once it is opened."""
    resumed(opened_state(folder, runs.identity))
    return tuple(
        tuple(sorted(rows(folder, f"SELECT {columns} FROM {table}"), key=repr))
        for table, columns in (
            ("exs", "ex_num, worker_count, resume_epoch"),
            ("fronts", "ex_num, worker_index, worker_frontier"),
            ("commits", "part_index, commit_epoch"),
            ("snaps", "step_id, state_key, snap_epoch, ser_change"),
        )
    )


def copied(runs: StatefulRuns, folder: Path) -> Path:
    shutil.rmtree(folder / "copy", ignore_errors=True)
    shutil.copytree(runs.state, folder / "copy")
    return folder / "copy"


def flipped(folder: Path, random: Random) -> tuple[Path, int]:
    """Flip one bit of a state; the file and the byte."""
    files = sorted(path for path in folder.iterdir() if path.stat().st_size and path.suffix != ".sqlite3-shm")
    path = random.choice(files)
    data = bytearray(path.read_bytes())
    at = random.randrange(len(data))
    data[at] ^= 1 << random.randrange(8)
    path.write_bytes(data)
    return path, at


def test_after_a_clean_end_every_flipped_bit_is_found(ended: StatefulRuns, tmp_path: Path) -> None:
    random = Random(1)
    opened(ended, copied(ended, tmp_path))
    for _ in range(FLIPS):
        folder = copied(ended, tmp_path)
        path, at = flipped(folder, random)
        try:
            opened(ended, folder)
        except SnapshotError as error:
            found = str(error).startswith(f"--state {folder} is damaged: ")
        else:
            found = False
        assert found, f"byte {at} of {path.name}"


def test_after_a_kill_every_flipped_bit_is_found_that_would_change_what_is_read(
    killed: StatefulRuns, tmp_path: Path
) -> None:
    random = Random(2)
    whole = opened(killed, copied(killed, tmp_path))
    last = last_transaction(killed.state / "part-0.sqlite3-wal")
    folder = copied(killed, tmp_path)
    with (folder / "part-0.sqlite3-wal").open("r+b") as log:
        log.truncate(last)
    before_it = opened(killed, folder)
    found = 0
    for _ in range(FLIPS):
        folder = copied(killed, tmp_path)
        path, at = flipped(folder, random)
        try:
            state = opened(killed, folder)
        except SnapshotError:
            found += 1
        else:
            is_last = path.name.endswith("-wal") and at >= last
            assert state == (before_it if is_last else whole), f"byte {at} of {path.name}"
    assert found > FLIPS // 4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("state", ["ended", "killed"])
def test_a_run_on_a_state_with_a_flipped_bit_says_so_in_one_line_or_writes_what_it_would_have_written(
    request: pytest.FixtureRequest, tmp_path: Path, state: str, seed: int
) -> None:
    before: StatefulRuns = request.getfixturevalue(state)
    runs = before.copied(tmp_path / "runs")
    path, at = flipped(runs.state, Random(seed))
    written = runs.predictions.read_bytes(), runs.rejections.read_bytes()
    finished = latecomer("run", "--quiet", *runs.options, *runs.service_options, cwd=tmp_path)
    if finished.returncode == 0:
        assert state == "killed", f"byte {at} of {path.name}"
        assert first_difference(reference(runs.data, WindowSpec()), runs.outputs()) == ""
    else:
        assert finished.returncode == 1
        assert one_line(finished.stderr).startswith(f"latecomer: --state {runs.state} is damaged: ")
        assert (runs.predictions.read_bytes(), runs.rejections.read_bytes()) == written


def test_a_snapshot_that_is_not_plain_bytes_is_never_loaded(ended: StatefulRuns, tmp_path: Path) -> None:
    runs = ended.copied(tmp_path / "runs")
    (runs.state / "part-0.sha256").unlink()
    code = pickle.dumps(Runs(tmp_path / "has run"))
    assert runs.rows(f"UPDATE snaps SET ser_change = x'{code.hex()}' WHERE step_id = 'latecomer.log'") == []
    with pytest.raises(SnapshotError, match="a snapshot is not the bytes that were pickled"):
        runs.run()
    assert not (tmp_path / "has run").exists()


class Runs:
    """A pickle of it makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def another_database(state: Path) -> None:
    shutil.copy(state / "part-0.sqlite3", state / "copy of part-0.sqlite3")


def a_table_less(state: Path) -> None:
    rows(state, "DROP TABLE commits")


def another_value(state: Path) -> None:
    rows(state, "DROP INDEX latecomer_fronts")
    rows(state, "UPDATE fronts SET worker_frontier = worker_frontier - 1")


@pytest.mark.parametrize("change", [another_database, a_table_less, another_value])
def test_what_no_run_writes_is_refused(ended: StatefulRuns, tmp_path: Path, change: Callable[[Path], object]) -> None:
    folder = copied(ended, tmp_path)
    (folder / "part-0.sha256").unlink()
    change(folder)
    with pytest.raises(SnapshotError, match=r"^--state .* is damaged: "):
        opened(ended, folder)


def last_transaction(log: Path) -> int:
    """Where the last transaction that was finished begins."""
    data = log.read_bytes()
    page_bytes, *salts = unpack_from(">8xI4x2I", data)
    ends = [32]
    for at in range(32, len(data) - 24 - page_bytes + 1, 24 + page_bytes):
        ends_transaction, *frame_salts = unpack_from(">4x3I", data, at)
        if frame_salts != salts:
            break
        if ends_transaction:
            ends.append(at + 24 + page_bytes)
    return ends[-2]
