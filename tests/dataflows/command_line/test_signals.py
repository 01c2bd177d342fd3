"""A run that is told to end, or is killed: one line, whole lines, and no process left behind."""

import os
import select
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from dataflows.services.embedded import embedded_service
from tests.dataflows.commands import command_of, environment, one_line, sample_log, started
from tests.dataflows.misbehaving import Status, misbehaving

RUN = ("run", "--input", "events.jsonl", "--output", "p.jsonl", "--quiet")


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_bytes(sample_log(devices=40, hours=24))
    return path


def children_of(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in found.read_text().split()]


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def running(process: "subprocess.Popen[bytes]", output: Path) -> list[int]:
    """Wait until it has written something; the processes of its services."""
    while process.poll() is None and not (output.exists() and output.stat().st_size):
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    assert process.poll() is None, "it ended before it could be told to"
    return children_of(process.pid)


def all_gone(processes: list[int]) -> bool:
    """Whether these processes have ended, or end within 30 s."""
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            descriptor = os.pidfd_open(process)
            try:
                select.select([descriptor], [], [], 30)
            finally:
                os.close(descriptor)
    return not any(is_running(process) for process in processes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_told_to_end_says_so_in_one_line_and_leaves_whole_lines(
    tmp_path: Path, events: Path, number: signal.Signals
) -> None:
    with started(*RUN, cwd=tmp_path) as process:
        services = running(process, tmp_path / "p.jsonl")
        assert len(services) == 2
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, b"")
    assert one_line(errors) == "latecomer: interrupted; what was written so far is whole lines"
    assert (tmp_path / "p.jsonl").read_bytes().endswith(b"}\n")
    assert all_gone(services)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_told_to_end_while_its_services_start_ends_as_well(
    tmp_path: Path, events: Path, number: signal.Signals
) -> None:
    with started(*RUN, cwd=tmp_path) as process:
        while process.poll() is None and not children_of(process.pid):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        services = children_of(process.pid)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, b"")
    assert one_line(errors).startswith("latecomer: interrupted")
    assert all_gone(services)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_the_midst_of_the_start_of_a_service_still_stops_it(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_here: list[subprocess.Popen[str]] = []

    class Interrupted(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            started_here.append(self)
            signal.raise_signal(number)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), embedded_service("features"):
            pass
    finally:
        signal.signal(number, before)
    [process] = started_here
    assert process.poll() is not None


def test_a_service_whose_starter_has_gone_says_nothing(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = command_of("serve", "features", "--port", 0, "--stop-with-input")
    finished = subprocess.run(
        command, cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE,
        check=False, timeout=60,
    )  # fmt: skip
    os.close(write)
    assert (finished.returncode, finished.stderr) == (1, b"")


def test_a_run_that_waits_for_a_silent_service_ends_at_once(
    tmp_path: Path, events: Path, features_address: str, inference_address: str
) -> None:
    reached = Flag()

    def silent(name: str, request: object, number: int) -> Status:
        reached.set()
        return inference.never()

    with misbehaving(inference_address, silent) as inference:
        services = ("--features", features_address, "--inference", inference.address, "--timeout", "1d")
        with started(*RUN, *services, cwd=tmp_path) as process:
            assert reached.wait(60)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert one_line(errors).startswith("latecomer: interrupted")


def test_a_run_that_is_killed_leaves_no_service_behind(tmp_path: Path, events: Path) -> None:
    with started(*RUN, cwd=tmp_path) as process:
        services = running(process, tmp_path / "p.jsonl")
        assert len(services) == 2
        process.kill()
        process.communicate(timeout=60)
    assert all_gone(services)


def test_a_reader_that_goes_away_ends_the_run_in_one_line(tmp_path: Path, events: Path) -> None:
    with started(*RUN, "--output", "-", "--rejections", "r.jsonl", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().endswith(b"}\n")
        process.stdout.close()
        assert one_line(process.stderr.read()) == "latecomer: standard output: Broken pipe"
        assert process.wait(60) == 1
