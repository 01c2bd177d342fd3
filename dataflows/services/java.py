"""The Java services of a checkout: one jar, made by Maven when it is missing or older than its sources."""

from pathlib import Path
from typing import Final

from dataflows.java_tools import run_maven
from runtime.errors import SettingsError
from runtime.first_use import one_by_one

__all__ = ["services_jar"]

_ROOT: Final = Path(__file__).resolve().parents[2]
_MODULE: Final = _ROOT / "grpc_services" / "java"
_JAR: Final = _MODULE / "target" / "latecomer-services.jar"


def services_jar() -> Path:
    """The jar. Several first uses at once make it one by one.

    Raises:
        SettingsError: it cannot be made: there are no sources or no Maven, or they do not compile.
    """
    pom = _MODULE / "pom.xml"
    if not pom.is_file():
        raise SettingsError("--language java needs a checkout: the installed package has no Java services")
    _JAR.parent.mkdir(exist_ok=True)
    with one_by_one(_JAR.parent / ".made-by-one"):
        if not _is_fresh():
            run_maven("the first use of --language java", pom, "package", "-Dmaven.test.skip=true")
            _JAR.touch()  # where nothing had to be compiled, it is as new as its sources all the same
    return _JAR


def _is_fresh() -> bool:
    if not _JAR.is_file():
        return False
    poms = (_ROOT / "pom.xml", _MODULE / "pom.xml")
    sources = [*poms, *(_MODULE / "src" / "main").rglob("*"), *(_ROOT / "protos").rglob("*.proto")]
    return _JAR.stat().st_mtime >= max(path.stat().st_mtime for path in sources if path.is_file())
