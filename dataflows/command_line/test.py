"""``latecomer test``: every check of a checkout, which is also what CI runs; with ``--fast``, those of a minute."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Final

import click

from runtime.errors import SettingsError
from runtime.terminal import say, show

__all__ = ["FAST_TESTS", "STATIC_CHECKS", "test"]

STATIC_CHECKS: Final = (("ruff", "format", "--check", "."), ("ruff", "check", "."), ("mypy",))
"""Modules and their arguments. ``.pre-commit-config.yaml`` has the same three."""

FAST_TESTS: Final = (
    "window_core",
    "runtime",
    "dataflows/pipeline",
    "dataflows/settings",
    "tests/test_docs.py",
    "tests/test_imports.py",
    "tests/window_core",
    "tests/runtime",
    "--ignore=tests/runtime/test_grpc_environment.py",  # starts services, and rests
    "--ignore=tests/runtime/test_metrics_server.py",  # waits for half requests to time out
    "--ignore=tests/runtime/test_terminal.py",  # runs commands
    "tests/dataflows/pipeline",
    "tests/dataflows/services",
    *(
        f"--ignore=tests/dataflows/services/test_{name}.py"
        for name in ("client", "ml_server", "open_inference", "statuses", "stream", "streams", "traces")
    ),
    *(
        f"tests/dataflows/deployment/test_{name}.py"
        for name in (
            "checks",
            "flink",
            "in_job_manager",
            "job_settings",
            "manifests",
            "pods",
            "report",
            "rollout",
            "waiting",
        )
    ),
    "tests/dataflows/settings",
    "tests/dataflows/test_summary.py",
    "tests/dataflows/flink_job/test_causes.py",
    "tests/dataflows/flink_job/test_frames.py",
    "tests/dataflows/flink_job/test_held_devices.py",
    *(
        f"tests/grpc_services/python/test_{name}.py"
        for name in ("exact_mean", "held_columns", "message_bytes", "settings")
    ),
    "tests/planted/test_planted.py::test_every_planted_error_still_applies",
)
"""What pytest runs with ``--fast``: none of these tests imports an engine or starts a broker, a JVM or a server."""

SIDE_BY_SIDE: Final = ("--numprocesses=2", "--dist=loadfile")
"""How pytest runs all tests: most wait for a broker, a JVM or a time-out, and those of a file share what it starts."""

FAST_DRAWS: Final = {"LATECOMER_HYPOTHESIS": "fast"}
"""Fewer drawn examples, see ``tests/conftest.py``; a value in the environment takes precedence."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--fast", is_flag=True, help="Run the unit tests only, which need no engine, broker, JVM or server. Under a minute."
)
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test(fast: bool, pytest_arguments: tuple[str, ...]) -> int:
    """Check format, lint and types, then run all tests, the Java ones too if JDK 17 and Maven are on the PATH.

    PYTEST_ARGUMENTS go to pytest, and nothing else is run: `latecomer test tests/window_core`. With --fast they are
    added to those of the unit tests, and every other check runs too: `latecomer test --fast -x`.
    """
    root = Path(__file__).parents[2]
    if not (root / "tests").is_dir():
        raise SettingsError("latecomer test needs a checkout: the installed package has no tests")
    python = sys.executable
    checks = [[python, "-m", "pytest", *(FAST_TESTS if fast else ()), *pytest_arguments]]
    if not fast and not pytest_arguments:
        checks = [[*checks[0], *SIDE_BY_SIDE]]
    if fast or not pytest_arguments:
        checks = [*([python, "-m", *check] for check in STATIC_CHECKS), *checks]
    if not fast and not pytest_arguments:
        if shutil.which("mvn") and shutil.which("java"):
            checks.append(["mvn", "--batch-mode", "--quiet", "--file", "pom.xml", "verify"])
        else:
            say("JDK 17 and Maven are not on the PATH: the Java half is not tested")
    environment = {**FAST_DRAWS, **os.environ} if fast else None
    for check in checks:
        start = perf_counter()
        click.secho(f"$ {' '.join(check)}", bold=True)
        status = subprocess.run(check, cwd=root, env=environment, check=False).returncode
        if status != 0:
            raise click.exceptions.Exit(1)
        show(f"ok, {perf_counter() - start:.0f} s")
    return 0
