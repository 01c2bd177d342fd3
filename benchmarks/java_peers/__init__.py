"""Flink jobs in Java that do what a team without latecomer would write, compiled and run from their sources.

``UnaryJob`` keeps the window in Flink's state and makes the original demo's two calls for each event by Flink's
asynchronous I/O. ``BatchJob`` sends the batches of ``latecomer.v1``. Neither has a rule, an id or a rejection.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyflink

from dataflows.flink_job.installation import jars
from dataflows.java_tools import java_command
from dataflows.services.java import services_jar

__all__ = ["java_peer"]

_SOURCES: Final = Path(__file__).parent
_OPENED: Final = ("lang", "util", "nio", "time", "util.concurrent", "util.concurrent.atomic")
"""Packages that Flink reads by reflection."""

_HEAP: Final = "-Xmx2g"


def java_peer(name: str, folder: Path) -> list[str]:
    """The command that runs a job; its arguments follow.

    Args:
        name: ``UnaryJob`` or ``BatchJob``.
        folder: for the compiled classes.
    Raises:
        SettingsError: Java, Maven or a jar is missing.
        CalledProcessError: it does not compile.
    """
    java = java_command("the Java peers")
    lib = Path(pyflink.__file__).parent / "lib"
    class_path = _joined([*sorted(lib.glob("*.jar")), *jars(), services_jar()])
    classes = folder / "peers"
    if not classes.is_dir():
        sources = map(str, sorted(_SOURCES.glob("*.java")))
        subprocess.run([Path(java).with_name("javac"), "-cp", class_path, "-d", classes, *sources], check=True)
    opened = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPENED]
    return [java, _HEAP, *opened, "-Dlog4j2.level=ERROR", "-cp", f"{_joined([classes])}:{class_path}", name]


def _joined(paths: Sequence[Path]) -> str:
    return ":".join(map(str, paths))
