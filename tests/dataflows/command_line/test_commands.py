"""The list of commands, and what one of them loads: nothing that another needs."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from dataflows.command_line import COMMANDS, latecomer
from tests.conftest import ROOT
from tests.dataflows.commands import latecomer_here, one_line

HELD_BY_OTHERS = {"bytewax", "pyflink", "confluent_kafka", "cryptography", "fastavro", "polars", "zstandard"}


def test_each_module_is_a_command_in_the_list() -> None:
    modules = {path.stem for path in Path(ROOT, "dataflows", "command_line").glob("[a-z]*.py")}
    assert {name.replace("-", "_") for name in COMMANDS} == modules
    for module in modules:
        assert isinstance(getattr(import_module(f"dataflows.command_line.{module}"), module), click.Command)


def test_the_list_has_a_line_for_each() -> None:
    context = click.Context(latecomer, info_name="latecomer", terminal_width=80)
    listed = latecomer.get_help(context).partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == sorted(COMMANDS)
    assert all(line.endswith(".") and "..." not in line for line in listed)


def test_a_name_that_is_nearly_one_is_corrected(tmp_path: Path) -> None:
    finished = latecomer_here("explian", cwd=tmp_path)
    assert finished.returncode == 2
    assert "Did you mean 'explain'?" in one_line(finished.stderr)


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        (("--help",), HELD_BY_OTHERS | {"grpc", "numpy", "prometheus_client"}),
        (("explain", "--help"), HELD_BY_OTHERS | {"grpc", "numpy"}),
        (("verify", "--help"), HELD_BY_OTHERS | {"grpc", "numpy"}),
        (("explain", "0/2", "--input", "events.jsonl", "--quiet"), HELD_BY_OTHERS),
    ],
)
def test_a_command_loads_no_library_that_it_does_not_need(
    small_log: None, tmp_path: Path, arguments: tuple[str, ...], unused: set[str]
) -> None:
    script = "import atexit, sys; from dataflows.command_line import main; "
    script += "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", script, *arguments]
    finished = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in finished.stderr.splitlines()[-1].split()}
    assert finished.stdout
    assert "click" in loaded
    assert not loaded & unused
