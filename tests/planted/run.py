"""Plants one error after another into a copy of the source, and demands that the tests turn red.

``python -m tests.planted.run [--sample N] [--seed S] [FILE.yaml ...]``: exit status 1 if an error stayed green, or does
not apply any more.

A file of errors: ``copy`` names the folders and files that its tests need, ``tests`` what pytest runs, ``memory_mb``
what it may take (without it, any), ``build_java`` the command that builds what an error in Java is in, or ``test_java``
one that tests it in place of pytest, ``errors`` is a list of ``name``, ``rule``, ``file``, ``find`` (once in that
file), ``replace``, and ``tests`` where it differs.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic

import yaml

__all__ = ["Outcome", "PlantedError", "load_planted", "places", "plant", "planted_files", "run_all", "run_maven"]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent

AT_ONCE = 2
"""The cores that a small machine has."""

TIMEOUT_S = 300
"""Of one run. Far above any: an error that makes the source hang is no good one."""

_TESTS_FAILED = 1  # exit status of pytest; any other says that it could not even run them


@dataclass(frozen=True)
class PlantedError:
    """One change to one file."""

    name: str
    rule: str
    file: str
    find: str
    replace: str
    copy: tuple[str, ...]
    tests: tuple[str, ...]
    memory_mb: int | None
    build: tuple[str, ...] = ()
    test_java: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one: ``red`` is good, ``green``, ``broken`` (no test could run) and ``does not apply`` are not."""

    error: PlantedError
    verdict: str
    found_by: str
    seconds: float


def planted_files() -> list[Path]:
    """Those beside this script, and every ``planted.yaml`` that stands beside the tests it is for."""
    return sorted({*FOLDER.glob("*.yaml"), *FOLDER.parent.rglob("planted.yaml")})


def load_planted(path: Path) -> list[PlantedError]:
    """The errors of one file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [
        PlantedError(
            name=error["name"],
            rule=str(error["rule"]),
            file=error["file"],
            find=error["find"],
            replace=error["replace"],
            copy=tuple(content["copy"]),
            tests=tuple(error.get("tests", content["tests"])),
            memory_mb=content.get("memory_mb"),
            build=tuple(content.get("build_java", ())) if error["file"].endswith(".java") else (),
            test_java=tuple(content.get("test_java", ())) if error["file"].endswith(".java") else (),
        )
        for error in content["errors"]
    ]


def places(error: PlantedError, root: Path = ROOT) -> int:
    """How often the source holds what is to be replaced; it has to be once."""
    return (root / error.file).read_text(encoding="utf-8").count(error.find)


def plant(error: PlantedError) -> Outcome:
    """Run the tests on a copy with this error in it."""
    began = monotonic()
    if places(error) != 1 or error.find == error.replace:
        return Outcome(error, "does not apply", f"found {places(error)} times in {error.file}", 0.0)
    with TemporaryDirectory(prefix="planted-") as folder:
        copied = Path(folder)
        copy_source(error.copy, copied)
        path = copied / error.file
        source = path.read_text(encoding="utf-8").replace(error.find, error.replace)
        compile(source, error.file, "exec") if path.suffix == ".py" else None
        path.write_text(source, encoding="utf-8")
        if error.build:
            built = subprocess.run(error.build, cwd=copied, capture_output=True, text=True, check=False)
            if built.returncode != 0:
                return Outcome(error, "broken", built.stdout + built.stderr, monotonic() - began)
        status, output = run_chosen(error, copied)
    verdict = {_TESTS_FAILED: "red", 0: "green"}.get(status, "broken")
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    found_by = found[1].removeprefix("tests/") if found else output.strip().splitlines()[-1] if output.strip() else ""
    return Outcome(error, verdict, found_by, monotonic() - began)


def copy_source(names: Sequence[str], to: Path) -> None:
    left_out = shutil.ignore_patterns("__pycache__", ".hypothesis", "target", "node_modules")
    for name in ("pyproject.toml", "pom.xml", *names):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=left_out)
        else:
            shutil.copy(ROOT / name, to)


def run_chosen(error: PlantedError, root: Path) -> tuple[int, str]:
    """Run the tests that are to find an error, in Python or in Java."""
    return run_maven(error.test_java, root) if error.test_java else run_tests(error, root)


def run_maven(command: Sequence[str], root: Path) -> tuple[int, str]:
    """As pytest's exit status, and the tests that failed; any other status where the copy does not compile."""
    status, output = run_command(command, root, dict(os.environ))
    failed = re.findall(r"^\[ERROR\]   (\w+\.\w+)", output, re.MULTILINE)
    return (_TESTS_FAILED, f"FAILED {failed[0]}") if status > 0 and failed else (-abs(status), output)


def run_tests(error: PlantedError, root: Path) -> tuple[int, str]:
    """The exit status of pytest on a copy, and what it printed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no", *error.tests]
    if error.memory_mb is not None:
        command = ["sh", "-c", f'ulimit -v {1024 * error.memory_mb} 2>/dev/null; exec "$@"', "sh", *command]
    return run_command(command, root, {**os.environ, "PYTHONPATH": str(root), "LATECOMER_HYPOTHESIS": "planted"})


def run_command(command: Sequence[str], root: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """The exit status of a command in a copy, and what it printed."""
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return -1, f"hangs: stopped after {TIMEOUT_S} s"
    return done.returncode, done.stdout + done.stderr


def run_all(errors: Sequence[PlantedError]) -> Iterator[Outcome]:
    """Plant them all, two at a time, and give each outcome in the order of the list."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(plant, errors)


def sound_without_errors(errors: Sequence[PlantedError]) -> Iterator[str]:
    """The tests that are red on a copy without any error: then red says nothing."""
    first_of = {(error.copy, error.tests, error.memory_mb, error.test_java): error for error in reversed(errors)}
    for error in first_of.values():
        with TemporaryDirectory(prefix="planted-") as folder:
            copy_source(error.copy, Path(folder))
            status, output = run_chosen(error, Path(folder))
            if status != 0:
                command = " ".join(error.test_java or error.tests)
                yield f"{command}: exit status {status} without an error\n{output}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.planted.run", description="Demands that planted errors are found."
    )
    parser.add_argument("files", nargs="*", type=Path, help="files of errors (default: all)")
    parser.add_argument("--sample", type=int, metavar="N", help="plant N of them (default: all)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="which N (default: 0)")
    options = parser.parse_args(arguments)
    errors = [error for path in options.files or planted_files() for error in load_planted(path)]
    if options.sample is not None:
        errors = Random(options.seed).sample(errors, min(options.sample, len(errors)))
    began = monotonic()
    unsound = list(sound_without_errors(errors))
    if unsound:
        print(*unsound, sep="\n", file=sys.stderr)
        return 1
    outcomes = []
    for outcome in run_all(errors):
        outcomes.append(outcome)
        found_by = f"{outcome.seconds:5.1f} s  {outcome.found_by}"
        print(f"{outcome.verdict:<8} {outcome.error.rule:>3}  {outcome.error.name:<66} {found_by}", flush=True)
    red = sum(outcome.verdict == "red" for outcome in outcomes)
    print(f"{red} of {len(outcomes)} planted errors turn the tests red, in {monotonic() - began:.0f} s")
    return 0 if red == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
