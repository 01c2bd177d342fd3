"""The schema of a topic's values, from the file that the settings name: checked before anything is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from dataflows.connectors.proto_files import compiled, has_compiler
from dataflows.connectors.registered_values import RegisteredSchemas
from dataflows.connectors.schema_registry import SchemaRegistry
from dataflows.pipeline.avro_record import AvroSchema
from dataflows.pipeline.proto_message import MessageType
from dataflows.pipeline.schema import Schema, SchemaError
from dataflows.settings import BrokerSettings, LogSettings
from runtime.errors import SettingsError

__all__ = ["opened_schema"]

_NO_COMPILER: Final = "the package grpcio-tools, which compiles schemas of Protobuf, is not installed"


def opened_schema(log: LogSettings, broker: BrokerSettings, say: Callable[[str], None]) -> Schema | None:
    """The schema of the values; ``None``: they are JSON, or ``RawEvent`` messages.

    Args:
        log: the topic.
        broker: how long a registry is waited for.
        say: takes a line for the user.
    Raises:
        SettingsError: it cannot be read, or events do not have these fields in it; or there is no such registry.
        RegistryError: the registry stays away.
    """
    if log.schema_registry is not None:
        if log.format == "protobuf" and not has_compiler():
            raise SettingsError(f"--schema-registry with --format protobuf: {_NO_COMPILER}")
        registry = SchemaRegistry.of(log.schema_registry, log.registry_properties, broker.wait_for_broker_ms)
        registry.check(say)
        assert log.format in (None, "json", "protobuf", "avro")
        return RegisteredSchemas(registry, log.format or "json")
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
    proto = Path(path)
    if proto.suffix != ".proto":
        return data
    if not has_compiler():
        raise SettingsError(
            f"--proto {path}: {_NO_COMPILER}; give what protoc --include_imports --descriptor_set_out=FILE makes of it"
        )
    return compiled(proto.absolute().parent, proto.name)


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
