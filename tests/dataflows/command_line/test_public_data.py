"""Two public data sets, as packages ship them, by the commands of the page: every window is recomputed."""

import csv
import gzip
import json
import math
import os
import re
import subprocess
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars
import pytest

from tests.conftest import ROOT
from tests.dataflows.commands import latecomer
from tests.dataflows.ml_server import environment
from tests.interop.page import like_a_checkout

PAGE = (ROOT / "docs" / "events.md").read_text()
MODELS = re.findall(r"^`((?:quake|glucose)\.json)`:\n\n```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = {
    "quakes": re.findall(r"^```\n(\./latecomer run --input \$data/hv.*?)^```", PAGE, re.DOTALL | re.MULTILINE),
    "glucose": re.findall(r"^```\n(\./latecomer run --input \$data/bokeh.*?)^```", PAGE, re.DOTALL | re.MULTILINE),
}

Reading = tuple[str, str, list[str]]
"""Device, time and readings, as texts."""

Window = tuple[str, int, int, list[float]]
"""Device, newest time, number of events and the mean of each reading."""

WEEK_MS = 7 * 86_400_000
HOURS_MS = 3 * 3_600_000


@pytest.fixture(scope="module")
def data() -> Path:
    [found] = environment().glob("lib/python*/site-packages")
    if not (found / "hvsampledata").is_dir() or not (found / "bokeh_sampledata").is_dir():
        pytest.skip("hvsampledata or bokeh-sampledata is missing: LATECOMER_TEST_TRIALS=1 installs both")
    return found


def recomputed(readings: Iterator[Reading], interval_ms: int) -> Iterator[Window]:
    """The window after each reading that is accepted; of an equal time and equal readings only the first is."""
    held: dict[str, list[tuple[int, int, tuple[float, ...]]]] = {}
    newest: dict[str, int] = {}
    for number, (device, time, texts) in enumerate(readings):
        moment = datetime.fromisoformat(time).replace(tzinfo=UTC)
        time_ms = round(moment.timestamp() * 1_000)
        values = tuple(float(np.float32(text)) for text in texts)
        window = held.setdefault(device, [])
        same = window[bisect_left(window, (time_ms,)) : bisect_left(window, (time_ms + 1,))]
        if time_ms < newest.get(device, time_ms) - interval_ms or values in [one[2] for one in same]:
            continue
        insort(window, (time_ms, number, values))
        newest[device] = max(newest.get(device, time_ms), time_ms)
        seen = window[
            bisect_left(window, (newest[device] - interval_ms,)) : bisect_right(window, (newest[device] + 1,))
        ]
        columns = zip(*(one[2] for one in seen), strict=True)
        yield device, newest[device], len(seen), [float(np.float32(math.fsum(one) / len(seen))) for one in columns]


def found_in(file: Path) -> list[Window]:
    rows = map(json.loads, file.read_text().splitlines())
    return [(one["device_id"], one["newest_ms"], one["events"], list(one["features"].values())) for one in rows]


def is_same(found: list[Window], expected: list[Window]) -> bool:
    """Whether they are; pytest would show the difference of tens of thousands for minutes."""
    return found == expected


def run_as_on_the_page(name: str, folder: Path, data: Path) -> None:
    like_a_checkout(folder, MODELS)
    [command] = COMMANDS[name]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "data": str(data)}
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "rejections      0" in done.stdout


def test_earthquakes_of_three_depths(data: Path, tmp_path: Path) -> None:
    run_as_on_the_page("quakes", tmp_path, data)
    shipped = data / "hvsampledata" / "_data" / "earthquakes.csv"
    with shipped.open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = list(
        recomputed(((row["depth_class"], row["time"], [row["depth"], row["mag"]]) for row in rows), WEEK_MS)
    )
    assert len(expected) == len(rows) > 500
    assert is_same(sorted(found_in(tmp_path / "quakes.jsonl")), sorted(expected))
    polars.read_csv(shipped, try_parse_dates=True).write_parquet(tmp_path / "quakes.parquet")
    options = "--interval 7d --tick 0 --sensors depth,mag --model quake.json --fields device_id=depth_class"
    zone = ("--time-unit", "iso", "--time-zone", "UTC")
    done = latecomer(
        "run", "--input", "quakes.parquet", "--output", "again.jsonl", *options.split(), *zone, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert is_same(found_in(tmp_path / "again.jsonl"), found_in(tmp_path / "quakes.jsonl"))


def test_a_glucose_sensor_with_gaps(data: Path, tmp_path: Path) -> None:
    run_as_on_the_page("glucose", tmp_path, data)
    with gzip.open(data / "bokeh_sampledata" / "_data" / "CGM.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = list(recomputed((("patient-1", row["datetime"], [row["glucose"]]) for row in rows), HOURS_MS))
    assert len(expected) == len(rows) > 50_000
    assert is_same(found_in(tmp_path / "glucose.jsonl"), expected)
    events = [window[2] for window in expected]
    assert min(events) == 1  # after a gap of more than three hours
    assert max(events) >= 37  # five minutes apart, both ends included
