"""Looks at the first records of a log: one that holds no events is told to the user, with the option that may fit."""

import json
from collections.abc import Sequence
from typing import Any, Final

from dataflows.pipeline.framing import SCHEMA_ID, is_framed, unframed
from dataflows.pipeline.record import Record
from runtime.errors import CommandError
from runtime.printable import printable
from window_core import MAX_TIME_MS, EventError

__all__ = ["FirstRecords", "InputError"]

_LOOKED_AT: Final = 1_000

_SHOWN: Final = 80
"""Characters of a record that is no JSON."""

_SHOWN_FIELDS: Final = 12


class InputError(CommandError):
    """The input holds something else than events, or is damaged; the message says what."""


class FirstRecords:
    """Counts the records of a log up to its first event. All its partitions share one.

    Attributes:
        has_event: whether there was one, in any of them.
    """

    def __init__(self, name: str, *, is_framed: bool = False) -> None:
        """
        Args:
            name: of the log, as messages name it.
            is_framed: its values are read in the framing of a schema registry.
        """
        self._is_framed = is_framed
        self._name = name
        self._invalid = 0
        self._first: tuple[Record, EventError, Sequence[str] | None] | None = None
        self.has_event = False

    def see(self, record: Record, error: EventError, columns: Sequence[str] | None = None) -> None:
        """Take a record that holds no event.

        Args:
            record: as it stands.
            error: why it holds none.
            columns: of the table that it is a row of.

        Raises:
            InputError: it is the thousandth, and there was none before.
        """
        if self.has_event:
            return
        self._first = self._first or (record, error, columns)
        self._invalid += 1
        if self._invalid >= _LOOKED_AT:
            raise InputError(f"{self._name}: no event among the first {_LOOKED_AT:,} records; {self.hint()}")

    def hint(self) -> str:
        """What the first record looks like, and what would fit it."""
        assert self._first is not None
        record, error, columns = self._first
        where = "" if error.field is None else f" in {error.field}"
        return f"the first is {error.error}{where}: {self._looks(record.value or b'', error, columns)}"

    def _looks(self, value: bytes, error: EventError, columns: Sequence[str] | None) -> str:
        if not self._is_framed:
            if columns is None and is_framed(value):
                return "it begins as a schema registry frames values; give --schema-registry"
            return _looks(value, error, columns)
        if not is_framed(value):
            return "it does not begin as a schema registry frames values; leave --schema-registry out"
        schema_id, payload = unframed(value)
        if error.field == SCHEMA_ID:
            return f"the registry has no schema {schema_id}, or one of another --format, or none that can be read"
        return _looks(payload, error, columns)


def _looks(value: bytes, error: EventError, columns: Sequence[str] | None) -> str:
    if columns is not None and error.error == "not_an_event" and error.field is not None:
        return _where(columns, error.field)
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if type(found) is not dict:
        text = printable(value[:_SHOWN].decode(errors="replace"))
        names = text.count(",") >= 2 and "{" not in text
        return f"it begins {text!r}" + ("; a table? --format csv" if names and columns is None else "")
    if error.error == "key":
        return "the key of the record is not the device id"
    field = error.field or ""
    if error.error == "not_an_event":
        return _where(list(found), field)
    return _of_value(found.get(field), field)


def _where(names: Sequence[str], field: str) -> str:
    more = ", …" if len(names) > _SHOWN_FIELDS else ""
    there = printable(", ".join(names[:_SHOWN_FIELDS]))
    return f"there are {there or 'no fields'}{more}; say where each field stands, as in --fields {field}=…"


def _of_value(value: Any, field: str) -> str:
    shown = printable(json.dumps(value)[:_SHOWN])
    if isinstance(value, str) and value[4:5] == "-":
        return f"{field} is {shown}; a time? --time-unit iso, and --time-zone if it names none"
    if isinstance(value, int | float) and value > MAX_TIME_MS:
        return f"{field} is {shown}; --time-unit {'us' if value < 1_000 * MAX_TIME_MS else 'ns'}?"
    return f"{field} is {shown}"
