"""What is checked after each change: the fast tests load no engine, and the hooks of a commit are the first checks."""

import subprocess
import sys
from pathlib import Path

import yaml

from dataflows.command_line.test import FAST_TESTS, STATIC_CHECKS
from tests.conftest import ROOT

SLOW = ("bytewax", "pyflink", "confluent_kafka")

PLUGIN = f"""
import sys
def pytest_collection_finish(session):
    loaded = [name for name in {SLOW} if name in sys.modules]
    print("LOADED", loaded)
"""


def test_collecting_the_fast_tests_loads_no_engine(tmp_path: Path) -> None:
    (tmp_path / "nothing_slow.py").write_text(PLUGIN)
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "nothing_slow", *FAST_TESTS],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "test_device_window.py" in finished.stdout
    assert [line for line in finished.stdout.splitlines() if line.startswith("LOADED")] == ["LOADED []"]


def test_each_path_of_the_fast_tests_exists() -> None:
    for path in FAST_TESTS:
        assert (ROOT / path.removeprefix("--ignore=").partition("::")[0]).exists(), path


def test_the_hooks_of_a_commit_are_the_first_checks_and_come_from_nowhere_else() -> None:
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    entries = [hook["entry"] for hook in repository["hooks"]]
    assert entries == [" ".join((".venv/bin/python", "-m", *check)) for check in STATIC_CHECKS]
