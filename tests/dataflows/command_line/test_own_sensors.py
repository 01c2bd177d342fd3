"""Sensors of a user's own from the command line: what is refused, and that a state belongs to its sensors."""

import json
from pathlib import Path

import pytest

from tests.dataflows.commands import latecomer, latecomer_here, one_line

MODEL = '{"id": "m/v1", "intercept": 0.5, "weights": {"mean_celsius/v1": 0.25}}'
LINE = '{{"device_id":"d","time":{0},"celsius":{1}}}\n'


@pytest.mark.parametrize(
    ("sensors", "says"),
    [
        ("celsius,celsius?", "--sensors: sensor celsius is named twice"),
        ("9volt", "--sensors: the name of a sensor is letters, digits and _.-, 64 at most, not '9volt'"),
        ("a?b", "--sensors: the name of a sensor is letters, digits and _.-, 64 at most, not 'a?b'"),
        (",".join(f"s{number}" for number in range(65)), "--sensors: there may be 64 sensors at most, not 65"),
        ("time", "--sensors: an event has a field time that is no sensor"),
        ("celsius", "--sensors needs --model or --inference: the default model is for the demo's sensors"),
    ],
)
def test_wrong_sensors_are_one_line(tmp_path: Path, sensors: str, says: str) -> None:
    finished = latecomer_here("run", "--sensors", sensors, cwd=tmp_path)
    assert (finished.returncode, one_line(finished.stderr)) == (2, f"latecomer: {says}")


def test_a_state_of_other_sensors_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(MODEL)
    (tmp_path / "events.jsonl").write_text("".join(LINE.format(at, 20.5) for at in range(5)))
    common = ("run", "--input", "events.jsonl", "--output", "p.jsonl", "--model", "model.json", "--state", "s")
    assert latecomer(*common, "--sensors", "celsius", cwd=tmp_path).returncode == 0
    predictions = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [one["features"] for one in predictions] == [{"mean_celsius/v1": 20.5}] * 5
    other = latecomer(*common, "--sensors", "celsius,door?", cwd=tmp_path)
    assert other.returncode == 2
    assert one_line(other.stderr) == "latecomer: --state s belongs to a run with --sensors celsius, not celsius,door?"


def test_features_that_nobody_serves_end_a_run_before_its_first_event(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(MODEL)
    (tmp_path / "events.jsonl").write_text(LINE.format(1, 20.5))
    finished = latecomer(
        "run", "--input", "events.jsonl", "--output", "p.jsonl", "--model", "model.json", "--sensors", "bar",
        cwd=tmp_path,
    )  # fmt: skip
    assert finished.returncode == 1
    assert "mean_celsius/v1" in one_line(finished.stderr)
    assert not (tmp_path / "p.jsonl").exists() or (tmp_path / "p.jsonl").read_bytes() == b""
