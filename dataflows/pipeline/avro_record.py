"""Records of Avro, without the schema that wrote them, to the fields of an event."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any, Final, NamedTuple

from fastavro import parse_schema, schemaless_reader

from dataflows.pipeline.event_layout import EventLayout, Instant
from dataflows.pipeline.schema import SchemaError, listed
from window_core import EventError

__all__ = ["AvroDecoder", "AvroSchema"]

_DEPTH_MAX: Final = 100
_PARTS_MAX: Final = 100_000
"""The reader has no limits of its own: types within types that are far deeper end the process without a word, and many
times more of them keep it busy for ever, also where a value has no bytes."""

_RECORDS: Final = ("record", "error")

_PER_MS: Final = {"timestamp-millis": 1, "timestamp-micros": 1_000, "timestamp-nanos": 1_000_000}
_LOCAL: Final = "local-"

_KEPT: Final = "latecomer"
"""The name under which a logical type stands, for us and not for the reader."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - of clocks on a wall, whose zone the user names


class AvroSchema(NamedTuple):
    """The schema that values were written by.

    Attributes:
        text: its JSON.
        referenced: those that it refers to, each behind what it refers to itself.
    """

    text: str
    referenced: tuple[str, ...] = ()

    def decoder(self, layout: EventLayout) -> "AvroDecoder":
        return AvroDecoder(self, layout)


