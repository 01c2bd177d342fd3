"""Every command on the page about the services is run as it stands there, but for the ports."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.authority import Issuer

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "services.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
FILES = re.findall(r"^`(\S+\.py)`:\n\n```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PORTS = sorted(set(re.findall(r"(?:localhost:|--port )([0-9]+)", PAGE)))
EXPECTED = [
    "logistic_regression_result",
    '"model_id":"log_reg_model/v2"',
    "alarm/v1",
    "predictions in",
    "sensor_4/v1",
    "0.515127767",
    "v1",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a checkout to who stands in it, with the files that the page speaks of."""
    here = tmp_path_factory.mktemp("page")
    command = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m dataflows.command_line "$@"\n'
    for name, text in (*FILES, ("latecomer", command)):
        (here / name).write_text(text)
    (here / "latecomer").chmod(0o755)
    (here / "protos").symlink_to(ROOT / "protos")
    issuer = Issuer(here)
    (here / "token").write_text(issuer.token(iss="https://issuer.example"))
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on the PATH")
    [certificate] = [line for line in "".join(BLOCKS).replace("\\\n", "").splitlines() if line.startswith("openssl ")]
    subprocess.run(["/bin/sh", "-c", certificate], cwd=here, capture_output=True, check=True)  # two blocks use it
    return here


@pytest.fixture
def ports() -> dict[str, str]:
    """A free one for each on the page."""
    with ExitStack() as ends:
        found = {}
        for port in PORTS:
            free = ends.enter_context(socket.socket())
            free.bind(("127.0.0.1", 0))
            found[port] = str(free.getsockname()[1])
        return found


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_of_the_page_does_what_it_says(
    number: int, folder: Path, ports: dict[str, str], request: pytest.FixtureRequest
) -> None:
    block = BLOCKS[number]
    if "--language java" in block:
        request.getfixturevalue("jar")
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}:{folder}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    said = ""
    with ExitStack() as ends:
        for line in block.replace("\\\n", "").strip().splitlines():
            words = re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: ports[found[1]], line)
            if words.endswith("&"):
                command = ["/bin/sh", "-c", "exec " + words.removesuffix("&")]
                server = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
                ends.callback(lambda one=server: (one.terminate(), one.wait(), one.stdout.close()))
                assert "listening on" in server.stdout.readline()
            else:
                run = ["/bin/sh", "-c", words]
                result = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=False)
                assert result.returncode == 0, f"{words}: {result.stderr}"
                said += result.stdout
    assert EXPECTED[number] in said


def test_every_block_has_an_expectation_and_every_flag_exists() -> None:
    assert len(BLOCKS) == len(EXPECTED)
    help_texts = "".join(
        subprocess.run(
            [sys.executable, "-m", "dataflows.command_line", command, "--help"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for command in ("run", "serve", "ask", "bench")
    )
    for flag in set(
        re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"^(python|openssl|  -addext).*$", "", PAGE, flags=re.MULTILINE))
    ):
        assert flag in help_texts, flag
    assert json.loads((ROOT / "grpc_services/python/artifacts/log_reg_model_v2.json").read_text())["id"]
