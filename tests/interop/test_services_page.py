"""Every command on the page about the services is run as it stands there, but for the ports."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.authority import Issuer
from tests.conftest import ROOT
from tests.interop.page import blocks_of, free_ports, like_a_checkout, ports_of, said_by

PAGE = (ROOT / "docs" / "services.md").read_text()
BLOCKS = blocks_of(PAGE)
FILES = re.findall(r"^`(\S+\.py)`:\n\n```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PORTS = ports_of(PAGE)
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
    like_a_checkout(here, FILES)
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
    return free_ports(PORTS)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_of_the_page_does_what_it_says(
    number: int, folder: Path, ports: dict[str, str], request: pytest.FixtureRequest
) -> None:
    block = BLOCKS[number]
    if "--language java" in block:
        request.getfixturevalue("jar")
    assert EXPECTED[number] in said_by(block, folder, ports)


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
