"""There is one way to a person's terminal, and what others wrote passes it as plain text."""

import ast
from io import StringIO
from pathlib import Path

import pytest

from dataflows.services.answers import Refusal
from dataflows.services.asked_windows import plain_lines
from runtime.terminal import Terminal, say, show
from tests.conftest import ROOT
from tests.dataflows.commands import latecomer_here, one_line

WAYS_OUT = {"print", "echo", "secho", "Console"}

MAY = {
    "runtime/terminal.py": WAYS_OUT,
    "dataflows/command_line/__init__.py": {"echo"},  # help
    "dataflows/command_line/deploy.py": {"echo"},  # rendered manifests, for kubectl
    "dataflows/command_line/test.py": {"secho"},  # the command that is run
    "dataflows/deployment/in_job_manager.py": {"print"},  # JSON, out of a pod
}
"""Who writes what is ours, or is for a program."""


def test_nothing_else_writes_to_a_terminal() -> None:
    for path in sorted([*(ROOT / "dataflows").rglob("*.py"), *(ROOT / "runtime").rglob("*.py")]):
        name = str(path.relative_to(ROOT))
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        called = {
            ast.unparse(call.func).rpartition(".")[2] for call in calls if "progress" not in ast.unparse(call.func)
        }
        assert not (called & WAYS_OUT) - MAY.get(name, set()), name


HOSTILE = "pump\x1b[2J\x9b1m\u202e\r\n7 [bold]"
SHOWN = r"pump\u001b[2J\u009b1m\u202e\u000d\u000a7 [bold]"


def test_a_line_is_one_line_of_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    show(HOSTILE, "second")
    assert capsys.readouterr() == (f"{SHOWN}\nsecond\n", f"{SHOWN}\n")


def test_a_console_shows_no_markup_of_others() -> None:
    file = StringIO()
    Terminal(file=file, width=20).tell(HOSTILE, name="device")
    assert file.getvalue() == f"device          {SHOWN}\n"


def test_a_message_of_a_service_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(*plain_lines("d", Refusal("INTERNAL", "features", HOSTILE)))
    assert capsys.readouterr().err == f"features service: INTERNAL: {SHOWN}\n"


def test_the_name_of_a_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    finished = latecomer_here("run", "--input", "\x1b[2Jevents\u202e.jsonl", cwd=tmp_path)
    assert one_line(finished.stderr) == r"latecomer: --input \u001b[2Jevents\u202e.jsonl does not exist"
