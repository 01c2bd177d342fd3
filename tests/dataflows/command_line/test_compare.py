"""``latecomer compare``: its forms, and what it says of what is wrong."""

import json
from pathlib import Path

import pytest

from tests.dataflows.commands import latecomer_here, one_line

pytestmark = pytest.mark.usefixtures("small_log")


def test_a_table_of_many_settings_needs_no_service(tmp_path: Path):
    finished = latecomer_here(
        "compare", "--input", "events.jsonl", "--interval", "1ms,1m,10h", "--tick", "0,5s", cwd=tmp_path
    )
    assert finished.returncode == 0, finished.stderr
    head, *rows = finished.stdout.decode().splitlines()
    assert head.split()[:3] == ["interval", "tick", "accepted"]
    shown = [" ".join(row.split()[:3]) for row in rows]
    assert shown == ["1ms 0 2", "1ms 5s 2", "1m 0 3", "1m 5s 3", "10h 0 3", "10h 5s 3"]


def test_of_two_settings_predictions_are_compared_and_those_that_differ_are_written(
    tmp_path: Path, services: tuple[str, ...]
):
    arguments = (
        "compare",
        "--input",
        "events.jsonl",
        "--interval",
        "2m,1ms",
        "--output",
        "d.jsonl",
        "--json",
        *services,
    )
    finished = latecomer_here(*arguments, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert found["events"] == [
        {"first": "accepted", "second": "accepted", "events": 2},
        {"first": "accepted", "second": "TOO_LATE", "events": 1},
    ]
    [line] = map(json.loads, (tmp_path / "d.jsonl").read_text().splitlines())
    assert (line["position"], line["moved"]) == ("0/1", found["furthest"])


def test_two_files_of_settings_are_compared_on_the_log_of_the_first(tmp_path: Path, services: tuple[str, ...]):
    features, inference = services[1::2]
    addresses = f'features = "{features}"\ninference = "{inference}"\n'
    (tmp_path / "a.toml").write_text(f'input = "events.jsonl"\ninterval = "2m"\n{addresses}')
    (tmp_path / "b.toml").write_text(f'input = "nowhere.jsonl"\ninterval = "1ms"\nengine = "flink"\n{addresses}')
    finished = latecomer_here("compare", "--config", "a.toml", "--against", "b.toml", "--json", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert [row["interval_ms"] for row in found["settings"]] == [120_000, 1]
    assert found["events"][1] == {"first": "accepted", "second": "TOO_LATE", "events": 1}


def test_another_model_is_started_beside_the_first(tmp_path: Path, services: tuple[str, ...]):
    (tmp_path / "new.json").write_text('{"id": "new/v1", "intercept": 0.5, "weights": {"sensor_1/v1": 0.02}}')
    finished = latecomer_here(
        "compare", "--input", "events.jsonl", "--other-model", "new.json", *services, cwd=tmp_path
    )
    assert finished.returncode == 0, finished.stderr
    said = finished.stdout.decode()
    assert "3 moved at all" in said
    assert said.splitlines()[1].split()[:2] == ["10h", "3"]
    assert said.splitlines()[2] == ""


def test_the_predictions_of_two_runs_are_compared(tmp_path: Path, services: tuple[str, ...]):
    for interval, output in (("2m", "first.jsonl"), ("1ms", "second.parquet")):
        arguments = ("--input", "events.jsonl", "--output", output, "--interval", interval, "--quiet", *services)
        finished = latecomer_here("run", *arguments, cwd=tmp_path)
        assert finished.returncode == 0, finished.stderr
    finished = latecomer_here("compare", "first.jsonl", "second.parquet", "--output", "d.parquet", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    said = finished.stdout.decode()
    assert "2 in both" in said
    assert "1 in the first only" in said
    assert "1 moved at all" in said
    assert "furthest       pump-7 at 0/1: " in said
    assert (tmp_path / "d.parquet").stat().st_size
    finished = latecomer_here("compare", "first.jsonl", "second.parquet", "--json", cwd=tmp_path)
    assert json.loads(finished.stdout)["only_first"] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "there is nothing to compare: list values, as in --interval 10h,12h, or name --other-model"),
        (("--interval", "10h,5x"), "--interval: '5x' is no value for it; write it like 5h,10h"),
        (("--interval", "10h,0"), "--interval must be above 0"),
        (("--max-events", "1,many"), "--max-events: 'many' is no value for it; write it like 1000,2000"),
        (("--idle-after", "1h,8d"), "--forget-after is 7d, below --idle-after, 8d"),
        (
            ("--interval", "1h,2h,3h", "--other-model", "m.json"),
            "--other-... is for two settings, and there are 3 windows",
        ),
        (("--interval", "1h,2h", "--output", "d.csv"), "--output d.csv: the name must end in .jsonl, .parquet"),
        (("--against", "nowhere.toml"), "--against nowhere.toml: No such file"),
        (("--against", "wrong.toml"), "--against wrong.toml: there is no setting intervall; there is interval"),
        (("--against", "odd.toml"), "--against odd.toml"),
        (("--against", "b.toml", "--interval", "1h,2h"), "--against has the second setting whole"),
        (("one.jsonl",), "FIRST and SECOND are the predictions of two runs"),
        (("events.jsonl", "two.jsonl"), "two.jsonl does not exist, or is no file"),
    ],
)
def test_a_wrong_argument_is_said_in_one_line_before_anything_starts(tmp_path: Path, arguments, says: str):
    (tmp_path / "wrong.toml").write_text('intervall = "1h"')
    (tmp_path / "odd.toml").write_text('interval = "soon"')
    finished = latecomer_here("compare", "--input", "events.jsonl", *arguments, cwd=tmp_path)
    assert says in one_line(finished.stderr)
    assert finished.returncode == 2
