"""The script of a checkout installs what a command needs, no more, and says so beside the command's own output."""

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from threading import Timer
from types import ModuleType
from typing import TextIO

import pytest

ROOT = Path(__file__).resolve().parent.parent

SAYS_ITS_PURPOSE = "import sys; print(sys.argv[1]); sys.exit(3)  # which ends the script\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The script, beside an installer that tells what it was asked for."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "install.py").write_text(SAYS_ITS_PURPOSE)
    shutil.copy(ROOT / "latecomer", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "environment", "purpose"),
    [
        ("run", {}, "run"),
        ("run --engine flink", {}, "flink"),
        ("run --engine=flink", {}, "flink"),
        ("run", {"LATECOMER_RUN_ENGINE": "flink"}, "flink"),
        ("serve features", {"LATECOMER_RUN_ENGINE": "flink"}, "run"),
        ("serve features --language java", {}, "java"),
        ("serve features", {"LATECOMER_SERVE_LANGUAGE": "java"}, "java"),
        ("run", {"LATECOMER_SERVE_LANGUAGE": "java"}, "run"),
        ("report", {}, "page"),
        ("page latecomer-output", {}, "page"),
        ("parity", {}, "test"),
        ("parity --help", {}, "run"),
        ("bench -h", {}, "run"),
        ("run --engine flink --help", {}, "run"),
        ("", {}, "run"),
    ],
)
def test_a_command_installs_what_it_needs(
    checkout: Path, words: str, environment: dict[str, str], purpose: str
) -> None:
    unset = {name: value for name, value in os.environ.items() if not name.startswith("LATECOMER_")}
    result = subprocess.run(
        [checkout / "latecomer", *words.split()],
        env={**unset, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout.strip(), result.returncode) == (purpose, 3)


def test_the_script_is_found_through_links(checkout: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a bin"
    folder.mkdir()
    (folder / "second").symlink_to("../latecomer")
    (folder / "first").symlink_to(folder / "second")
    assert subprocess.run([folder / "first", "parity"], capture_output=True, check=False).stdout == b"test\n"


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", ROOT / "requirements" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr(module, "PYTHON", Path(sys.executable))
    return module


def test_what_is_added_to_an_environment_is_told_before_it_is_installed(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    installer.note("made.by").write_text(installer.digest())
    installer.note("run.installed").write_text(installer.digest(ROOT / "requirements" / "run.txt"))
    told: list[str] = []
    monkeypatch.setattr(installer, "run", lambda *command: told.append(capfd.readouterr().err))
    assert not installer.has_packages("flink")
    installer.install_packages("flink")
    assert installer.has_packages("flink")
    assert told == ["latecomer: installing requirements/flink.txt into .venv, once\n"]


@pytest.fixture
def held(installer: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TextIO]:
    """The lock of a checkout with nothing to install, which another use holds."""
    monkeypatch.setattr(installer, "ROOT", tmp_path)
    monkeypatch.setattr(installer, "steps", lambda _: iter(()))
    with (tmp_path / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def test_a_use_that_waits_for_long_says_so(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, held: TextIO
) -> None:
    told: list[str] = []

    def heard(line: str) -> None:
        told.append(line)
        fcntl.flock(held, fcntl.LOCK_UN)

    monkeypatch.setattr(installer, "SAYS_IT_WAITS_AFTER_S", 0.0)
    monkeypatch.setattr(installer, "say", heard)
    installer.main("run")
    assert told == ["waiting for another first use that is installing"]


def test_two_uses_at_once_with_nothing_to_install_say_nothing(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, held: TextIO, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(installer, "SAYS_IT_WAITS_AFTER_S", 300.0)
    release = Timer(0.01, fcntl.flock, [held, fcntl.LOCK_UN])
    release.start()
    installer.main("run")
    release.join()
    assert capfd.readouterr().err == ""


def test_a_use_is_not_complete_while_another_one_installs(installer: ModuleType, held: TextIO) -> None:
    with pytest.raises(BlockingIOError):
        installer.is_complete("run")
    fcntl.flock(held, fcntl.LOCK_UN)
    assert installer.is_complete("run")


def test_a_use_is_complete_once_what_it_needs_is_noted(
    installer: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(installer, "opened_lock", (tmp_path / "lock").open)
    (tmp_path / "lock").touch()
    assert not installer.is_complete("run")
    installer.note("test.installed").write_text(installer.digest(ROOT / "requirements" / "test.txt"))
    assert not installer.is_complete("run")
    installer.note("stubs.generated").write_text(installer.stubs_digest())
    assert installer.is_complete("run")
    assert not installer.is_complete("flink") or not shutil.which("mvn")


def test_a_complete_environment_is_asked_and_no_other_python(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$*"')
    python.chmod(0o755)
    said = subprocess.run([checkout / "latecomer", "run"], capture_output=True, text=True, check=True).stdout
    installer = checkout / "requirements" / "install.py"
    assert said == f"-I -S {installer} --is-complete run\n-P -m dataflows.command_line run\n"


@pytest.mark.parametrize(("status", "printed"), [(0, ""), (1, "a tool speaks\n")])
def test_what_a_tool_prints_is_shown_if_it_fails_and_never_as_the_output_of_the_command(
    installer: ModuleType, capfd: pytest.CaptureFixture[str], status: int, printed: str
) -> None:
    with pytest.raises(SystemExit, match=f"ended with {status}") if status else nullcontext():
        installer.run(sys.executable, "-c", f"print('a tool speaks'); raise SystemExit({status})")
    assert capfd.readouterr() == ("", printed)


def installed_here(checkout: Path) -> "subprocess.CompletedProcess[str]":
    """The real installer of a checkout in which there is nothing to install."""
    text = (ROOT / "requirements" / "install.py").read_text()
    steps = "in steps(purpose):"
    assert steps in text
    text = text.replace(steps, "in ():")
    (checkout / "requirements" / "install.py").write_text(text)
    command = [sys.executable, "-I", checkout / "requirements" / "install.py", "run"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_lock_is_not_reached_by_a_link(checkout: Path) -> None:
    precious = checkout / "precious.txt"
    precious.write_text("kept")
    (checkout / ".venv.lock").symlink_to(precious)
    result = installed_here(checkout)
    assert (result.returncode, precious.read_text()) == (1, "kept")
    assert result.stderr == f"latecomer: {checkout / '.venv.lock'}: Too many levels of symbolic links\n"


def test_the_lock_of_another_use_is_only_read(checkout: Path) -> None:
    lock = checkout / ".venv.lock"
    lock.write_text("as it was")
    lock.chmod(0o444)
    result = installed_here(checkout)
    assert (result.returncode, result.stderr, lock.read_text()) == (0, "", "as it was")


def test_a_path_with_a_colon_is_said_to_be_none_for_an_environment(checkout: Path) -> None:
    there = checkout / "a:b"
    there.mkdir()
    shutil.copy(checkout / "latecomer", there)
    result = subprocess.run([there / "latecomer", "run"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == f"latecomer: no environment can be made in {there}: its path has a colon\n"


def test_an_empty_entry_of_the_module_path_is_not_passed_on(checkout: Path) -> None:
    """To Python it is the current folder; ``PYTHONPATH=$PYTHONPATH:more`` has one by accident."""
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\n[ "$1" = -I ] || printf "%s %s" "$PYTHONPATH" "$1"')
    python.chmod(0o755)
    (checkout / "requirements" / "install.py").write_text("")
    for given, passed in (("", ""), (":", ""), ("::/a b::/c:", ":/a b:/c"), ("/a", ":/a")):
        environment = {**os.environ, "PYTHONPATH": given}
        said = subprocess.run([checkout / "latecomer"], env=environment, capture_output=True, text=True, check=True)
        assert said.stdout == f"{checkout}{passed} -P"
