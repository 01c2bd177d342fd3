"""The compiled requirements agree with one another."""

import re

from tests.conftest import ROOT

PIN = re.compile(r"^([a-z0-9._-]+(?:\[[a-z,]+\])?==\S+)", re.MULTILINE)


def pins(name: str) -> set[str]:
    return set(PIN.findall((ROOT / "requirements" / name).read_text()))


def test_the_constraints_are_the_versions_that_are_installed() -> None:
    assert pins("constraints.txt") == pins("flink.txt")
    assert pins("run.txt") < pins("flink.txt") < pins("test.txt")
    assert pins("run.txt") < pins("page.txt") < pins("test.txt")
