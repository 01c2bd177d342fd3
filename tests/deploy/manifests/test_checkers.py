"""What two checkers of the trade say: nothing, or what is listed here with its reason."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.manifests.rendering import COMBINATIONS, name_of, rendered_combination

ALL_WITH_OPERATOR, ALL = COMBINATIONS[-2], COMBINATIONS[-1]

ACCEPTED: dict[str, str] = {}
"""Checks of checkov that fail, with the reason."""

ACCEPTED_IN_DOCKERFILES: dict[str, str] = {}
"""Rules of hadolint that are broken, with the reason."""


@pytest.mark.parametrize("combination", [("local",), ("production",), ALL], ids=name_of)
def test_checkov_finds_nothing_that_is_not_accepted(
    checkers: Path, tmp_path: Path, combination: tuple[str, ...]
) -> None:
    (tmp_path / "manifests.yaml").write_text(rendered_combination(combination).text)
    command = [checkers / "checkov", "--framework", "kubernetes", "--output", "json", "--quiet", "--compact"]
    checked = subprocess.run(
        [*command, "--directory", tmp_path], capture_output=True, text=True, check=False, timeout=240
    )
    results = json.loads(checked.stdout)
    assert results["summary"]["passed"] > 100
    failed = {
        f"{check['check_id']} {check['check_name']}: {check['resource']}"
        for check in results["results"]["failed_checks"]
    }
    assert {line for line in failed if line.split()[0] not in ACCEPTED} == set()


@pytest.mark.parametrize(
    "dockerfile", sorted((ROOT / "deploy" / "docker").glob("*.Dockerfile")), ids=lambda path: path.stem
)
def test_hadolint_finds_nothing_that_is_not_accepted(checkers: Path, dockerfile: Path) -> None:
    ignored = [option for rule in ACCEPTED_IN_DOCKERFILES for option in ("--ignore", rule)]
    command = [checkers / "hadolint", "--failure-threshold", "info", *ignored, dockerfile]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (checked.returncode, checked.stdout) == (0, "")
