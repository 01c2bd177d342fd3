"""Makes or completes the environment of a checkout, in ``.venv``; the ``latecomer`` script runs it.

Usage: install.py run|flink|test. Standard library only. Every package is pinned and checked by its hash. What is
installed is noted in the environment itself, so that the next use costs nothing; a lock lets one of several first uses
do the work.
"""

import fcntl
import hashlib
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STUB_GENERATOR = ROOT / "grpc_services" / "python" / "generate_stubs.py"


def digest(*files: Path) -> str:
    """What a note about these files says; it also names the Python that the environment is made with."""
    content = hashlib.sha256(f"{sys.version} {sysconfig.get_platform()} {ROOT}".encode())
    for file in files:
        content.update(file.read_bytes())
    return content.hexdigest()


def run(*command: object) -> None:
    result = subprocess.run([str(word) for word in command], check=False)
    if result.returncode != 0:
        raise SystemExit(f"latecomer: the environment could not be made: {command[0]} ended with {result.returncode}")


def make_environment() -> None:
    try:
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
    except (subprocess.CalledProcessError, ImportError):
        raise SystemExit("latecomer: this Python cannot make environments: install python3-venv") from None


def main(packages: str) -> None:
    requirements = ROOT / "requirements" / f"{packages}.txt"
    protos = sorted((ROOT / "protos").rglob("*.proto"))
    wanted = {
        ENVIRONMENT / f"{packages}.installed": digest(requirements),
        ENVIRONMENT / "stubs.generated": digest(STUB_GENERATOR, *protos),
    }

    def is_done() -> bool:
        return all(note.is_file() and note.read_text() == text for note, text in wanted.items())

    if is_done():
        return
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_done():
            return
        start = monotonic()
        print(f"latecomer: installing requirements/{packages}.txt into .venv, once", file=sys.stderr)
        made_by = ENVIRONMENT / "made.by"
        if not (made_by.is_file() and made_by.read_text() == digest()):
            make_environment()
            made_by.write_text(digest())
        run(
            PYTHON,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            requirements,
        )
        run(PYTHON, STUB_GENERATOR, ROOT)
        for note, text in wanted.items():
            note.write_text(text)
        print(f"latecomer: installed in {monotonic() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
