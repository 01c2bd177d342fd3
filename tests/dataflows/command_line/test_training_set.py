"""``latecomer training-set`` from files to a file, and what it says of what is wrong."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.dataflows.commands import latecomer, latecomer_here, one_line

SMALL = Path(__file__).parents[1] / "replay" / "small.jsonl"
LABELS = "device_id,time,y\npump-7,1587920525000,1\npump-7,1587920530000,0\npump-8,1587920530000,0\n,,1\n"


@pytest.fixture(autouse=True)
def labels(tmp_path: Path) -> Path:
    (tmp_path / "events.jsonl").write_bytes(SMALL.read_bytes())
    (tmp_path / "folder.csv").mkdir()
    path = tmp_path / "labels.csv"
    path.write_text(LABELS)
    return path


@pytest.mark.parametrize(("way", "first"), [("--as-known", 1.5), ("--as-of", 2.0)])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_labels_come_with_features_in_the_format_of_the_suffix(tmp_path: Path, way: str, first: float, suffix: str):
    output = tmp_path / f"training.{suffix}"
    finished = latecomer_here(
        "training-set", "--at", "labels.csv", "--input", "events.jsonl", "--output", output, way, cwd=tmp_path
    )
    assert finished.returncode == 0, finished.stderr
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[suffix]
    table = read(output)
    assert table.columns == ["device_id", "time", "y", *(f"sensor_{number}/v1" for number in range(1, 5))]
    assert table["sensor_1/v1"].to_list() == [first, 2.0, None, None]
    assert table["y"].to_list() == [1, 0, 0, 1]
    said = finished.stderr.decode()
    assert "4 rows, 2 with features" in said
    assert "2 rows without features: no device or no time 1, unknown device 1" in said


def test_features_of_ones_own_come_from_the_service_that_a_run_starts(tmp_path: Path):
    (tmp_path / "own.py").write_text(
        "from grpc_services.python.features import feature\n\n\n"
        '@feature("events/v1")\ndef events(window):\n    return len(window)\n'
    )
    arguments = ("--input", "events.jsonl", "--output", "t.jsonl", "--features-from", "own:events")
    finished = latecomer("training-set", "--at", "labels.csv", *arguments, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    rows = map(json.loads, (tmp_path / "t.jsonl").read_text().splitlines())
    assert [row["events/v1"] for row in rows] == [2.0, 3.0, None, None]


def test_the_log_and_the_window_are_those_of_the_run_that_is_named(tmp_path: Path):
    (tmp_path / "p.jsonl.run.toml").write_text('input = "events.jsonl"\ninterval = "1m"\n')
    finished = latecomer_here(
        "training-set", "--at", "labels.csv", "--run", "p.jsonl", "--output", "t.csv", cwd=tmp_path
    )
    assert finished.returncode == 0, finished.stderr
    assert pl.read_csv(tmp_path / "t.csv")["sensor_1/v1"].to_list() == [2.0, 2.5, None, None]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--at must name a file of labels"),
        (("--at", "missing.csv"), "--at missing.csv does not exist, or is no file"),
        (("--at", "folder.csv"), "--at folder.csv does not exist, or is no file"),
        (("--at", "events.txt"), "--at events.txt: the name must end in .csv, .tsv, .jsonl, .parquet"),
        (("--at", "labels.csv", "--as-of", "--as-known"), "--as-known and --as-of exclude each other"),
        (("--at", "labels.csv", "--time-zone", "Mars"), "--time-zone Mars: there is no such time zone"),
        (("--at", "labels.csv", "--label-time", "t"), "--label-time: the labels have no column t; they have device_id"),
        (("--at", "labels.csv", "--output", "labels.csv"), "--output and --at are the same file, labels.csv"),
        (("--at", "labels.csv", "--output", "t.xls"), "--output t.xls: the name must end in .csv"),
        (("--at", "labels.csv", "--output", "folder.csv"), "--output folder.csv is a folder, not a file"),
        (("--at", "labels.csv", "--input", "no.jsonl"), "--input no.jsonl does not exist"),
        (("--at", "labels.csv", "--interval", "0"), "--interval must be above 0"),
    ],
)
def test_a_wrong_argument_is_said_in_one_line_before_anything_starts(tmp_path: Path, arguments, says: str):
    (tmp_path / "events.txt").write_text("")
    finished = latecomer_here("training-set", *arguments, cwd=tmp_path)
    assert says in one_line(finished.stderr)
    assert finished.returncode == 2
    assert not (tmp_path / "t.csv").exists()


def test_a_damaged_file_of_labels_is_said_in_one_line(tmp_path: Path):
    (tmp_path / "labels.parquet").write_bytes(b"PAR1 no more")
    finished = latecomer_here("training-set", "--at", "labels.parquet", "--input", "events.jsonl", cwd=tmp_path)
    assert "--at labels.parquet cannot be read: " in one_line(finished.stderr)
    assert finished.returncode == 1
