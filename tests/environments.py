"""Environments beside that of the project, for programs which need other versions; each is made on first use."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from runtime.first_use import one_by_one
from tests.conftest import ROOT

__all__ = ["made_environment", "place_of"]


def place_of(name: str) -> Path:
    """Where the environment of ``requirements/NAME.txt`` is, once it is whole; its content belongs to the name."""
    requirements = (ROOT / "requirements" / f"{name}.txt").read_bytes()
    digest = hashlib.sha256(requirements + sys.version.encode()).hexdigest()[:12]
    return ROOT / "target" / f"{name}-{digest}"


def made_environment(name: str) -> Path:
    """The environment of ``requirements/NAME.txt``.

    Raises:
        CalledProcessError: it could not be installed.
    """
    folder = place_of(name)
    folder.parent.mkdir(exist_ok=True)
    with one_by_one(folder.with_suffix(".lock")):
        if not (folder / "complete").is_file():
            venv.create(folder, clear=True, with_pip=True)
            install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            requirements = ROOT / "requirements" / f"{name}.txt"
            subprocess.run([*install, "--require-hashes", "--requirement", requirements], check=True)
            (folder / "complete").touch()
    return folder
