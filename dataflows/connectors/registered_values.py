"""Values in the framing of a schema registry, each decoded by the schema that it names."""

from functools import lru_cache
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

from dataflows.connectors.proto_files import compiled
from dataflows.connectors.schema_registry import RegisteredSchema, SchemaRegistry
from dataflows.pipeline.avro_record import AvroSchema
from dataflows.pipeline.event_codec import loaded_object
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.framing import SCHEMA_ID, message_place, unframed
from dataflows.pipeline.proto_message import MessageType
from dataflows.pipeline.schema import SchemaError, ValueDecoder
from window_core import EventError

__all__ = ["RegisteredFormat", "RegisteredSchemas"]

RegisteredFormat = Literal["json", "protobuf", "avro"]

_KNOWN_MAX: Final = 10_000
"""Schemas that are kept, those that do not exist included: garbage may name any number of them."""

_KINDS: Final[dict[RegisteredFormat, str]] = {"json": "JSON", "protobuf": "PROTOBUF", "avro": "AVRO"}

_NAME_MAX: Final = 200
"""Characters of a file's name that any file system can hold."""

_MAIN: Final = "latecomer-schema.proto"
"""The registry has no name for a schema itself; those that it refers to have their own."""


class RegisteredSchemas:
    """The schemas of a topic, in a registry. It is a ``Schema``, and its decoder serves all partitions."""

    def __init__(self, registry: SchemaRegistry, event_format: RegisteredFormat) -> None:
        self._registry = registry
        self._format = event_format
        self._decoder: _Decoder | None = None

    def decoder(self, layout: EventLayout) -> "_Decoder":
        if self._decoder is None:
            self._decoder = _Decoder(self._registry, self._format, layout)
        return self._decoder

    def __reduce__(self) -> tuple[Any, ...]:
        return RegisteredSchemas, (self._registry, self._format)


class _Decoder:
    def __init__(self, registry: SchemaRegistry, event_format: RegisteredFormat, layout: EventLayout) -> None:
        self._registry = registry
        self._format = event_format
        self._layout = layout
        self._of = lru_cache(_KNOWN_MAX)(self._new_decoder)
        self._files = lru_cache(_KNOWN_MAX)(_files)

    def values(self, value: bytes) -> dict[str, Any]:
        schema_id, payload = unframed(value)
        place: tuple[int, ...] = ()
        if self._format == "protobuf":
            place, payload = message_place(payload)
        decoder = self._of(schema_id, place)
        if decoder is None:
            raise EventError("not_an_event", SCHEMA_ID)
        return decoder.values(payload)

    def _new_decoder(self, schema_id: int, place: tuple[int, ...]) -> ValueDecoder | None:
        """The decoder of a schema; ``None``: there is none, or it is of no use."""
        schema = self._registry.schema(schema_id)
        if schema is None or schema.kind != _KINDS[self._format]:
            return None
        try:
            if self._format == "json":
                return _JsonDecoder(self._layout)
            if self._format == "protobuf":
                return MessageType.at(self._files(schema), place).decoder(self._layout)
            return AvroSchema(schema.text, tuple(text for _, text in schema.references)).decoder(self._layout)
        except SchemaError:
            return None


class _JsonDecoder:
    """A value names its fields itself, so the schema is of no use but to be there."""

    def __init__(self, layout: EventLayout) -> None:
        self._layout = layout

    def values(self, value: bytes) -> dict[str, Any]:
        return self._layout.values(loaded_object(value), has_arrival=False)


def _files(schema: RegisteredSchema) -> bytes:
    """The descriptors of a schema of Protobuf.

    Raises:
        SchemaError: it does not compile.
    """
    with TemporaryDirectory(prefix="latecomer-") as name:
        folder = Path(name)
        for reference, text in (*schema.references, (_MAIN, schema.text)):
            path = PurePosixPath(reference)
            if path.is_absolute() or ".." in path.parts or "\0" in reference or len(reference) > _NAME_MAX:
                raise SchemaError(f"it refers to {reference[:_NAME_MAX]!r}")
            try:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text, encoding="utf-8")
            except (FileExistsError, IsADirectoryError, NotADirectoryError, UnicodeEncodeError) as error:
                raise SchemaError(f"it refers to {reference!r}: {error}") from None
        return compiled(folder, _MAIN)
