"""Imports point one way, and the core uses nothing that waits, talks, or knows the time."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_USE = {
    "window_core": {"window_core"},
    "runtime": {"runtime"},
    "grpc_services": {"grpc_services", "runtime", "window_core"},
    "dataflows": {"dataflows", "grpc_services", "runtime", "window_core"},
}
_BELOW_ENGINES = {
    "connectors",
    "java_tools",
    "pipeline",
    "saved_state",
    "services",
    "settings",
    "simulated_fleet",
    "state_folder",
    "summary",
}

DATAFLOWS_MAY_USE = {
    "settings": {"pipeline", "settings"},  # how an event is laid out is a setting, and a value of the pipeline
    "pipeline": {"pipeline", "services"},
    "services": {"java_tools", "pipeline", "services", "settings"},
    "connectors": {"connectors", "pipeline", "settings"},
    "saved_state": {"connectors", "saved_state", "state_folder"},
    "bytewax_flow": {"bytewax_flow", *_BELOW_ENGINES},
    "flink_job": {"flink_job", *_BELOW_ENGINES},
    "replay": {"replay", *_BELOW_ENGINES},
    "browser": {"browser", "replay", *_BELOW_ENGINES},
    "kafka_broker": {"kafka_broker", *_BELOW_ENGINES},
    "deployment": {"deployment", "flink_job", *_BELOW_ENGINES},  # it tells the causes of a job's failures
}
"""Of the folders of ``dataflows``, what each may use of the others: the table of ``docs/architecture.md``. The commands
may use all."""

ONLY_IN = {
    "bytewax": {"dataflows/bytewax_flow"},
    "pyflink": {"dataflows/flink_job"},
    "vl_convert": {"dataflows/browser"},
    "confluent_kafka": {"dataflows/bytewax_flow", "dataflows/connectors", "dataflows/kafka_broker"},
}

NEEDS_A_CHECKOUT = {"dataflows/command_line/parity.py": {"tests"}}  # says so, and loads it when it is called
OURS = {"window_core", "runtime", "dataflows", "grpc_services", "benchmarks", "tests"}

CORE_MAY_USE = {
    "array",
    "bisect",
    "collections",
    "dataclasses",
    "itertools",
    "math",
    "re",
    "struct",
    "sys",
    "typing",
    "zlib",
}
"""Short on purpose: no clock, thread, socket, file, logger or chance is among them. A new one is a decision."""


def sources(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if "stubs" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions, and those it names to ``import_module``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written out whole"
            yield node.module or ""
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            yield from (argument.value for argument in node.args if isinstance(argument, ast.Constant))


@pytest.mark.parametrize("package", MAY_USE)
def test_imports_point_one_way(package: str) -> None:
    for path in sources(package):
        used = {name.split(".")[0] for name in imported(path)} & OURS
        used -= NEEDS_A_CHECKOUT.get(str(path.relative_to(ROOT)), set())
        assert used <= MAY_USE[package], f"{path.relative_to(ROOT)} uses {used - MAY_USE[package]}"


@pytest.mark.parametrize("folder", DATAFLOWS_MAY_USE)
def test_the_pipeline_knows_no_engine_and_no_engine_the_other(folder: str) -> None:
    paths = sources(f"dataflows/{folder}")
    assert paths
    for path in paths:
        used = {name.split(".")[1] for name in imported(path) if name.startswith("dataflows.")}
        assert used <= DATAFLOWS_MAY_USE[folder], f"{path.relative_to(ROOT)} uses {used - DATAFLOWS_MAY_USE[folder]}"


@pytest.mark.parametrize("library", ONLY_IN)
def test_an_engine_and_the_client_of_kafka_are_imported_in_their_folders_alone(library: str) -> None:
    found = {
        "/".join(path.relative_to(ROOT).parts[:2])
        for package in MAY_USE
        for path in sources(package)
        if library in {name.split(".")[0] for name in imported(path)}
    }
    assert found == ONLY_IN[library]


def test_the_core_uses_a_few_modules_of_the_standard_library_alone() -> None:
    assert sys.stdlib_module_names >= CORE_MAY_USE
    paths = sources("window_core")
    assert paths
    for path in paths:
        used = {name.split(".")[0] for name in imported(path)} - {"window_core"}
        assert used <= CORE_MAY_USE, f"{path.name} uses {used - CORE_MAY_USE}"


def test_the_core_opens_prints_and_runs_nothing() -> None:
    for path in sources("window_core"):
        called = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}, path.name
