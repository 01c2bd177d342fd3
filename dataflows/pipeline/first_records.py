"""Looks at the first records of a log: one that holds no events is told to the user, with the option that may fit."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from dataflows.pipeline.event_layout import number_of_text
from dataflows.pipeline.framing import SCHEMA_ID, is_framed, unframed
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import Record
from runtime.errors import CommandError
from runtime.printable import printable
from window_core import MAX_TIME_MS, EventError

__all__ = ["LOOKED_AT", "FirstRecords", "InputError", "begins_without_event", "no_event"]

LOOKED_AT: Final = 1_000
"""Records without an event from the first on that are enough to stop a run."""

_SHOWN: Final = 80
"""Characters of a record that is no JSON."""

_SHOWN_FIELDS: Final = 12

_NO_PATHS: Final[Mapping[str, str]] = MappingProxyType({})

_DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]+,[0-9]+")


class InputError(CommandError):
    """The input holds something else than events, or is damaged; the message says what."""


def no_event(name: str, hint: str) -> str:
    """The line for a log whose first records hold no event."""
    return f"{name}: no event among the first {LOOKED_AT:,} records; {hint}"


def begins_without_event(metrics: Metrics, name: str) -> bool:
    """Whether no record that other processes have counted so far holds an event.

    Raises:
        InputError: neither do as many as are enough to stop a run.
    """
    records = metrics.records_without_event()
    if records >= LOOKED_AT and metrics.first_look is not None:
        raise InputError(no_event(name, metrics.first_look))
    return records == metrics.total("latecomer_records_total")


class FirstRecords:
    """Counts the records of a log up to its first event. All its partitions share one.

    Attributes:
        has_event: whether there was one, in any of them.
    """

    def __init__(
        self, name: str, paths: Mapping[str, str] = _NO_PATHS, *, is_framed: bool = False, stops: bool = True
    ) -> None:
        """
        Args:
            name: of the log, as messages name it.
            paths: where fields were said to stand, by our names.
            is_framed: its values are read in the framing of a schema registry.
            stops: whoever reads it is stopped where there is no event; else it is for the hint alone.
        """
        self._our_names = {path: name for name, path in paths.items()}
        self._is_framed = is_framed
        self._stops = stops
        self._name = name
        self._invalid = 0
        self._first: tuple[Record, EventError, Mapping[str, Any] | None] | None = None
        self.has_event = False

    def see(self, record: Record, error: EventError, cells: Mapping[str, Any] | None = None) -> None:
        """Take a record that holds no event, while there was none.

        Args:
            record: as it stands.
            error: why it holds none.
            cells: of a row of a table, by their columns.

        Raises:
            InputError: it is the thousandth, and there was none before, if that stops the run.
        """
        self._first = self._first or (record, error, cells)
        self._invalid += 1
        if self._stops and self._invalid >= LOOKED_AT:
            raise InputError(no_event(self._name, self.hint()))

    def hint(self) -> str:
        """What the first record looks like, and what would fit it."""
        assert self._first is not None
        record, error, cells = self._first
        where = "" if error.field is None else f" in {error.field}"
        return f"the first is {error.error}{where}: {self._looks(record.value or b'', error, cells)}"

    def _looks(self, value: bytes, error: EventError, cells: Mapping[str, Any] | None) -> str:
        if not self._is_framed:
            if cells is None and is_framed(value):
                return "it begins as a schema registry frames values; give --schema-registry"
            return self._of_payload(value, error, cells)
        if not is_framed(value):
            return "it does not begin as a schema registry frames values; leave --schema-registry out"
        schema_id, payload = unframed(value)
        if error.field == SCHEMA_ID:
            return f"the registry has no schema {schema_id}, or one of another --format, or none that can be read"
        return self._of_payload(payload, error, cells)

    def _of_payload(self, value: bytes, error: EventError, cells: Mapping[str, Any] | None) -> str:
        try:
            found = json.loads(value) if cells is None else cells
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, Mapping) or (cells is not None and error.field is None):
            return _of_text(value, is_table=cells is not None)
        if error.error == "key":
            return "the key of the record is not the device id"
        field = error.field or ""
        if error.error != "not_an_event":
            return _of_value(found.get(field), field)
        if field in found:
            return f"{field} is empty, or not there"
        name = self._our_names.get(field)
        advice = (
            f"say where each field stands, as in --fields {field}=…"
            if name is None
            else f"--fields {name}={field} names none of them"
        )
        return f"there are {_names(found)}; {advice}"


def _of_text(value: bytes, *, is_table: bool) -> str:
    text = printable(value[:_SHOWN].decode(errors="replace"))
    if value[:1] == b"[" or value.strip() == b"{":
        return f"it begins {text!r}; an event is one line: jq -c '.[]' makes lines of an array, jq -c . of objects"
    has_columns = text.count(",") >= 2 and "{" not in text
    return f"it begins {text!r}" + ("; a table? --format csv" if has_columns and not is_table else "")


def _names(found: Mapping[str, Any]) -> str:
    """The fields of an object, those of nested ones as paths."""
    names = list(islice(_paths(found), _SHOWN_FIELDS + 1))
    more = ", …" if len(names) > _SHOWN_FIELDS else ""
    return (printable(", ".join(names[:_SHOWN_FIELDS])) or "no fields") + more


def _paths(found: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in found.items():
        if isinstance(value, Mapping) and value:
            yield from _paths(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _of_value(value: Any, field: str) -> str:
    shown = printable(json.dumps(value)[:_SHOWN])
    if isinstance(value, str) and value[4:5] == "-":
        return f"{field} is {shown}; a time? --time-unit iso, and --time-zone if it names none"
    if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value):
        return f"{field} is {shown}; a decimal comma? --lenient reads it in a table separated by semicolons"
    if isinstance(value, str) and number_of_text(value) != value:
        return f"{field} is {shown}; a number? --lenient"
    if isinstance(value, int | float) and value > MAX_TIME_MS:
        return f"{field} is {shown}; --time-unit {'us' if value < 1_000 * MAX_TIME_MS else 'ns'}?"
    return f"{field} is {shown}"
