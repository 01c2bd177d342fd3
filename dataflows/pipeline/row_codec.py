"""Rows of a table with a header, CSV or TSV, to events. A row is a line: a quoted cell may hold no newline."""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, Final

import msgspec

from dataflows.pipeline.event_layout import EventLayout, number_of_text
from window_core import Event, EventError, checked_event

__all__ = ["RowCodec"]

_ABSENT: Final = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "null", "\\n", "none", "unavailable", "unknown"))
"""How the tools that write tables say that a reading is absent, in lower case: spreadsheets, pandas, databases, and
Home Assistant of a sensor that it cannot reach."""

_DECIMAL_COMMA: Final = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*")


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
        """
        Args:
            layout: what the events look like.
            delimiter: between cells; a header with semicolons and no comma says that they stand in place of commas.
        """
        self._layout = layout
        self._sensors = layout.sensors
        self._is_ms, self._is_iso = layout.time_unit == "ms", layout.time_unit == "iso"
        self._delimiter = delimiter
        self._columns: list[tuple[str, int | None]] = []
        self._picked: Callable[[list[str]], tuple[str, ...]] | None = None
        self.names: list[str] = []

    @property
    def has_header(self) -> bool:
        return bool(self.names)

    def read_header(self, line: bytes) -> None:
        """Take the names of the columns; a name that is not there, or there twice, makes every row ``not_an_event``."""
        if self._delimiter == "," and b"," not in line and b";" in line:
            self._delimiter = ";"
        try:
            names = [name.strip() for name in self._cells(line.removeprefix(BOM_UTF8))]
        except EventError:
            names = [""]
        self.names = names
        self._columns = []
        for name in self._layout.own_fields:
            column = self._layout.path(name) or name
            self._columns.append((name, names.index(column) if names.count(column) == 1 else None))
        self._prepare(dict(self._columns))

    def row(self, line: bytes) -> tuple[Event, int | None]:
        """The event of a row, and its arrival in ms, if it has one.

        Raises:
            EventError: with the first error of the closed list that applies.
        """
        try:
            return self._fast(line)
        except (ValueError, IndexError):  # it has something to look at, cell by cell
            return self._row(self._cells(line))

    def cells(self, line: bytes) -> dict[str, Any]:
        """The cells of a row by their columns, numbers as numbers, for people; empty ones where it has none."""
        try:
            cells = self._cells(line)
        except EventError:
            cells = []
        names = [name if self.names.count(name) == 1 else f"{name} (twice)" for name in self.names]
        return {name: number_of_text(cell) for name, cell in zip(names, chain(cells, repeat("")), strict=False)}

    def _row_in_order(self, line: bytes) -> tuple[Event, int | None]:
        """A row of a device id and numbers, as the header has just our columns in our order: all but a line of JSON.

        Raises:
            ValueError: it is none.
        """
        device_id, _, texts = line.partition(b",")
        if b'"' in device_id:
            raise ValueError(line)
        numbers = self._decode(b"[" + texts + b"]")
        arrival = numbers[-1] if self._has_arrival else None
        readings = numbers[1:-1] if self._has_arrival else numbers[1:]
        return checked_event(self._sensors, device_id.decode(), numbers[0], readings, arrival or 0), arrival

    def _plain_row(self, line: bytes) -> tuple[Event, int | None]:
        """A row without quotes and with nothing in its cells but what most have.

        Raises:
            ValueError: it is none.
            IndexError: it is none.
        """
        text = line.decode().removesuffix("\r")
        cells = text.split(self._delimiter)
        if self._picked is None or '"' in text or len(cells) > len(self.names):
            raise ValueError(text)
        device_id, time, *readings = self._picked(cells)
        if ("_" in text or not text.isascii()) and _is_odd("".join((time, *readings))):
            raise ValueError(text)
        arrival = self._ms(readings.pop()) if self._has_arrival else None
        numbers = [float(cell) if cell else None for cell in readings] if "" in readings else [*map(float, readings)]
        if "-0" in text and 0 in numbers:  # an integer has no negative zero, and a float has one
            raise ValueError(text)
        if self._layout.device_id is not None:
            device_id = self._layout.device_id
        return checked_event(self._sensors, device_id, self._ms(time), numbers, arrival or 0), arrival

    def _ms(self, time: str) -> Any:
        if self._is_ms:
            return int(time)
        return self._layout.ms(time if self._is_iso else int(time), "time")

    def _row(self, cells: list[str]) -> tuple[Event, int | None]:
        if any(cells[len(self.names) :]):  # empty ones come from a delimiter behind the last cell
            raise EventError("not_an_event")
        layout, sensors = self._layout, self._layout.sensors
        found: dict[str, str] = {}
        for name, column in self._columns:
            if column is not None and column < len(cells) and cells[column]:
                found[name] = cells[column]
        if layout.device_id is not None:
            found["device_id"] = layout.device_id
        for name in ("device_id", "time"):
            if name not in found:
                raise EventError("not_an_event", layout.path(name))
        readings: list[Any] = []
        for name, is_optional in zip(sensors.names, sensors.optional, strict=True):
            cell = found.get(name, "")
            if is_optional and cell.strip().lower() in _ABSENT:
                readings.append(None)
            elif name not in found:
                raise EventError("not_an_event", layout.path(name))
            else:
                readings.append(self._number(cell))
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
        return cell if self._is_iso else self._number(cell)

    def _prepare(self, columns: Mapping[str, int | None]) -> None:
        """Find the fastest way to read the rows; ``_row`` gives what each way gives, and reads the others."""
        sensors, has_device = self._sensors, self._layout.device_id is None
        self._has_arrival = columns["arrival"] is not None
        names = ("device_id", "time", *sensors.names, *(("arrival",) if self._has_arrival else ()))
        picked = [columns[name if has_device or name != "device_id" else "time"] for name in names]
        self._picked = None if None in picked else itemgetter(*picked)
        is_in_order = has_device and self._is_ms and self._delimiter == ","
        self._fast = self._row_in_order if is_in_order and picked == [*range(len(self.names))] else self._plain_row
        readings = [float | None if is_optional else float for is_optional in sensors.optional]
        types: Any = (int, *readings, *((int,) if self._has_arrival else ()))
        self._decode = msgspec.json.Decoder(tuple[types]).decode

    def _number(self, cell: str) -> int | float | str:
        if self._delimiter == ";" and self._layout.is_lenient and _DECIMAL_COMMA.fullmatch(cell):
            return float(cell.replace(",", "."))
        return number_of_text(cell)


def _is_odd(texts: str) -> bool:
    """Whether Python would read numbers in these texts that we do not: ``1_000``, and digits of other scripts."""
    return "_" in texts or not texts.isascii()
