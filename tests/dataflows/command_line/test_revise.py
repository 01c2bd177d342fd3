"""``latecomer revise`` from a log to a file, with its summary."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.dataflows.commands import latecomer_here, one_line

pytestmark = pytest.mark.usefixtures("small_log")


def test_predictions_in_doubt_are_written_and_summed_up(tmp_path: Path, services: tuple[str, ...]):
    finished = latecomer_here(
        "revise", "--input", "events.jsonl", "--output", "r.jsonl", "--interval", "1m", *services, cwd=tmp_path
    )
    assert finished.returncode == 0, finished.stderr
    said = finished.stdout.decode()
    assert "in doubt        1 of 3, by 1 late events" in said
    assert "1 moved at all" in said
    [line] = (tmp_path / "r.jsonl").read_text().splitlines()
    assert json.loads(line)["because"] == ["0/2"]
    assert not list(tmp_path.glob("*.lines"))


def test_the_summary_is_json_and_the_file_parquet_if_asked_for(tmp_path: Path, services: tuple[str, ...]):
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    late = '{"device_id":"pump-7","time":1,"sensor1":1,"sensor2":1,"sensor3":1,"sensor4":1}'
    (tmp_path / "events.jsonl").write_text("\n".join([*lines, late.replace(":1,", ":1587920395000,", 1)]) + "\n")
    arguments = ("--input", "events.jsonl", "--output", "r.parquet", "--interval", "1m", "--json", *services)
    counted = {}
    for way in ((), ("--too-late",)):
        finished = latecomer_here("revise", *arguments, *way, cwd=tmp_path)
        assert finished.returncode == 0, finished.stderr
        counted[way] = json.loads(finished.stdout)
    assert (counted[()]["predictions"], counted[()]["in_doubt"], counted[()]["events"]) == (3, 1, 1)
    assert (counted["--too-late",]["in_doubt"], counted["--too-late",]["events"]) == (2, 2)
    table = pl.read_parquet(tmp_path / "r.parquet")
    assert table["because"].to_list() == [["0/3"], ["0/2"]]
    assert table["moved"].dtype == pl.Float64


def test_where_nothing_is_in_doubt_nothing_is_written(tmp_path: Path, services: tuple[str, ...]):
    (tmp_path / "events.jsonl").write_text(
        "".join((tmp_path / "events.jsonl").read_text().splitlines(keepends=True)[:2])
    )
    finished = latecomer_here("revise", "--input", "events.jsonl", "--output", "r.jsonl", *services, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "0 of 2, by 0 late events" in finished.stdout.decode()
    assert (tmp_path / "r.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--output", "r.csv"), "--output r.csv: the name must end in .jsonl, .parquet"),
        (("--output", "events.jsonl"), "--output and --input are the same file, events.jsonl"),
        (("--sensors", "a,b"), "--sensors needs --model or --inference"),
    ],
)
def test_a_wrong_argument_is_said_in_one_line_before_anything_starts(tmp_path: Path, arguments, says: str):
    finished = latecomer_here("revise", "--input", "events.jsonl", *arguments, cwd=tmp_path)
    assert says in one_line(finished.stderr)
    assert finished.returncode == 2
