"""The page about a fleet with sensors, features and a model of its own: each block is run as it stands there."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.interop.page import blocks_of, free_ports, like_a_checkout, ports_of, said_by
from tests.machine import has_broker, has_flink

__all__ = ["has_broker", "has_flink"]

PAGE = (ROOT / "docs" / "own-fleet.md").read_text()
FILES = re.findall(r"^`(\S+\.(?:py|toml))`:\n\n```\w+\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
EXPECTED = ("equal", "equal", "predictions in")

pytestmark = pytest.mark.usefixtures("has_flink", "has_broker")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second and the third block read what the first one writes."""
    here = tmp_path_factory.mktemp("page")
    like_a_checkout(here, FILES)
    return here


@pytest.mark.parametrize("number", range(len(EXPECTED)))
def test_a_block_of_the_page_does_what_it_says(number: int, folder: Path) -> None:
    assert EXPECTED[number] in said_by(blocks_of(PAGE)[number], folder, free_ports(ports_of(PAGE)))


def test_every_block_is_run() -> None:
    assert len(blocks_of(PAGE)) == len(EXPECTED)
