"""Makes or completes the environment of a checkout, in ``.venv``; the ``latecomer`` script runs it.

Usage: install.py [--is-complete] run|java|page|flink|test. Standard library only. Every package is pinned and checked
by its hash. What is installed is noted in the environment itself, so that the next use costs little: ``--is-complete``
only tells, by its exit status, that nothing is left to do. A lock lets one of several first uses do the work. Modules
that only work needs are imported where it is done: every command starts with the question whether there is any.
"""

import fcntl
import hashlib
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from functools import partial
from io import TextIOBase
from pathlib import Path

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
    import subprocess

    words = [str(word) for word in command]
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        sys.stderr.write(result.stdout)
        raise SystemExit(f"latecomer: the environment could not be made: {command[0]} ended with {result.returncode}")


def make_environment() -> None:
    import subprocess
    import venv

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


def has_packages(requirements: str) -> bool:
    """Whether a set of packages, or one that holds it, is installed."""
    files = {name: ROOT / "requirements" / f"{name}.txt" for name in HOLDERS[requirements]}
    return any(says(note(f"{name}.installed"), digest(file)) for name, file in files.items())


def install_packages(requirements: str) -> None:
    file = ROOT / "requirements" / f"{requirements}.txt"
    say(f"installing requirements/{requirements}.txt into .venv, once")
    if not says(note("made.by"), digest()):
        make_environment()
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    run(PYTHON, "-I", *pip, "--requirement", file)
    note(f"{requirements}.installed").write_text(digest(file))


def stubs_digest() -> str:
    return digest(STUB_GENERATOR, *sorted((ROOT / "protos").rglob("*.proto")))


def has_stubs() -> bool:
    return says(note("stubs.generated"), stubs_digest())


def generate_stubs() -> None:
    run(PYTHON, "-I", STUB_GENERATOR, ROOT)
    note("stubs.generated").write_text(stubs_digest())


def java_digest(module: str) -> str:
    folder = ROOT / module
    code = (*sorted((folder / "src" / "main").rglob("*.*")), *sorted((ROOT / "protos").rglob("*.proto")))
    return digest(ROOT / "pom.xml", folder / "pom.xml", *code)


def has_java(module: str) -> bool:
    """Whether a module is built, or cannot be."""
    if says(note(f"{module}.built"), java_digest(module)):
        return True
    import shutil

    return not (shutil.which("mvn") and shutil.which("javac"))


def build_java(module: str) -> None:
    say(f"building {module} with Maven, once")
    pom = ROOT / module / "pom.xml"
    run("mvn", "--batch-mode", "--quiet", "--file", pom, "package", "-Dmaven.test.skip=true")
    note(f"{module}.built").write_text(java_digest(module))


def steps(purpose: str) -> Iterator[Callable[[], None]]:
    """What is left to do, each step to be done before the next is asked for."""
    requirements, modules = NEEDS[purpose]
    if not has_packages(requirements):
        yield partial(install_packages, requirements)
    if not has_stubs():
        yield generate_stubs
    for module in modules:
        if not has_java(module):
            yield partial(build_java, module)


def opened_lock() -> TextIOBase:
    """Never through a link, and only read: in a checkout that nobody may write to there is nothing to install."""
    return os.fdopen(os.open(ROOT / ".venv.lock", os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))


def is_complete(purpose: str) -> bool:
    """Whether nothing is left to do, and no other use is at work."""
    with opened_lock() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return next(steps(purpose), None) is None


def main(purpose: str) -> None:
    from threading import Timer
    from time import monotonic

    with opened_lock() as lock:
        waits = Timer(SAYS_IT_WAITS_AFTER_S, say, ["waiting for another first use that is installing"])
        waits.daemon = True
        waits.start()
        fcntl.flock(lock, fcntl.LOCK_EX)
        waits.cancel()
        start = monotonic()
        has_worked = False
        for step in steps(purpose):
            step()
            has_worked = True
        if has_worked:
            say(f"installed in {monotonic() - start:.0f} s")


if __name__ == "__main__":
    try:
        if "--is-complete" in sys.argv:
            sys.exit(not is_complete(sys.argv[-1]))
        main(sys.argv[-1])
    except OSError as error:
        raise SystemExit(f"latecomer: {error.filename}: {error.strerror}") from None
    except KeyboardInterrupt:
        raise SystemExit("latecomer: interrupted; the next use completes the environment") from None
