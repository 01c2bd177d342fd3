"""``latecomer test``: every check of a checkout, which is also what CI runs."""

import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import click

from runtime.errors import SettingsError
from runtime.terminal import say, show

__all__ = ["test"]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test(pytest_arguments: tuple[str, ...]) -> int:
    """Check format, lint, types, and run all tests.

    PYTEST_ARGUMENTS, if given, choose among the tests, and only these are run.
    """
    root = Path(__file__).parents[2]
    if not (root / "tests").is_dir():
        raise SettingsError("latecomer test needs a checkout: the installed package has no tests")
    python = sys.executable
    checks = [[python, "-m", "pytest", *pytest_arguments]]
    if not pytest_arguments:
        checks = [
            [python, "-m", "ruff", "format", "--check", "."],
            [python, "-m", "ruff", "check", "."],
            [python, "-m", "mypy"],
            *checks,
        ]
        if shutil.which("mvn") and shutil.which("java"):
            checks.append(["mvn", "--batch-mode", "--quiet", "--file", "pom.xml", "verify"])
        else:
            say("JDK 17 and Maven are not on the PATH: the Java half is not tested")
    for check in checks:
        start = perf_counter()
        click.secho(f"$ {' '.join(check)}", bold=True)
        status = subprocess.run(check, cwd=root, check=False).returncode
        if status != 0:
            raise click.exceptions.Exit(1)
        show(f"ok, {perf_counter() - start:.0f} s")
    return 0
