"""The command line as a user meets it: a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from dataflows.command_line import main
from dataflows.pipeline.event_codec import EventCodec
from dataflows.simulated_fleet import SimulatedFleet
from tests.conftest import ROOT

__all__ = ["Finished", "command_of", "environment", "latecomer", "latecomer_here", "one_line", "sample_log", "started"]

TIMEOUT_S = 120
"""Of one command, far above any: a command that hangs fails its test, and not the whole suite."""

Finished = subprocess.CompletedProcess[bytes]


def command_of(*arguments: object) -> list[str]:
    return [sys.executable, "-P", "-m", "dataflows.command_line", *map(str, arguments)]


def environment(**variables: str) -> dict[str, str]:
    """That of a user: without what the tests set for themselves."""
    ours = ("LATECOMER_", "GRPC_", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **variables}


def latecomer(*arguments: object, cwd: Path, standard_input: bytes = b"", **variables: str) -> Finished:
    """Run a command to its end."""
    return subprocess.run(
        command_of(*arguments),
        cwd=cwd,
        env=environment(**variables),
        input=standard_input,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def latecomer_here(*arguments: object, cwd: Path) -> Finished:
    """A command in this process, for what is refused before anything starts: ten times as quick."""
    read, write = StringIO(), StringIO()
    before = signal.getsignal(signal.SIGTERM)
    with ExitStack() as stack:
        stack.enter_context(chdir(cwd))
        stack.enter_context(redirect_stdout(read))
        stack.enter_context(redirect_stderr(write))
        stack.enter_context(patch.object(sys, "argv", ["latecomer", *map(str, arguments)]))
        stack.enter_context(patch.dict(os.environ, {"COLUMNS": "200"}))
        stack.callback(signal.signal, signal.SIGTERM, before)
        try:
            main()
        except SystemExit as end:
            status = end.code
    return Finished(arguments, int(status or 0), read.getvalue().encode(), write.getvalue().encode())


@contextmanager
def started(*arguments: object, cwd: Path, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command under way, with pipes to all of its ends; it does not outlive the context."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command_of(*arguments), cwd=cwd, env=environment(**variables), stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def one_line(output: bytes) -> str:
    """Standard error, which has to be one whole line and no more."""
    text = output.decode()
    assert text.endswith("\n"), f"not a whole line: {text!r}"
    assert text.count("\n") == 1, f"not one line: {text!r}"
    return text.removesuffix("\n")


def sample_log(devices: int = 5, hours: int = 6, **shares: float) -> bytes:
    """The lines of a small fleet."""
    fleet = SimulatedFleet(devices=devices, duration_ms=hours * 3_600_000, interval_ms=3_600_000, **shares)
    encoded = EventCodec().encoded
    return b"".join(encoded(event, arrival_ms) + b"\n" for event, arrival_ms in fleet.logged_events())
