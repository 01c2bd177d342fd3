"""The folder of a state is its owner's alone, and what a run writes there goes nowhere else."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dataflows.state_folder import claim, held, is_claimed
from runtime.errors import SettingsError
from window_core import SnapshotError

IDENTITY = {"engine": "bytewax", "input": "a", "output": "b", "rejections": "c"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    with held(folder, IDENTITY):
        claim(folder, IDENTITY)
    return folder


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_and_its_lock_are_made_for_their_owner_alone(state: Path) -> None:
    assert (rights(state), rights(state / "latecomer.lock")) == (0o700, 0o600)
    assert is_claimed(state, IDENTITY)


def writable_folder(state: Path) -> str:
    state.chmod(0o770)
    return "may be written by others"


def writable_file(state: Path) -> str:
    (state / "latecomer.json").chmod(0o602)
    return "latecomer.json may be written by others"


def writable_lock(state: Path) -> str:
    (state / "latecomer.lock").chmod(0o620)
    return "latecomer.lock may be written by others"


def exposed_subfolder(state: Path) -> str:
    (state / "checkpoints").mkdir()
    (state / "checkpoints").chmod(0o775)
    state.chmod(0o755)
    return "checkpoints may be written by others"


def link(state: Path) -> str:
    (state / "latecomer.lock").unlink()
    (state / "latecomer.lock").symlink_to(state.parent / "victim")
    return "latecomer.lock is a link"


@pytest.mark.parametrize("change", [writable_folder, writable_file, writable_lock, exposed_subfolder, link])
def test_what_others_may_write_is_refused_and_nothing_is_touched(state: Path, change: Callable[[Path], str]) -> None:
    victim = state.parent / "victim"
    victim.write_text("precious")
    says = change(state)
    with pytest.raises(SettingsError, match=says), held(state, IDENTITY):
        pytest.fail("it was held")
    assert victim.read_text() == "precious"


def test_what_belongs_to_another_user_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: state.stat().st_uid + 1)
    with pytest.raises(SettingsError, match="belongs to another user"), held(state, IDENTITY):
        pytest.fail("it was held")


def test_a_folder_of_flink_inside_one_that_nobody_else_can_enter_is_as_the_umask_made_it(state: Path) -> None:
    (state / "checkpoints").mkdir()
    (state / "checkpoints").chmod(0o775)
    assert is_claimed(state, IDENTITY)


def test_a_link_in_the_place_of_the_lock_is_not_followed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that comes after the look."""
    victim = state.parent / "victim"
    victim.write_text("precious")
    monkeypatch.setattr("dataflows.state_folder.is_claimed", link_instead)
    with pytest.raises(OSError, match=r"latecomer\.lock"), held(state, IDENTITY):
        pytest.fail("it was held")
    assert victim.read_text() == "precious"


def link_instead(folder: Path, identity: dict[str, str]) -> bool:
    link(folder)
    return True


def test_the_lock_is_not_emptied(state: Path) -> None:
    (state / "latecomer.lock").write_text("kept")
    with held(state, IDENTITY):
        assert (state / "latecomer.lock").read_text() == "kept"


def test_every_flipped_bit_of_what_it_belongs_to_is_found(state: Path) -> None:
    path = state / "latecomer.json"
    data = path.read_bytes()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(SnapshotError, match=r"latecomer\.json is not whole"):
            is_claimed(state, IDENTITY)


def test_a_file_that_goes_while_the_folder_is_looked_at_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the log of a database does, when another reader is the last to close it."""
    claim(tmp_path, {"engine": "bytewax"})
    gone = [tmp_path / "part-0.sqlite3-shm"]
    found = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([*found(folder), *gone]))
    assert is_claimed(tmp_path, {"engine": "bytewax"})
