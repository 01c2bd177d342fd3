"""Rows of a table with a header, CSV or TSV, to events. A row is a line: a quoted cell may hold no newline."""

import csv
from codecs import BOM_UTF8
from typing import Any, Final

from dataflows.pipeline.event_layout import EventLayout, number_of_text
from window_core import Event, EventError, checked_event

__all__ = ["RowCodec"]

_ABSENT: Final = frozenset(("", "na", "nan", "null", "none"))
"""How the tools that write tables say that a reading is absent; in lower case."""


class RowCodec:
    """Decodes the rows of one table.

    Attributes:
        names: of its columns; none before the header was read.

    >>> codec = RowCodec(EventLayout(paths={"device_id": "asset"}), ",")
    >>> codec.read_header(b"asset,time,sensor1,sensor2,sensor3,sensor4")
    >>> codec.row(b"pump-7,5,1,2,3,4")[0].device_id
    'pump-7'
    """

    def __init__(self, layout: EventLayout, delimiter: str) -> None:
        self._layout = layout
        self._delimiter = delimiter
        self._columns: list[tuple[str, int | None]] = []
        self.names: list[str] = []

    @property
    def has_header(self) -> bool:
        return bool(self.names)

    def read_header(self, line: bytes) -> None:
        """Take the names of the columns; a name that is not there, or there twice, makes every row ``not_an_event``."""
        try:
            names = [name.strip() for name in self._cells(line.removeprefix(BOM_UTF8))]
        except EventError:
            names = [""]
        self.names = names
        self._columns = []
        for name in self._layout.own_fields:
            column = self._layout.path(name) or name
            self._columns.append((name, names.index(column) if names.count(column) == 1 else None))

    def row(self, line: bytes) -> tuple[Event, int | None]:
        """The event of a row, and its arrival in ms, if it has one.

        Raises:
            EventError: with the first error of the closed list that applies.
        """
        cells = self._cells(line)
        if len(cells) > len(self.names):
            raise EventError("not_an_event")
        layout, sensors = self._layout, self._layout.sensors
        found: dict[str, str] = {}
        for name, column in self._columns:
            if column is not None and column < len(cells) and cells[column]:
                found[name] = cells[column]
        for name in ("device_id", "time"):
            if name not in found:
                raise EventError("not_an_event", layout.path(name))
        readings: list[Any] = []
        for name, is_optional in zip(sensors.names, sensors.optional, strict=True):
            cell = found.get(name, "")
            if is_optional and cell.lower() in _ABSENT:
                readings.append(None)
            elif name not in found:
                raise EventError("not_an_event", layout.path(name))
            else:
                readings.append(number_of_text(cell))
        time = layout.ms(self._time(found["time"]), "time")
        arrival = layout.ms(self._time(found["arrival"]), "arrival") if "arrival" in found else None
        try:
            event = checked_event(sensors, found["device_id"], time, readings, 0 if arrival is None else arrival)
        except EventError as error:
            raise EventError(error.error, layout.path(error.field)) from None
        return event, None if arrival is None else int(arrival)

    def _cells(self, line: bytes) -> list[str]:
        try:
            text = line.decode().removesuffix("\r")
        except UnicodeDecodeError:
            raise EventError("not_an_event") from None
        if '"' not in text:
            return text.split(self._delimiter)
        try:
            [cells] = csv.reader([text], delimiter=self._delimiter, strict=True)
        except (csv.Error, ValueError):
            raise EventError("not_an_event") from None
        return cells

    def _time(self, cell: str) -> object:
        return cell if self._layout.time_unit == "iso" else number_of_text(cell)
