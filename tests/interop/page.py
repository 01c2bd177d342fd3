"""Runs the blocks of a page as a reader pastes them, in a folder that looks like a checkout."""

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.conftest import ROOT

__all__ = ["blocks_of", "free_ports", "like_a_checkout", "ports_of", "said_by"]

_PORT = r"(?:localhost:|--port )([0-9]+)"


def blocks_of(page: str) -> list[str]:
    """The blocks of commands."""
    return re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def ports_of(page: str) -> list[str]:
    """The ports that its commands name."""
    return sorted(set(re.findall(_PORT, page)))


def like_a_checkout(folder: Path, files: Iterable[tuple[str, str]]) -> None:
    """Write the command and the files of a page."""
    command = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m dataflows.command_line "$@"\n'
    for name, text in (*files, ("latecomer", command)):
        (folder / name).write_text(text)
    (folder / "latecomer").chmod(0o755)


def free_ports(ports: Iterable[str]) -> dict[str, str]:
    """A free port for each."""
    with ExitStack() as ends:
        found = {}
        for port in ports:
            free = ends.enter_context(socket.socket())
            free.bind(("127.0.0.1", 0))
            found[port] = str(free.getsockname()[1])
        return found


def said_by(block: str, folder: Path, ports: Mapping[str, str]) -> str:
    """What the commands of a block print, with other ports; one that ends in & is a server, and runs to the end."""
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}:{folder}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    said = ""
    with ExitStack() as ends:
        for line in block.replace("\\\n", "").strip().splitlines():
            words = re.sub(rf"\b({'|'.join(ports)})\b", lambda found: ports[found[1]], line)
            if words.endswith("&"):
                command = ["/bin/sh", "-c", "exec " + words.removesuffix("&")]
                server = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
                ends.callback(lambda one=server: (one.terminate(), one.wait(), one.stdout.close()))
                assert "listening on" in server.stdout.readline()
            else:
                run = ["/bin/sh", "-c", words]
                result = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=False)
                assert result.returncode == 0, f"{words}: {result.stdout} {result.stderr}"
                said += result.stdout
    return said
