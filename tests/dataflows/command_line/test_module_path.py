"""Nothing that lies beside the data runs, whatever its name; only a plug-in that was named does."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.dataflows.commands import sample_log

PLUGIN = "my_services"
PLUGIN_TEXT = """
import {library}
from grpc_services.python.features import MEANS as FEATURES
"""
TIMEOUT_S = 800

pytestmark = pytest.mark.timeout(TIMEOUT_S + 60)  # two engines and a broker, in turn


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script and all that it runs, but for an installer that only looks at what it would import."""
    folder = tmp_path_factory.mktemp("checkout") / "a checkout, über"  # a path as people have
    folder.mkdir()
    for name in ("benchmarks", "dataflows", "grpc_services", "protos", "runtime", "tests", "window_core"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "latecomer").write_bytes((ROOT / "latecomer").read_bytes())
    (folder / "latecomer").chmod(0o755)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "requirements").mkdir()
    text = (ROOT / "requirements" / "install.py").read_text()
    imports = re.findall(r"^ *((?:from \S+ )?import .+)$", text, re.MULTILINE)
    assert imports
    (folder / "requirements" / "install.py").write_text("\n".join(imports))
    return folder


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder of data with a file for each module there is, which tells when it is imported, and a plug-in."""
    ours = {
        "benchmarks",
        "dataflows",
        "grpc_services",
        "runtime",
        "tests",
        "window_core",
        "sitecustomize",
        "usercustomize",
    }
    for name in {*sys.stdlib_module_names, *packages_distributions(), *ours, *vars(sys)["builtin_module_names"]}:
        if name.isidentifier():
            told = f"with open({str(tmp_path / 'ran.txt')!r}, 'a') as ran: ran.write({name!r} + ' ')\n"
            (tmp_path / f"{name}.py").write_text(told)
    (tmp_path / f"{PLUGIN}.py").write_text(PLUGIN_TEXT.format(library="json"))
    (tmp_path / "events.jsonl").write_bytes(sample_log(devices=2, hours=1))
    services = tmp_path / "META-INF" / "services"
    services.mkdir(parents=True)
    for name in (
        "org.apache.flink.core.execution.PipelineExecutorFactory",
        "org.apache.flink.core.fs.FileSystemFactory",
    ):
        (services / name).write_text("from.the.current.Folder\n")  # Java's way to be told what to load
    return tmp_path


def command(checkout: Path, trap: Path, *arguments: str) -> dict[str, object]:
    user = {name: value for name, value in os.environ.items() if not name.startswith(("LATECOMER_", "PYTHON"))}
    return {
        "args": [str(checkout / "latecomer"), *arguments],
        "cwd": trap,
        "env": {**user, "PYTHONPATH": f":{checkout / 'requirements'}:"},  # two empty entries, as in `$PYTHONPATH:more`
    }


def ran(trap: Path) -> str:
    told = trap / "ran.txt"
    return told.read_text() if told.is_file() else ""


def assert_succeeds(checkout: Path, trap: Path, *arguments: str) -> None:
    run = command(checkout, trap, *arguments)
    result = subprocess.run(**run, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # type: ignore[call-overload]
    assert ran(trap) == ""
    assert result.returncode == 0, result.stderr


def test_a_run_imports_nothing_from_the_current_folder(checkout: Path, trap: Path) -> None:
    assert_succeeds(checkout, trap, "run", "--input", "events.jsonl")


def test_a_fleet_is_simulated_without_the_current_folder(checkout: Path, trap: Path) -> None:
    assert_succeeds(checkout, trap, "produce", "--output", "fleet.jsonl", "--devices", "2", "--duration", "1h")


def test_a_flink_job_imports_and_loads_nothing_from_the_current_folder(
    has_flink: None, checkout: Path, trap: Path
) -> None:
    assert_succeeds(checkout, trap, "run", "--engine", "flink", "--input", "events.jsonl")


def test_both_engines_are_compared_without_the_current_folder(has_flink: None, checkout: Path, trap: Path) -> None:
    assert_succeeds(checkout, trap, "parity", "--examples", "1")


def test_both_engines_are_compared_with_a_plug_in_and_nothing_else_of_the_current_folder(
    has_flink: None, checkout: Path, trap: Path
) -> None:
    assert_succeeds(checkout, trap, "parity", "--features-from", f"{PLUGIN}:FEATURES", "--input", "events.jsonl")


@pytest.mark.parametrize("language", ["python", "java"])
def test_a_service_with_a_plug_in_imports_nothing_else_from_the_current_folder(
    request: pytest.FixtureRequest, checkout: Path, trap: Path, language: str
) -> None:
    if language == "java":
        request.getfixturevalue("has_broker")  # the same Java, and Maven
    options = {"python": ["--features-from", f"{PLUGIN}:FEATURES"], "java": ["--language", "java"]}[language]
    with ExitStack() as stack:
        addresses = []
        for service, more in (("features", options), ("inference", options if language == "java" else [])):
            run = command(checkout, trap, "serve", service, "--port", "0", "--stop-with-input", *more)
            pipe = subprocess.PIPE
            process = stack.enter_context(subprocess.Popen(**run, stdin=pipe, stdout=pipe, text=True))  # type: ignore[call-overload]
            stack.callback(process.kill)
            addresses.append(process.stdout.readline().split()[-1])
        assert_succeeds(checkout, trap, "ask", *addresses)


def test_a_module_of_the_current_folder_that_a_plug_in_needs_is_found_and_hides_no_library(
    checkout: Path, trap: Path
) -> None:
    (trap / f"{PLUGIN}.py").write_text(PLUGIN_TEXT.format(library="beside_it"))
    (trap / "beside_it.py").write_text("import numpy, json, click\n")
    run = command(checkout, trap, "serve", "features", "--features-from", f"{PLUGIN}:FEATURES", "--port", "0")
    with subprocess.Popen(**run, stdout=subprocess.PIPE, text=True) as process:  # type: ignore[call-overload]
        line = process.stdout.readline()
        process.kill()
    assert "listening on" in line
    assert ran(trap) == ""
