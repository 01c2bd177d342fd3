"""Protobuf messages of a type of the user's own to the fields of an event."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from dataflows.pipeline.event_layout import EventLayout, Instant
from dataflows.pipeline.schema import SchemaError, listed
from window_core import EventError

__all__ = ["MessageDecoder", "MessageType"]

_TIMESTAMP: Final = "google.protobuf.Timestamp"

_WRAPPERS: Final = frozenset(
    f"google.protobuf.{kind}Value" for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "String")
)
"""Messages around a single value, which may be missing so."""


class MessageType(NamedTuple):
    """A message type, with all that it is made of.

    Attributes:
        files: a ``FileDescriptorSet``, encoded: its own file and what that imports, each behind its imports.
        name: its full name.
    """

    files: bytes
    name: str

    @classmethod
    def named(cls, files: bytes, name: str) -> "MessageType":
        """The type of this name, or the only one whose full name ends with it.

        Raises:
            SchemaError: the files are none, or have none or several such.
        """
        names = list(_message_names(_parsed(files)))
        found = [full for full in names if full == name] or [full for full in names if full.endswith(f".{name}")]
        if len(found) == 1:
            return cls(files, found[0])
        if found:
            raise SchemaError(f"several messages are named {name}: {listed(found)}")
        raise SchemaError(f"there is no message {name}; there are {listed(names)}")

    @classmethod
    def at(cls, files: bytes, place: Sequence[int]) -> "MessageType":
        """The type at a place in the last file: the number of a message, then of one within it, and so on.

        Raises:
            SchemaError: there is none.
        """
        file = _parsed(files).file[-1]
        messages, names = file.message_type, [file.package] if file.package else []
        for number in place:
            if not 0 <= number < len(messages):
                raise SchemaError(f"there is no message {'.'.join(map(str, place))}")
            names.append(messages[number].name)
            messages = messages[number].nested_type
        return cls(files, ".".join(names))

    def descriptor(self) -> Descriptor:
        """
        Raises:
            SchemaError: the files are not whole.
        """
        pool = DescriptorPool()
        try:
            for file in _parsed(self.files).file:
                pool.Add(file)
            descriptor: Descriptor = pool.FindMessageTypeByName(self.name)
        except (KeyError, TypeError) as error:  # the C implementation has no error of its own
            raise SchemaError(" ".join(str(error).split())) from None
        return descriptor

    def message_class(self) -> type[Message]:
        """Raises as ``descriptor`` does."""
        return GetMessageClass(self.descriptor())

    def decoder(self, layout: EventLayout) -> "MessageDecoder":
        return MessageDecoder(self.message_class(), layout)


class _Place(NamedTuple):
    """Where a field of ours stands in a message.

    Attributes:
        name: ours.
        is_optional: it may be missing.
        steps: the fields on the way, each with whether it can be told from one that is not set; none: it is nowhere.
        is_instant: it is a ``google.protobuf.Timestamp``.
    """

    name: str
    is_optional: bool
    steps: tuple[tuple[str, bool], ...]
    is_instant: bool


class MessageDecoder:
    """Decodes messages of one type.

    A field that can be told from one that is not set (a message, a member of a oneof, an ``optional`` one) is missing
    where it is not set; any other is then 0 or empty, as Protobuf has it.
    """

    def __init__(self, message_class: type[Message], layout: EventLayout) -> None:
        self._class = message_class
        self._descriptor: Any = message_class.DESCRIPTOR  # of the C implementation, which the types know by halves
        self._layout = layout
        self._places = [self._place(name, is_optional) for name, is_optional in layout.needed_fields]

    def check(self) -> None:
        """See whether each field of an event stands somewhere in the message.

        Raises:
            SchemaError: one does not.
        """
        for place in self._places:
            if not place.steps:
                path = self._layout.path(place.name)
                there = listed(list(_paths(self._descriptor)))
                raise SchemaError(
                    f"{self._descriptor.full_name} has no single value {path}; it has {there}; see --fields"
                )

    def values(self, value: bytes) -> dict[str, Any]:
        try:
            message = self._class.FromString(value)
        except DecodeError:
            raise EventError("not_an_event") from None
        values: dict[str, Any] = {} if self._layout.device_id is None else {"device_id": self._layout.device_id}
        for name, is_optional, steps, is_instant in self._places:
            found: Any = message if steps else None
            for step, has_presence in steps:
                if has_presence and not found.HasField(step):
                    found = None
                    break
                found = getattr(found, step)
            if found is None:
                if not is_optional:
                    raise EventError("not_an_event", self._layout.path(name))
            else:
                values[name] = Instant(found.seconds * 1_000 + found.nanos // 1_000_000) if is_instant else found
        return self._layout.converted(values)

    def _place(self, name: str, is_optional: bool) -> _Place:
        steps = []
        message: Descriptor | None = self._descriptor
        field: FieldDescriptor | None = None
        for step in (self._layout.path(name) or name).split("."):
            field = None if message is None else message.fields_by_name.get(step)
            if field is None or _is_repeated(field):
                return _Place(name, is_optional, (), False)
            steps.append((step, field.has_presence))
            message = field.message_type
        is_instant = name == "time" and message is not None and message.full_name == _TIMESTAMP
        if message is not None and message.full_name in _WRAPPERS:
            steps.append(("value", False))
            message = None
        if message is not None and not is_instant:
            return _Place(name, is_optional, (), False)
        return _Place(name, is_optional, tuple(steps), is_instant)


def _parsed(files: bytes) -> FileDescriptorSet:
    try:
        parsed = FileDescriptorSet.FromString(files)
    except DecodeError:
        raise SchemaError("it is no set of file descriptors") from None
    if not parsed.file:
        raise SchemaError("it has no file in it")
    return parsed


def _message_names(files: FileDescriptorSet) -> Iterator[str]:
    """The full names of the messages; those that Protobuf itself has are no events."""
    for file in files.file:
        if not file.name.startswith("google/protobuf/"):
            for message in file.message_type:
                yield from _names_in(message, f"{file.package}." if file.package else "")


def _names_in(message: DescriptorProto, before: str) -> Iterator[str]:
    if not message.options.map_entry:
        yield before + message.name
        for nested in message.nested_type:
            yield from _names_in(nested, f"{before}{message.name}.")


def _paths(message: Descriptor, before: str = "", depth: int = 0) -> Iterator[str]:
    """The single values in a message, with dots; those three messages down are not looked for."""
    for field in message.fields:
        path = before + field.name
        if _is_repeated(field):
            continue
        if field.message_type is None or field.message_type.full_name == _TIMESTAMP:
            yield path
        elif depth < 2:
            yield from _paths(field.message_type, f"{path}.", depth + 1)


def _is_repeated(field: FieldDescriptor) -> bool:
    return type(field.default_value) is list  # protobuf 5 has no is_repeated, later ones warn of label
