"""Checks what the job needs on this machine: a Java that Flink supports, the package, and two jars."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from runtime.errors import SettingsError

__all__ = ["CONNECTOR", "JAR", "check_installation", "jars"]

JAR: Final = "latecomer-flink-job.jar"
_CONNECTOR_NAME: Final = "flink-sql-connector-kafka"
_CONNECTOR_VERSION: Final = "5.0.0-2.2"
CONNECTOR: Final = f"{_CONNECTOR_NAME}-{_CONNECTOR_VERSION}.jar"

_JAVA_VERSIONS: Final = (17, 21)
"""Those that Flink 2.3 runs on and that know the class files of the job's own jar."""

_FOLDER: Final = Path(__file__).parent / "jars"
_POM: Final = Path(__file__).parent / "java" / "pom.xml"


def jars() -> list[Path]:
    """The jars that the job takes along: both, or none where the cluster has them in its ``lib``, as our image does.

    Raises:
        SettingsError: one is missing; the message has the Maven command that builds it.
    """
    lib = os.environ.get("FLINK_LIB_DIR")  # set by Flink's own scripts
    if lib and all((Path(lib) / name).is_file() for name in (JAR, CONNECTOR)):
        return []
    for name in (JAR, CONNECTOR):
        if not (_FOLDER / name).is_file():
            command = f"mvn -f {_POM} package"
            if name == CONNECTOR and not _POM.is_file():  # an installed package has its own jar, and no sources of it
                artifact = f"org.apache.flink:{_CONNECTOR_NAME}:{_CONNECTOR_VERSION}"
                command = f"mvn dependency:copy -Dartifact={artifact} -DoutputDirectory={_FOLDER}"
            raise SettingsError(f"{_FOLDER / name} is missing: build it with `{command}`")
    return [_FOLDER / JAR, _FOLDER / CONNECTOR]


def check_installation() -> None:
    """Check that the job can be started here.

    Raises:
        SettingsError: something is missing, or of another version.
    """
    if importlib.util.find_spec("pyflink") is None:
        raise SettingsError("--engine flink needs the package apache-flink 2.3: pip install latecomer[flink]")
    java = shutil.which("java", path=_java_path())
    if java is None:
        raise SettingsError("--engine flink needs Java 17: there is none on the PATH or in JAVA_HOME")
    printed = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(?:1\.)?(\d+)', printed)
    version = int(match[1]) if match else 0
    if version not in _JAVA_VERSIONS:
        raise SettingsError(f"--engine flink needs Java 17 or 21: {java} is version {version or 'unknown'}")
    jars()


def _java_path() -> str:
    home = os.environ.get("JAVA_HOME")
    path = os.environ.get("PATH", os.defpath)
    return f"{home}/bin{os.pathsep}{path}" if home else path
