"""The tutorial: each block is run as it stands there, with packages of the internet that a test installs once."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.dataflows.ml_server import environment
from tests.interop.page import blocks_of, free_ports, like_a_checkout, ports_of, said_by
from tests.machine import has_broker

__all__ = ["has_broker"]

PAGE = (ROOT / "docs" / "tutorial.md").read_text()
FILES = re.findall(r"^`(\S+\.\w+)`:\n\n```\w+\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    like_a_checkout(tmp_path, FILES)
    return tmp_path


def test_a_project_runs_and_is_looked_at(folder: Path) -> None:
    assert "report in output/report.html" in said_by(blocks_of(PAGE)[0], folder, free_ports(ports_of(PAGE)))


def test_the_table_of_a_historian_with_a_feature_and_a_model(folder: Path) -> None:
    said = said_by(blocks_of(PAGE)[1], folder, free_ports(ports_of(PAGE)))
    assert "rejections      0" in said
    assert "prediction      wear high, by wear/v1" in said
    lines = map(json.loads, (folder / "hall" / "predictions.jsonl").read_text().splitlines())
    worn = {line["position"]: line["result"]["wear"] for line in lines if line["cause"] == "event"}
    assert worn == {"0/1": "low", "0/2": "high", "0/3": "low", "0/4": "low"}


def test_a_model_that_scikit_learn_has_trained(folder: Path) -> None:
    [block] = re.findall(r"^```\n(python3 -m venv .*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    steps = [line for line in block.splitlines() if "pip install" not in line]
    steps[0] = steps[0].replace("training/bin/python", str(environment() / "bin" / "python"))
    said = said_by(blocks_of(PAGE)[1] + "\n".join(steps), folder, free_ports(ports_of(PAGE)))
    for line in ("8 in both", "0 moved at all"):
        assert f" {line}\n" in said
        assert line in PAGE


def test_the_fleet_on_kafka(folder: Path, has_broker: None) -> None:
    assert "kafka/predictions.jsonl" in said_by(blocks_of(PAGE)[2], folder, free_ports(ports_of(PAGE)))


def test_every_block_is_run() -> None:
    assert len(blocks_of(PAGE)) == 3
