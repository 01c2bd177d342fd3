"""The Java services of a checkout: one jar, made by Maven when it is missing or older than its sources."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from dataflows.settings import SettingsError

__all__ = ["java_command", "services_jar"]

_ROOT: Final = Path(__file__).resolve().parents[1]
_MODULE: Final = _ROOT / "grpc_services" / "java"
_JAR: Final = _MODULE / "target" / "latecomer-services.jar"


def java_command() -> str:
    """The Java of ``JAVA_HOME``, or that on the PATH.

    Raises:
        SettingsError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        raise SettingsError(
            f"--language java needs Java 17, and there is none {f'in {home}' if home else 'on the PATH'}"
        )
    return java


def services_jar() -> Path:
    """The jar. Several first uses at once make it one by one.

    Raises:
        SettingsError: it cannot be made: there are no sources or no Maven, or they do not compile.
    """
    if not (_MODULE / "pom.xml").is_file():
        raise SettingsError("--language java needs a checkout: the installed package has no Java services")
    _JAR.parent.mkdir(exist_ok=True)
    with (_JAR.parent / ".made-by-one").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_fresh():
            _make()
    return _JAR


def _is_fresh() -> bool:
    if not _JAR.is_file():
        return False
    sources = [_MODULE / "pom.xml", *(_MODULE / "src" / "main").rglob("*"), *(_ROOT / "protos").rglob("*.proto")]
    return _JAR.stat().st_mtime >= max(path.stat().st_mtime for path in sources if path.is_file())


def _make() -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise SettingsError(f"--language java needs Maven to make {_JAR.name}, and there is no mvn on the PATH")
    command = [maven, "--batch-mode", "--quiet", "--file", str(_MODULE), "package", "-Dmaven.test.skip=true"]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if result.returncode != 0:
        errors = [line for line in result.stdout.splitlines() if line.startswith("[ERROR]")] or ["it said nothing"]
        raise SettingsError(f"Maven could not make {_JAR.name}: {errors[0][:400]}")
    _JAR.touch()  # where nothing had to be compiled, it is as new as its sources all the same
