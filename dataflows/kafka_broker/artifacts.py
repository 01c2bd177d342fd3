"""The parts of a Kafka broker: a Java that can run it, and its jars, which Maven brings once into a cache."""

import os
import shutil
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from dataflows import java_tools
from dataflows.connectors.kafka.client import BrokerError
from runtime.errors import SettingsError
from runtime.first_use import one_by_one

__all__ = ["broker_jars", "java_command"]

_POM: Final = Path(__file__).with_name("pom.xml")


def java_command() -> str:
    """The Java that runs the broker.

    Raises:
        BrokerError: there is none, or it is too old.
    """
    try:
        return java_tools.java_command("a Kafka broker")
    except SettingsError as error:
        raise BrokerError(str(error)) from None


def broker_jars() -> Path:
    """The folder of the broker's jars. On first use Maven fills it; several first uses at once do it one by one.

    Raises:
        BrokerError: there is no Maven, or it could not bring them.
    """
    jars = _cache() / f"kafka-broker-{sha256(_POM.read_bytes()).hexdigest()[:12]}"
    if jars.is_dir():
        return jars
    jars.parent.mkdir(parents=True, exist_ok=True)
    with one_by_one(jars.with_suffix(".lock")):
        if not jars.is_dir():
            _fetch(jars)
    return jars


def _cache() -> Path:
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "latecomer"
    except RuntimeError:  # HOME is not set, and the user has no entry in the system's list
        raise BrokerError("there is no home directory for the broker's jars: set HOME or XDG_CACHE_HOME") from None


def _fetch(jars: Path) -> None:
    fetched = Path(mkdtemp(dir=jars.parent))
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fetched}")
    try:
        java_tools.run_maven("the first use of the broker", _POM, *goal)
    except SettingsError as error:
        shutil.rmtree(fetched)
        raise BrokerError(str(error)) from None
    fetched.chmod(0o755)
    fetched.rename(jars)
