"""``latecomer state``: what it shows, and that each thing wrong is one line and leaves everything as it was."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dataflows.services.client import Services
from tests.dataflows.bytewax_flow.states import StatefulRuns
from tests.dataflows.commands import latecomer_here, one_line, sample_log

DEVICES = 4


@pytest.fixture
def runs(tmp_path: Path, features_address: str, inference_address: str) -> StatefulRuns:
    """A run that has ended, and its state."""
    data = sample_log(devices=DEVICES, hours=1, late=0, too_late=0, duplicates=0, wrong_clock=0)
    runs = StatefulRuns(tmp_path, Services(features_address, inference_address), data)
    runs.run(interval_ms=7_200_000)
    return runs


def test_a_state_is_shown_to_a_person_and_to_a_program(runs: StatefulRuns, tmp_path: Path) -> None:
    lines = runs.data.splitlines()
    last = json.loads(lines[-1])
    shown = latecomer_here("state", "show", "--state", "state", cwd=tmp_path).stdout.decode()
    assert "saved by      bytewax\n" in shown
    assert "window        interval 2h, tick 5m, idle-after 10h, forget-after 7d" in shown
    assert f"partition 0   next offset {len(lines)}, clock {last['arrival']} (2020-" in shown
    assert f"devices       {DEVICES}, which hold {len(lines)} events, newest " in shown
    [found] = latecomer_here("state", "show", "--state", "state", "--json", cwd=tmp_path).stdout.splitlines()
    values = json.loads(found)
    assert values["partitions"] == [{"next_offset": len(lines), "clock_ms": last["arrival"]}]
    assert values["window"]["interval_ms"] == 7_200_000
    assert values["device_ids"] == [f"device-000{number}" for number in range(DEVICES)]


def test_one_device_is_shown_with_the_id_of_its_next_evaluation(runs: StatefulRuns, tmp_path: Path) -> None:
    options = ("--state", "state", "--device", "device-0002", "--json")
    values = json.loads(latecomer_here("state", "show", *options, cwd=tmp_path).stdout)
    its = [json.loads(line) for line in runs.data.splitlines() if b'"device-0002"' in line]
    given = sum(b'"device_id":"device-0002"' in line for line in runs.predictions.read_bytes().splitlines())
    assert values["events"] == len(its)
    assert values["newest_ms"] == max(event["time"] for event in its)
    assert values["next_evaluation_id"] == f"device-0002/{its[0]['arrival']}/{given}"


def test_an_export_is_shown_as_the_state_is_and_leaves_it_as_it_was(runs: StatefulRuns, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in runs.state.iterdir()}
    assert latecomer_here("state", "export", "--state", "state", "it", cwd=tmp_path).returncode == 0
    assert latecomer_here("state", "import", "it", "--state", "new", cwd=tmp_path).returncode == 0
    assert {path.name: path.read_bytes() for path in runs.state.iterdir()} == before
    shown = [
        latecomer_here("state", "show", "--state", place, cwd=tmp_path).stdout.partition(b"\n")
        for place in ("state", "it", "new")
    ]
    assert shown[0][2] == shown[1][2] == shown[2][2]
    assert latecomer_here("state", "export", "--state", "new", "again", cwd=tmp_path).returncode == 0
    assert (tmp_path / "again").read_bytes() == (tmp_path / "it").read_bytes()


def writable(folder: Path) -> None:
    (folder / "state").chmod(0o777)


def flipped(folder: Path) -> None:
    data = bytearray((folder / "it").read_bytes())
    data[-40] ^= 1
    (folder / "it").write_bytes(data)


def newer(folder: Path) -> None:
    (folder / "it").write_bytes(b"LCST\x02\x00" + (folder / "it").read_bytes()[6:])


def nothing(folder: Path) -> None:
    pass


NO_STATE = "holds no state of latecomer"
WRONG: dict[str, tuple[Callable[[Path], object], tuple[str, ...], str]] = {
    "no folder": (nothing, ("show", "--state", "nowhere"), NO_STATE),
    "not a state": (nothing, ("show", "--state", "."), NO_STATE),
    "not an export": (nothing, ("show", "--state", "events.jsonl"), "is no file of latecomer state export"),
    "no such device": (nothing, ("show", "--state", "state", "--device", "x"), "--device x: --state state has no such"),
    "others may write": (writable, ("export", "--state", "state", "new"), "may be written by others"),
    "an export is there": (nothing, ("export", "--state", "state", "it"), "it exists already"),
    "no export": (nothing, ("import", "nowhere", "--state", "new"), "nowhere does not exist"),
    "damaged": (flipped, ("import", "it", "--state", "new"), "it is damaged"),
    "newer": (newer, ("import", "it", "--state", "new"), "it has version 2, this program reads version 1"),
    "a state is there": (nothing, ("import", "it", "--state", "state"), "--state state holds a state already"),
    "other files": (nothing, ("import", "it", "--state", "."), "holds other files"),
    "a file on Flink": (
        nothing,
        ("import", "it", "--state", "new", "--engine", "flink"),
        "Flink keeps no state of one",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_line_and_writes_nothing(runs: StatefulRuns, tmp_path: Path, case: str) -> None:
    change, arguments, said = WRONG[case]
    assert latecomer_here("state", "export", "--state", "state", "it", cwd=tmp_path).returncode == 0
    change(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    finished = latecomer_here("state", *arguments, cwd=tmp_path)
    assert finished.returncode in {1, 2}
    assert said in one_line(finished.stderr)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_run_of_other_sensors_does_not_begin_with_a_state(runs: StatefulRuns, tmp_path: Path) -> None:
    assert latecomer_here("state", "export", "--state", "state", "it", cwd=tmp_path).returncode == 0
    options = ("--input", "events.jsonl", "--output", "p", "--state", "new", "--from-export", "it")
    more = ("--sensors", "a,b", *runs.service_options)
    finished = latecomer_here("run", "--quiet", *options, *more, cwd=tmp_path)
    assert finished.returncode == 2
    said = "--from-export it is of a run with --sensors sensor1,sensor2,sensor3,sensor4, not a,b"
    assert said in one_line(finished.stderr)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"latecomer.lock"}


def test_a_run_that_keeps_no_state_cannot_begin_with_one_on_bytewax(tmp_path: Path) -> None:
    finished = latecomer_here("run", "--from-export", "it", cwd=tmp_path)
    assert (finished.returncode, b"--from-export needs --state" in finished.stderr) == (2, True)
