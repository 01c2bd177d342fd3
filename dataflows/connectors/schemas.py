"""The schema of a topic's values, from the file that the settings name: checked before anything is read."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from dataflows.pipeline.avro_record import AvroSchema
from dataflows.pipeline.proto_message import MessageType
from dataflows.pipeline.schema import Schema, SchemaError
from dataflows.settings import LogSettings
from runtime.errors import SettingsError
from runtime.python_process import python_environment

__all__ = ["opened_schema"]


def opened_schema(log: LogSettings) -> Schema | None:
    """The schema of the values; ``None``: they are JSON, or ``RawEvent`` messages.

    Raises:
        SettingsError: it cannot be read, or events do not have these fields in it.
    """
    try:
        if log.proto is not None:
            assert log.message is not None
            message = MessageType.named(_descriptors(log.proto), log.message)
            message.decoder(log.layout).check()
            return message
        if log.schema is not None:
            record = AvroSchema(_text(log.schema))
            record.decoder(log.layout).check()
            return record
    except SchemaError as error:
        where = f"--proto {log.proto}" if log.proto is not None else f"--schema {log.schema}"
        raise SettingsError(f"{where}: {error}") from None
    return None


def _descriptors(path: str) -> bytes:
    """The file descriptors of a ``.proto``, which may import what lies beside it, or those that a file has compiled."""
    data = _read("--proto", path)
    return _compiled(Path(path)) if path.endswith(".proto") else data


def _text(path: str) -> str:
    try:
        return _read("--schema", path).decode()
    except UnicodeDecodeError:
        raise SettingsError(f"--schema {path}: it is not a text file") from None


def _read(flag: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(f"{flag} {path}: {error.strerror}") from None


def _compiled(proto: Path) -> bytes:
    if find_spec("grpc_tools") is None:  # as in the images
        raise SettingsError(
            f"--proto {proto}: the package grpcio-tools, which compiles it, is not installed; give what protoc "
            "--include_imports --descriptor_set_out=FILE makes of it"
        )
    with TemporaryDirectory(prefix="latecomer-") as folder:
        made = Path(folder) / "descriptors"
        # It stands in the file's folder, since it takes a colon in the name of one for the end of the name.
        command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--include_imports"]
        command += [f"--descriptor_set_out={made}", f"./{proto.name}"]
        done = subprocess.run(
            command, cwd=proto.absolute().parent, env=python_environment(), capture_output=True, check=False
        )
        if done.returncode == 0:
            return made.read_bytes()
    said = done.stderr.decode(errors="replace").strip().splitlines() or [os.strerror(1)]
    raise SettingsError(f"--proto {proto}: it does not compile: {said[0]}")
