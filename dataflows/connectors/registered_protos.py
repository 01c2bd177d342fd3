"""Schemas of Protobuf as registries hold them, to file descriptors: a text, or, from Confluent's Python client, base64.

That client registers the descriptor of a file in place of its text. Confluent's own registry makes a text of it;
others, such as Apicurio's, give back what they were given.
"""

import base64
from importlib import import_module
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from dataflows.connectors.proto_files import compiled
from dataflows.connectors.schema_registry import RegisteredSchema
from dataflows.pipeline.schema import SchemaError

__all__ = ["descriptors_of"]

_NAME_MAX: Final = 200
"""Characters of a file's name that any file system can hold."""

_MAIN: Final = "latecomer-schema.proto"
"""The registry has no name for a schema itself; those that it refers to have their own."""

_OF_PROTOBUF: Final = {
    f"google/protobuf/{name}.proto": f"google.protobuf.{name}_pb2"
    for name in ("any", "api", "descriptor", "duration", "empty", "field_mask", "source_context", "struct", "timestamp",
                 "type", "wrappers")
}  # fmt: skip
"""The files that every compiler has, by the names under which they are imported; nobody registers them."""


def descriptors_of(schema: RegisteredSchema) -> bytes:
    """A ``FileDescriptorSet``, encoded: the file of the schema, behind all that it imports.

    Raises:
        SchemaError: it does not compile, or is no schema of Protobuf.
    """
    files = (*schema.references, (_MAIN, schema.text))
    serialized = [_serialized(name, text) for name, text in files]
    if any(file is None for file in serialized):
        return _of_texts(files)
    found: dict[str, FileDescriptorProto] = {}
    for file in serialized:
        assert file is not None
        for name in file.dependency:
            _add_of_protobuf(name, found)
        found[file.name] = file
    return FileDescriptorSet(file=found.values()).SerializeToString()


def _serialized(name: str, text: str) -> FileDescriptorProto | None:
    """The descriptor that base64 holds; ``None``: it is a text, which has other characters."""
    try:
        file = FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except (ValueError, DecodeError):
        return None
    file.name = name
    return file


def _add_of_protobuf(name: str, found: dict[str, FileDescriptorProto]) -> None:
    if name not in found and name in _OF_PROTOBUF:
        file = FileDescriptorProto.FromString(import_module(_OF_PROTOBUF[name]).DESCRIPTOR.serialized_pb)
        for dependency in file.dependency:
            _add_of_protobuf(dependency, found)
        found[name] = file


def _of_texts(files: tuple[tuple[str, str], ...]) -> bytes:
    with TemporaryDirectory(prefix="latecomer-") as made:
        folder = Path(made)
        for name, text in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\0" in name or len(name) > _NAME_MAX:
                raise SchemaError(f"it refers to {name[:_NAME_MAX]!r}")
            try:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text, encoding="utf-8")
            except (FileExistsError, IsADirectoryError, NotADirectoryError, UnicodeEncodeError) as error:
                raise SchemaError(f"it refers to {name!r}: {error}") from None
        return compiled(folder, _MAIN)
