"""Compiles files of Protobuf to file descriptors, by the compiler in the package ``grpcio-tools``."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from dataflows.pipeline.schema import SchemaError
from runtime.python_process import python_environment

__all__ = ["compiled", "has_compiler"]


def has_compiler() -> bool:
    return find_spec("grpc_tools") is not None


def compiled(folder: Path, name: str) -> bytes:
    """The descriptors of a file and of all that it imports.

    It is a process of its own, since what the compiler says goes to the standard error of its process.

    Args:
        folder: where imports are looked for.
        name: the file, in that folder.
    Raises:
        SchemaError: it does not compile.
        OSError: the compiler was ended.
    """
    with TemporaryDirectory(prefix="latecomer-") as made_in:
        made = Path(made_in) / "descriptors"
        # It stands in the folder, since the compiler takes a colon in the name of one for the end of the name.
        command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--include_imports"]
        command += [f"--descriptor_set_out={made}", f"./{name}"]
        done = subprocess.run(command, cwd=folder, env=python_environment(), capture_output=True, check=False)
        if done.returncode == 0:
            return made.read_bytes()
    if done.returncode < 0:
        raise OSError(f"the compiler of Protobuf ended by signal {-done.returncode}")
    said = done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.returncode}"]
    raise SchemaError(f"it does not compile: {said[0]}")
