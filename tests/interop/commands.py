"""The commands as a user gives them."""

import io
import subprocess
import sys
from contextlib import redirect_stdout

from dataflows.command_line.ask import ask

LATECOMER = [sys.executable, "-W", "error", "-P", "-m", "dataflows.command_line"]
ASK = [*LATECOMER, "ask"]


def python_ask(*arguments: str) -> bytes:
    """What the Python client prints, in this process; it has to succeed."""
    out = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(out, write_through=True)):
        assert ask.main(list(arguments), standalone_mode=False) == 0
        return out.getvalue()


def said(*command: str) -> tuple[int, str, str]:
    """How a command ended, and what it printed."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, result.stderr


def asked(*arguments: str) -> tuple[int, str, str]:
    """The same of the Python client, in a process of its own."""
    return said(*ASK, *arguments)
