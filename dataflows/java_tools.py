"""Java and Maven, the user's own: found and checked in one place, for all that needs them."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from runtime.errors import SettingsError

__all__ = ["java_command", "run_maven"]

_JAVA_MIN: Final = 17
"""What the Java services and the broker of Kafka 4 are compiled for."""


def java_command(needing: str) -> str:
    """The Java of ``JAVA_HOME``, or that on the PATH.

    Args:
        needing: what needs it, for the message.
    Raises:
        SettingsError: there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        where = f"in JAVA_HOME {home}" if home else "on the PATH"
        raise SettingsError(f"{needing} needs Java {_JAVA_MIN} or newer, and there is none {where}")
    said = subprocess.run([java, "-version"], stderr=subprocess.PIPE, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None:
        raise SettingsError(f"{java} does not say its version: {' '.join(said.split())[:200] or 'nothing'}")
    if int(version[1]) < _JAVA_MIN:
        raise SettingsError(f"{needing} needs Java {_JAVA_MIN} or newer, and {java} is Java {version[1]}")
    return java


def run_maven(needing: str, pom: Path, *arguments: str) -> None:
    """Have Maven do something that is needed once.

    Args:
        needing: what needs it, for the message.
        pom: the project.
        arguments: goals and properties.
    Raises:
        SettingsError: there is no Maven, or it failed; with the first error that it printed.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise SettingsError(f"{needing} needs Maven, and there is no mvn on the PATH")
    result = subprocess.run(
        [maven, "--batch-mode", "--quiet", "--file", str(pom), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        errors = [line for line in result.stdout.splitlines() if line.startswith("[ERROR]")] or ["it said nothing"]
        raise SettingsError(f"Maven could not do what {needing} needs; is the network there? {errors[0][:400]}")
