"""The page about a fleet with sensors, features and a model of its own: each block is run as it stands there."""

import os
import re
import shlex
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "own-fleet.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
FILES = re.findall(r"^`(\S+\.(?:py|toml))`:\n\n```\w+\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PORTS = sorted(set(re.findall(r"(?:localhost:|--port )([0-9]+)", PAGE)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a checkout to who stands in it, with the files of the page."""
    here = tmp_path_factory.mktemp("page")
    command = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m dataflows.command_line "$@"\n'
    for name, text in (*FILES, ("latecomer", command)):
        (here / name).write_text(text)
    (here / "latecomer").chmod(0o755)
    return here


@pytest.fixture(scope="module")
def ports() -> dict[str, str]:
    """A free one for each on the page."""
    with ExitStack() as ends:
        found = {}
        for port in PORTS:
            free = ends.enter_context(socket.socket())
            free.bind(("127.0.0.1", 0))
            found[port] = str(free.getsockname()[1])
        return found


@pytest.mark.parametrize(("number", "says"), [(0, "equal"), (1, "equal"), (2, "predictions in")])
def test_a_block_of_the_page_does_what_it_says(number: int, says: str, folder: Path, ports: dict[str, str]) -> None:
    block = re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: ports[found[1]], BLOCKS[number])
    environment = os.environ | {"PYTHONPATH": f"{ROOT}", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    said = ""
    with ExitStack() as ends:
        for line in block.replace("\\\n", "").strip().splitlines():
            if line.endswith(" &"):
                command = ["/bin/sh", "-c", f"exec {line.removesuffix('&')}"]
                server = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
                ends.callback(lambda one=server: (one.terminate(), one.wait(), one.stdout.close()))
                assert server.stdout is not None
                assert server.stdout.readline()
            else:
                run = ["/bin/sh", "-c", line]
                result = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=False)
                assert result.returncode == 0, f"{line}: {result.stdout} {result.stderr}"
                said += result.stdout
    assert says in said


def test_every_block_is_run() -> None:
    assert len(BLOCKS) == 3
