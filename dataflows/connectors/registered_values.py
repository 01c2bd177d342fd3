"""Values in the framing of a schema registry, each decoded by the schema that it names."""

from functools import lru_cache
from typing import Any, Final, Literal

from dataflows.connectors.registered_protos import descriptors_of
from dataflows.connectors.schema_registry import SchemaRegistry
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
        self._files = lru_cache(_KNOWN_MAX)(descriptors_of)

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