class AvroDecoder:
    """Decodes the records of one schema.

    A union with null is a reading that may be missing. A type for instants needs no unit: it has its own.
    """

    def __init__(self, schema: AvroSchema, layout: EventLayout) -> None:
        """
        Raises:
            SchemaError: it is none, or not one of records, or it would let a few bytes cost too much.
        """
        self._layout = layout
        self._types: dict[str, Any] = {}
        for text in schema.referenced:
            _parsed(text, self._types)
        self._schema = _parsed(schema.text, self._types)
        try:
            _Sizes(self._types).of(self._schema)
        except RecursionError:
            raise SchemaError("it is nested too deeply") from None
        if not any(True for _ in self._records()):
            raise SchemaError("it is no schema of records")
        logical = [_logical_type(one) for one in self._at("time")]
        self._time_type = next(filter(None, logical), "")

    def check(self) -> None:
        """See whether each field of an event stands somewhere in the schema.

        Raises:
            SchemaError: one does not, or a time names no zone and none was given.
        """
        layout = self._layout
        for name, _ in layout.needed_fields:
            path = layout.path(name)
            if not any(_is_value(one) for one in self._at(name)):
                there = listed(sorted({path for record in self._records() for path in self._paths(record)}))
                raise SchemaError(f"there is no single value {path}; there are {there}; see --fields")
        if self._time_type.startswith(_LOCAL) and layout.zone is None:
            raise SchemaError(f"{layout.path('time')} names no zone: give --time-unit iso --time-zone UTC, say")

    def values(self, value: bytes) -> dict[str, Any]:
        source = BytesIO(value)
        try:
            found = schemaless_reader(source, self._schema, None)
        except Exception:  # it has no error of its own, and no record may end a run
            raise EventError("not_an_event") from None
        if source.tell() != len(value) or type(found) is not dict:
            raise EventError("not_an_event")
        values = self._layout.gathered(found, has_arrival=False)
        if self._time_type and type(values["time"]) is int:
            values["time"] = self._time(values["time"])
        for name, reading in values.items():
            if type(reading) is Decimal:
                values[name] = float(reading)
        return self._layout.converted(values)

    def _time(self, number: int) -> object:
        if not self._time_type.startswith(_LOCAL):
            return Instant(number // _PER_MS[self._time_type])
        try:
            local = _EPOCH + timedelta(milliseconds=number // _PER_MS[self._time_type.removeprefix(_LOCAL)])
        except OverflowError:
            raise EventError("time", self._layout.path("time")) from None
        return local.isoformat()

    def _records(self) -> Iterator[dict[str, Any]]:
        """The schema, or of a union those that are one of records."""
        return (one for one in self._branches(self._schema) if one["type"] in _RECORDS)

    def _at(self, name: str) -> Iterator[dict[str, Any]]:
        """What may stand where one of our fields stands, without null."""
        steps = (self._layout.path(name) or name).split(".")
        return (one for record in self._records() for one in self._below(record, steps))

    def _below(self, schema: Any, steps: Sequence[str]) -> Iterator[dict[str, Any]]:
        for branch in self._branches(schema):
            if not steps:
                yield branch
            elif branch["type"] == "map":
                yield from self._below(branch["values"], steps[1:])
            else:
                for field in branch.get("fields", ()):
                    if field["name"] == steps[0]:
                        yield from self._below(field["type"], steps[1:])

    def _paths(self, record: Mapping[str, Any], before: str = "") -> Iterator[str]:
        for field in record["fields"]:
            path = before + field["name"]
            for branch in self._branches(field["type"]):
                if branch["type"] in _RECORDS:
                    yield from self._paths(branch, f"{path}.")
                elif _is_value(branch):
                    yield path

    def _branches(self, schema: Any) -> Iterator[dict[str, Any]]:
        """A type, or those of a union, without null; each as an object with its type."""
        for one in schema if isinstance(schema, list) else [schema]:
            full = self._types.get(one, {"type": one}) if isinstance(one, str) else one
            if full["type"] != "null":
                yield full


class _Size(NamedTuple):
    """What a value of a type holds: the fewest bytes, types within each other, types in all."""

    fewest_bytes: int = 1
    depth: int = 1
    parts: int = 1

    @classmethod
    def around(cls, fewest_bytes: int, parts: Sequence["_Size"]) -> "_Size":
        """
        Raises:
            SchemaError: that is too much.
        """
        size = cls(
            fewest_bytes, 1 + max((part.depth for part in parts), default=0), 1 + sum(part.parts for part in parts)
        )
        if size.depth > _DEPTH_MAX or size.parts > _PARTS_MAX:
            raise SchemaError(f"it has more than {_DEPTH_MAX} types within each other, or {_PARTS_MAX:,} in all")
        return size


class _Sizes:
    """Looks whether values of a schema may cost too much. Each named type is looked at once."""

    def __init__(self, types: Mapping[str, Any]) -> None:
        self._types = types
        self._known: dict[str, _Size] = {}
        self._open: set[str] = set()

    def of(self, schema: Any) -> _Size:
        """
        Raises:
            SchemaError: they may.
        """
        if isinstance(schema, list):
            return _Size.around(1, [self.of(one) for one in schema])
        name = schema if isinstance(schema, str) else schema.get("name")
        if name in self._open:
            raise SchemaError(f"a value of {name} may hold another one, and such schemas are not read")
        if name not in self._types:
            return _Size(int(name != "null")) if isinstance(schema, str) else self._of_type(schema)
        if name not in self._known:
            self._open.add(name)
            self._known[name] = self._of_type(self._types[name])
            self._open.discard(name)
        return self._known[name]

    def _of_type(self, schema: Mapping[str, Any]) -> _Size:
        kind = schema["type"]
        if kind in _RECORDS:
            parts = [self.of(field["type"]) for field in schema["fields"]]
            return _Size.around(sum(part.fewest_bytes for part in parts), parts)
        if kind == "map":
            return _Size.around(1, [self.of(schema["values"])])
        if kind == "array":
            items = self.of(schema["items"])
            if items.fewest_bytes == 0:
                raise SchemaError("it has an array of items without bytes, of which there may be any number")
            return _Size.around(1, [items])
        return _Size(schema["size"] if kind == "fixed" else int(kind != "null"))


def _parsed(text: str, types: dict[str, Any]) -> Any:
    """A schema, with the names of types in full; the types that have names are added to ``types``."""
    try:
        return parse_schema(_plain(json.loads(text)), types)
    except RecursionError:
        raise SchemaError("it is nested too deeply") from None
    except Exception as error:  # as it stands, from whatever the library meets in it
        raise SchemaError(f"it is no schema of Avro: {' '.join(str(error).split())[:200]}") from None


def _plain(schema: Any) -> Any:
    """The schema under which numbers stay what was written: times as numbers in their unit, which we convert."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(part) for name, part in schema.items()}
    logical = plain.get("logicalType")
    if logical is not None and logical != "decimal":
        del plain["logicalType"]
        plain[_KEPT] = logical
    return plain


def _logical_type(schema: Mapping[str, Any]) -> str | None:
    """That of an instant, or of the clock on a wall."""
    logical = schema.get(_KEPT)
    return logical if isinstance(logical, str) and logical.removeprefix(_LOCAL) in _PER_MS else None


def _is_value(schema: Mapping[str, Any]) -> bool:
    return schema["type"] not in (*_RECORDS, "array", "map")
