"""The page about a user's own events does what it says, block by block."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.dataflows.commands import latecomer

PAGE = (ROOT / "docs" / "events.md").read_text()
FILES = re.findall(r"^`(\S+\.(?:jsonl|json|toml|csv))`:\n\n```\w+\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("page")
    for name, text in FILES:
        (here / name).write_text(text)
    return here


@pytest.mark.parametrize(
    ("number", "times", "says"),
    [
        (0, [1_772_352_000_000, 1_772_352_120_000], "INVALID, most often (1): wrong_type in at.ts; the first is 0/2"),
        (1, [1_772_352_000_000, 1_772_352_120_000, 1_772_348_640_000], "rejections      0"),
        (2, None, "evaluations"),
        (3, [1_772_352_000_000, 1_772_352_120_000], "rejections      0"),
    ],
)
def test_a_block_reads_the_events_as_the_page_says(
    folder: Path, number: int, times: list[int] | None, says: str
) -> None:
    said = ""
    for line in BLOCKS[number].replace("\\\n", "").splitlines():
        words = shlex.split(line)
        if words[0] == "./latecomer":
            finished = latecomer(*words[1:], cwd=folder)
            said += finished.stdout.decode()
        else:
            finished = subprocess.run(words, cwd=folder, capture_output=True, check=False)
        assert finished.returncode == 0, finished.stderr
    assert says in said
    if times is not None:
        predictions = map(json.loads, (folder / "predictions.jsonl").read_text().splitlines())
        assert [prediction["event_ms"] for prediction in predictions if prediction["cause"] != "tick"] == times


def test_every_block_is_run() -> None:
    assert len(BLOCKS) == 4
