"""A sample of the planted errors on each run; ``python -m tests.planted.run`` plants them all."""

from pathlib import Path
from random import Random
from zlib import crc32

import pytest

from tests.planted.run import FOLDER, ROOT, PlantedError, load_planted, places, plant, planted_files, run_maven

SAMPLE = 3

SAMPLE_OF_ADAPTERS = ("the watermark is 1 ms early on Bytewax", "positions begin at 1")
"""Those that are found without a JVM, which takes half a minute to start twice on a busy machine."""

ERRORS = [error for path in planted_files() for error in load_planted(path)]


def sample_of_core() -> list[PlantedError]:
    """Another sample for each version of the source, the same on every machine."""
    errors = load_planted(FOLDER / "core.yaml")
    source = b"".join(path.read_bytes() for path in sorted((ROOT / "window_core").glob("*.py")))
    return Random(crc32(source)).sample(errors, SAMPLE)


@pytest.mark.parametrize("error", sample_of_core(), ids=lambda error: error.name)
def test_a_planted_error_turns_the_tests_red(error: PlantedError) -> None:
    outcome = plant(error)
    assert outcome.verdict == "red", outcome


@pytest.mark.parametrize("name", SAMPLE_OF_ADAPTERS)
def test_a_planted_error_in_an_adapter_turns_the_parity_suite_red(name: str) -> None:
    [error] = [error for error in load_planted(FOLDER / "adapters.yaml") if error.name == name]
    outcome = plant(error)
    assert outcome.verdict == "red", outcome


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.name)
def test_every_planted_error_still_applies(error: PlantedError) -> None:
    assert places(error) == 1


def test_every_rule_of_the_window_has_planted_errors() -> None:
    assert {str(rule) for rule in range(1, 11)} <= {error.rule for error in load_planted(FOLDER / "core.yaml")}


def test_no_two_planted_errors_share_a_name() -> None:
    assert len({error.name for error in ERRORS}) == len(ERRORS)


@pytest.mark.parametrize("end", ["exit 1", "kill -TERM $$"], ids=["does not compile", "is stopped, as after too long"])
def test_a_run_in_java_without_a_failed_test_is_neither_red_nor_green(end: str, tmp_path: Path) -> None:
    status, _ = run_maven(["sh", "-c", end], tmp_path)
    assert status < 0
