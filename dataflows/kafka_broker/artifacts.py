"""The parts of a Kafka broker: a Java that can run it, and its jars, which Maven brings once into a cache."""

import fcntl
import os
import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

__all__ = ["BrokerError", "broker_jars", "java_command"]

_POM: Final = Path(__file__).with_name("pom.xml")

_JAVA_MIN: Final = 17
"""What the broker of Kafka 4 is compiled for."""


class BrokerError(RuntimeError):
    """A broker cannot be worked with, ours or another. One line that says why, and what to do."""


def java_command() -> str:
    """The Java of ``JAVA_HOME``, or that on the PATH.

    Raises:
        BrokerError: there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        where = f"in JAVA_HOME {home}" if home else "on the PATH"
        raise BrokerError(f"a Kafka broker needs Java {_JAVA_MIN} or newer, and there is none {where}")
    said = subprocess.run([java, "-version"], stderr=subprocess.PIPE, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None:
        raise BrokerError(f"{java} does not say its version: {' '.join(said.split())[:200] or 'nothing'}")
    if int(version[1]) < _JAVA_MIN:
        raise BrokerError(f"a Kafka broker needs Java {_JAVA_MIN} or newer, and {java} is Java {version[1]}")
    return java


def broker_jars() -> Path:
    """The folder of the broker's jars. On first use Maven fills it; several first uses at once do it one by one.

    Raises:
        BrokerError: there is no Maven, or it could not bring them.
    """
    jars = _cache() / f"kafka-broker-{sha256(_POM.read_bytes()).hexdigest()[:12]}"
    if jars.is_dir():
        return jars
    jars.parent.mkdir(parents=True, exist_ok=True)
    with jars.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            _fetch(jars)
    return jars


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "latecomer"


def _fetch(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError("the first use of the broker needs Maven to bring its jars, and there is no mvn on the PATH")
    fetched = Path(mkdtemp(dir=jars.parent))
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fetched}"]
    result = subprocess.run(
        [maven, "--batch-mode", "--quiet", "--file", str(_POM), *goal],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        shutil.rmtree(fetched)
        errors = [line for line in result.stdout.splitlines() if line.startswith("[ERROR]")] or ["it said nothing"]
        raise BrokerError(f"Maven could not bring the broker's jars; is the network there? {errors[0][:400]}")
    fetched.chmod(0o755)
    fetched.rename(jars)
