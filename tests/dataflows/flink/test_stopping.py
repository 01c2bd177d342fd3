"""A job that has read all is stopped once Flink can save its state; without Flink."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflows.flink_job import run
from dataflows.flink_job.run import JobError


@pytest.fixture
def job() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that goes on until its input ends."""
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield process


def test_a_savepoint_is_asked_for_until_flink_takes_one(
    job: "subprocess.Popen[bytes]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, False, True])  # its tasks are still starting
    monkeypatch.setattr(run, "stop_with_savepoint", lambda address, folder: next(answers))
    monkeypatch.setattr(run, "_SAVE_PAUSE_S", 0.001)
    run._save_and_stop(job, "http://127.0.0.1:1", tmp_path)
    assert not list(answers)


def test_a_state_that_cannot_be_saved_fails_the_run(
    job: "subprocess.Popen[bytes]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "stop_with_savepoint", lambda address, folder: False)
    monkeypatch.setattr(run, "_SAVE_PAUSE_S", 0.001)
    with pytest.raises(JobError, match="Flink could not save the state"):
        run._save_and_stop(job, "http://127.0.0.1:1", tmp_path)


def test_a_job_that_ends_meanwhile_is_not_waited_for(
    job: "subprocess.Popen[bytes]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ended(address: str, folder: Path) -> bool:
        asked.append(address)
        job.communicate()
        return False

    monkeypatch.setattr(run, "stop_with_savepoint", ended)
    run._save_and_stop(job, "http://127.0.0.1:1", tmp_path)
    assert len(asked) == 1
