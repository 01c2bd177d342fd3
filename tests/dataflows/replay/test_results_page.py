"""The page about results does what it says, block by block, in the order of the page; but for one that needs topics."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.dataflows.commands import environment
from tests.interop.page import like_a_checkout

PAGE = (ROOT / "docs" / "results.md").read_text()
FILES = re.findall(r"^`(\S+\.(?:jsonl|json|toml|csv|py))`:\n\n```\w+\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
BLOCKS = re.findall(
    r"^```(sh|python)\n(.*?)^```(?:\n\nFor the sample it prints\n\n^```text\n(.*?)^```)?",
    PAGE,
    re.DOTALL | re.MULTILINE,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("results")
    like_a_checkout(here, FILES)
    return here


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_runs_as_it_stands(folder: Path, number: int) -> None:
    language, text, prints = BLOCKS[number]
    shell = text if language == "sh" else f"{shlex.quote(sys.executable)} -c {shlex.quote(text)}"
    finished = subprocess.run(
        ["/bin/sh", "-ec", shell], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, f"{text}\n{finished.stdout}\n{finished.stderr}"
    assert prints in finished.stdout
