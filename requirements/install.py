"""Makes or completes the environment of a checkout, in ``.venv``; the ``latecomer`` script runs it.

Usage: install.py run|java|page|flink|test. Standard library only. Every package is pinned and checked by its hash. What
is installed is noted in the environment itself, so that the next use costs nothing; a lock lets one of several first
uses do the work.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from threading import Timer
from time import monotonic

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STUB_GENERATOR = ROOT / "grpc_services" / "python" / "generate_stubs.py"

HOLDERS = {
    "run": ("run", "page", "flink", "test"),
    "page": ("page", "test"),
    "flink": ("flink", "test"),
    "test": ("test",),
}
"""For each set of requirements those that hold it, itself first."""

NEEDS = {
    "run": ("run", ()),
    "java": ("run", ("grpc_services/java",)),
    "page": ("page", ()),
    "flink": ("flink", ("dataflows/flink_job/java",)),
    "test": ("test", ("dataflows/flink_job/java", "grpc_services/java")),
}
"""For each purpose the requirements, and the Maven modules to build. Without Maven, what needs them says so later."""

SAYS_IT_WAITS_AFTER_S = 1.0
"""Where there is nothing to install, another use is through long before."""


def digest(*files: Path) -> str:
    """What a note about these files says; it also names the Python that the environment is made with."""
    content = hashlib.sha256(f"{sys.version} {sysconfig.get_platform()} {ROOT}".encode())
    for file in files:
        content.update(file.read_bytes())
    return content.hexdigest()


def run(*command: object) -> None:
    """Run a tool. What it prints, colours of Maven among it, is of interest if it fails."""
    words = [str(word) for word in command]
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        sys.stderr.write(result.stdout)
        raise SystemExit(f"latecomer: the environment could not be made: {command[0]} ended with {result.returncode}")


def make_environment() -> None:
    try:
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
    except (subprocess.CalledProcessError, ImportError):
        raise SystemExit("latecomer: this Python cannot make environments: install python3-venv") from None
    note("made.by").write_text(digest())


def say(line: str) -> None:
    print(f"latecomer: {line}", file=sys.stderr)


def note(name: str) -> Path:
    return ENVIRONMENT / name.replace("/", "-")


def says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


def install_packages(requirements: str) -> bool:
    """Install a set of packages, unless it or one that holds it is installed. Whether there was something to do."""
    files = {name: ROOT / "requirements" / f"{name}.txt" for name in HOLDERS[requirements]}
    if any(says(note(f"{name}.installed"), digest(file)) for name, file in files.items()):
        return False
    say(f"installing requirements/{requirements}.txt into .venv, once")
    if not says(note("made.by"), digest()):
        make_environment()
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    run(PYTHON, "-I", *pip, "--requirement", files[requirements])
    note(f"{requirements}.installed").write_text(digest(files[requirements]))
    return True


def generate_stubs() -> bool:
    stubs = digest(STUB_GENERATOR, *sorted((ROOT / "protos").rglob("*.proto")))
    if says(note("stubs.generated"), stubs):
        return False
    run(PYTHON, "-I", STUB_GENERATOR, ROOT)
    note("stubs.generated").write_text(stubs)
    return True


def build_java(module: str) -> bool:
    folder = ROOT / module
    poms = (ROOT / "pom.xml", folder / "pom.xml")
    code = (*sorted((folder / "src" / "main").rglob("*.*")), *sorted((ROOT / "protos").rglob("*.proto")))
    sources = digest(*poms, *code)
    if says(note(f"{module}.built"), sources) or not (shutil.which("mvn") and shutil.which("javac")):
        return False
    say(f"building {module} with Maven, once")
    run("mvn", "--batch-mode", "--quiet", "--file", folder / "pom.xml", "package", "-Dmaven.test.skip=true")
    note(f"{module}.built").write_text(sources)
    return True


def main(purpose: str) -> None:
    requirements, modules = NEEDS[purpose]
    # Never through a link, and only read: in a checkout that nobody may write to there is nothing to install.
    descriptor = os.open(ROOT / ".venv.lock", os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor) as lock:
        waits = Timer(SAYS_IT_WAITS_AFTER_S, say, ["waiting for another first use that is installing"])
        waits.daemon = True
        waits.start()
        fcntl.flock(lock, fcntl.LOCK_EX)
        waits.cancel()
        start = monotonic()
        has_worked = [install_packages(requirements), generate_stubs(), *map(build_java, modules)]
        if any(has_worked):
            say(f"installed in {monotonic() - start:.0f} s")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except OSError as error:
        raise SystemExit(f"latecomer: {error.filename}: {error.strerror}") from None
    except KeyboardInterrupt:
        raise SystemExit("latecomer: interrupted; the next use completes the environment") from None
