"""A run that is killed, anywhere and any number of times, writes what a run writes that nobody kills."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from dataflows.state_folder import claim
from tests.dataflows.commands import latecomer, latecomer_here, one_line, sample_log, started
from tests.reference import first_difference, read_outputs, reference
from window_core import WindowSpec

SPEC = WindowSpec(interval_ms=3_600_000, idle_after_ms=3_600_000)
WINDOW = ("--interval", "1h", "--idle-after", "1h")
Run = Callable[..., list[object]]


@pytest.fixture
def run(tmp_path: Path, features_address: str, inference_address: str) -> Run:
    """The arguments of a run in ``tmp_path`` that keeps its state."""
    (tmp_path / "events.jsonl").write_bytes(sample_log())
    services = ("--features", features_address, "--inference", inference_address)

    def arguments(*more: object) -> list[object]:
        fixed = ("--input", "events.jsonl", "--output", "p.jsonl", "--rejections", "r.jsonl", "--state", "state")
        return ["run", "--quiet", *fixed, *services, *WINDOW, *more]

    return arguments


def written(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "p.jsonl").read_bytes(), (folder / "r.jsonl").read_bytes()


@pytest.mark.parametrize("more", [(), ("--rpc", "stream")])
def test_a_run_killed_again_and_again_writes_what_an_undisturbed_one_writes(
    run: Run, tmp_path: Path, more: tuple[str, ...]
) -> None:
    expected = reference((tmp_path / "events.jsonl").read_bytes(), SPEC)
    slow = (*more, "--epoch", "50ms", "--batch-windows", "2", "--in-flight", "1")
    kills = 0
    for size in range(20_000, 400_000, 60_000):
        with started(*run(*slow), cwd=tmp_path) as process:
            kills += killed_at(process, tmp_path / "p.jsonl", size)
    assert kills >= 3
    finished = latecomer(*run(*more, "--epoch", "50ms"), cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert first_difference(expected, read_outputs(tmp_path / "p.jsonl", tmp_path / "r.jsonl")) == ""


def test_a_state_in_use_is_refused_and_free_once_its_run_was_killed(run: Run, tmp_path: Path) -> None:
    with started(*run("--epoch", "50ms", "--batch-windows", "1", "--in-flight", "1"), cwd=tmp_path) as process:
        while process.poll() is None and size_of(tmp_path / "p.jsonl") < 1_000:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.005)
        process.send_signal(signal.SIGSTOP)  # it cannot end before the other one has looked
        finished = latecomer_here(*run(), cwd=tmp_path)
        assert (finished.returncode, process.poll()) == (2, None)
        assert "--state state is in use by another run" in one_line(finished.stderr)
        process.kill()
        process.wait()
    assert latecomer(*run(), cwd=tmp_path).returncode == 0


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def killed_at(process: "subprocess.Popen[bytes]", path: Path, size: int) -> bool:
    """Whether the process was still running when its output had this size, and was killed."""
    while process.poll() is None and size_of(path) < size:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.005)
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


def test_a_run_that_has_ended_changes_nothing_when_it_is_started_again(run: Run, tmp_path: Path) -> None:
    assert latecomer(*run(), cwd=tmp_path).returncode == 0
    before = written(tmp_path)
    assert before[0].count(b"\n") > 500
    for _ in range(2):
        finished = latecomer(*run(), cwd=tmp_path)
        assert (finished.returncode, finished.stderr) == (0, b"")
        assert written(tmp_path) == before


def test_a_state_that_was_never_saved_begins_anew(run: Run, tmp_path: Path) -> None:
    with started(*run("--epoch", "1h"), cwd=tmp_path) as process:
        killed_at(process, tmp_path / "p.jsonl", 1_000)
    assert latecomer(*run(), cwd=tmp_path).returncode == 0
    expected = reference((tmp_path / "events.jsonl").read_bytes(), SPEC)
    assert first_difference(expected, read_outputs(tmp_path / "p.jsonl", tmp_path / "r.jsonl")) == ""


def test_a_state_obeys_the_interval_of_the_run_that_goes_on(run: Run, tmp_path: Path) -> None:
    data = (tmp_path / "events.jsonl").read_bytes()
    assert latecomer(*run(), cwd=tmp_path).returncode == 0
    *_, last = data.splitlines()
    until = int(last.rpartition(b":")[2][:-1])
    line = b'{"device_id":"device-0000","time":%d,"sensor1":1,"sensor2":1,"sensor3":1,"sensor4":1,"arrival":%d}\n'
    (tmp_path / "events.jsonl").write_bytes(data + line % (until, until + 1))
    before = written(tmp_path)[0]
    # The last --interval counts: ten minutes hold 5 events or so, where an hour held 30.
    assert latecomer(*run("--interval", "10m"), cwd=tmp_path).returncode == 0
    after = written(tmp_path)[0]
    assert after.startswith(before)
    [added] = [line for line in after.removeprefix(before).splitlines() if b'"cause":"event"' in line]
    assert b'"device_id":"device-0000"' in added
    assert 1 <= int(added.partition(b'"events":')[2].partition(b",")[0]) <= 6


def identity(folder: Path) -> None:
    (folder / "state" / "latecomer.json").write_text("{")


def another_identity(folder: Path) -> None:
    (folder / "state" / "latecomer.json").write_text("[]")


def database(folder: Path) -> None:
    (folder / "state" / "part-0.sqlite3").write_bytes(b"no database at all")


def half_a_database(folder: Path) -> None:
    path = folder / "state" / "part-0.sqlite3"
    path.write_bytes(path.read_bytes()[:5_000])


def no_database(folder: Path) -> None:
    (folder / "state" / "part-0.sqlite3").unlink()


@pytest.mark.parametrize("damage", [identity, another_identity, database, half_a_database, no_database])
def test_a_damaged_state_stops_the_run_and_touches_nothing(
    run: Run, tmp_path: Path, state_of_a_run: Path, damage: Callable[[Path], None]
) -> None:
    take_over(state_of_a_run, tmp_path)
    before = written(tmp_path)
    damage(tmp_path)
    finished = latecomer_here(*run(), cwd=tmp_path)
    assert finished.returncode == 1
    assert one_line(finished.stderr).startswith("latecomer: --state state is damaged: ")
    assert written(tmp_path) == before


def cut(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def replaced_by_longer_ones(lines: list[bytes]) -> list[bytes]:
    return [line[:-1] + b" \n" for line in lines] * 2


def another_last_line(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1].replace(b"1", b"2")]


@pytest.mark.parametrize("change", [cut, replaced_by_longer_ones, another_last_line])
@pytest.mark.parametrize(("option", "name"), [("input", "events"), ("output", "p"), ("rejections", "r")])
def test_a_file_that_the_state_does_not_know_stops_the_run_and_nothing_is_touched(
    run: Run, tmp_path: Path, state_of_a_run: Path, change: Callable[[list[bytes]], list[bytes]], option: str, name: str
) -> None:
    take_over(state_of_a_run, tmp_path)
    file = tmp_path / f"{name}.jsonl"
    file.write_bytes(b"".join(change(file.read_bytes().splitlines(keepends=True))))
    before = file.read_bytes(), written(tmp_path)
    finished = latecomer_here(*run(), cwd=tmp_path)
    assert finished.returncode == 1
    assert f"--{option} {name}.jsonl was cut, replaced or changed since --state state" in one_line(finished.stderr)
    assert (file.read_bytes(), written(tmp_path)) == before


def test_a_folder_whose_making_was_cut_short_is_made_anew(run: Run, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "latecomer.json.new").write_text("{")
    (tmp_path / "state" / "part-0.sqlite3").write_bytes(b"begun")
    assert latecomer(*run(), cwd=tmp_path).returncode == 0
    assert (tmp_path / "state" / "latecomer.json").is_file()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (("--input", "other.jsonl"), "belongs to a run with --input"),
        (("--output", "other.out"), "belongs to a run with --output"),
        (("--rejections", "other.out"), "belongs to a run with --rejections"),
        (("--state", "foreign"), "--state foreign holds other files, and no state of latecomer"),
        (("--state", "events.jsonl"), "--state events.jsonl is a file, not a folder"),
        (("--output", "p.parquet"), "Parquet cannot be used with --state"),
        (("--rejections", "r.parquet"), "Parquet cannot be used with --state"),
        (("--input", "-"), "--state cannot be kept for standard input"),
        (("--output", "-"), "--output - cannot be used with --state"),
        (("--rejections", "-"), "--rejections - cannot be used with --state"),
        (("--input", "pipe"), "--state cannot be kept for the pipe --input pipe"),
        (("--output", "pipe"), "--output pipe cannot be used with --state"),
        (("--rejections", "pipe"), "--rejections pipe cannot be used with --state"),
    ],
)
def test_what_cannot_go_with_a_state_is_said_and_changes_nothing(
    run: Run, tmp_path: Path, state_of_a_run: Path, changes: tuple[str, str], says: str
) -> None:
    take_over(state_of_a_run, tmp_path)
    (tmp_path / "other.jsonl").write_bytes(b"")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "part-0.sqlite3").write_bytes(b"precious")
    before = written(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    finished = latecomer_here(*run(*changes), cwd=tmp_path)
    (tmp_path / "pipe").unlink()
    assert finished.returncode == 2
    assert says in one_line(finished.stderr)
    assert written(tmp_path) == before
    assert (tmp_path / "foreign" / "part-0.sqlite3").read_bytes() == b"precious"


def take_over(finished: Path, folder: Path) -> None:
    """Have a finished run with its state, as if it had been made in this folder."""
    shutil.copytree(finished, folder, dirs_exist_ok=True)
    written = (folder / "state" / "latecomer.json").read_text().replace(str(finished), str(folder))
    claim(folder / "state", {name: value for name, value in json.loads(written).items() if name != "checksum"})


@pytest.fixture(scope="module")
def state_of_a_run(tmp_path_factory: pytest.TempPathFactory, features_address: str, inference_address: str) -> Path:
    folder = tmp_path_factory.mktemp("state-of-a-run")
    (folder / "events.jsonl").write_bytes(b"{\n" + sample_log(devices=1, hours=1))  # a rejection too
    services = ("--features", features_address, "--inference", inference_address)
    places = ("--input", "events.jsonl", "--output", "p.jsonl", "--rejections", "r.jsonl", "--state", "state")
    assert latecomer("run", "--quiet", *places, *services, cwd=folder).returncode == 0
    return folder
