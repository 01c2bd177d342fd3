"""Reads one partition of a log: what each record is, when it arrived, and how far a run reads. Decided here alone.

The rules, for a file and for every partition of a topic (docs/rules.md, 9 and 10):

- The clock of the partition is the largest valid arrival that it has shown. An arrival below it is clamped to it, and
  counted, before anything else looks at it.
- An arrival that is no valid time makes its record ``INVALID`` and moves no clock; the rejection keeps it as it stood.
- A line without an arrival arrived at the larger of its time and the clock. An ``INVALID`` line moves no clock, for its
  arrival, if it has one, is part of what is wrong; an ``INVALID`` record of a topic does, if its timestamp is valid.
- The first line of a table is its header: it is counted, and is nothing else.
- A heartbeat moves the clock and nothing else; with a timestamp that is no valid time, it does nothing.
- ``until`` cuts a prefix: the first record with a later arrival ends the partition for this run. Neither it
  nor what is behind it is read; ``next_offset`` and ``clock_ms`` stay as before it, so that the next run resumes there.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from operator import ne
from typing import Final, Literal

from dataflows.pipeline.event_codec import EventCodec, PlainEvents
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.first_records import FirstRecords
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.output_codec import encoded_invalid
from dataflows.pipeline.record import LoggedEvent, OutputRecord, Record
from dataflows.pipeline.row_codec import RowCodec
from dataflows.pipeline.schema import Schema
from window_core import MAX_TIME_MS, EventError

__all__ = ["PartitionReader", "RecordFormat"]

_RECORDS_AT_ONCE: Final = 128
"""Read together, each alone if one of them is not plain: few enough that one in a thousand costs little."""

RecordFormat = Literal["line", "csv", "tsv", "json", "protobuf"]
"""A line of a file, JSON or a row of a table, which may have its arrival in it, or a value of a topic."""

_DELIMITERS: Final[dict[str, str]] = {"csv": ",", "tsv": "\t"}

_JANUARY_1970_MS: Final = 2_678_400_000
"""The end of that month; in seconds it would be the year 2054, so times in seconds lie below it."""

_SORTED_BY_DEVICE_MS: Final = 7_200_000
"""Times that go back by hours and have no arrival are hardly those of late events."""

_JUMP_MS: Final = 86_400_000
"""A producer's clock that goes ahead by a day at once moves the clock of all devices of its partition, and may expire
their windows: the summary says so."""


class PartitionReader:
    """Takes the records of one partition in their order.

    Attributes:
        next_offset: the offset behind the last record read.
        clock_ms: the clock of the partition; ``None`` before the first valid arrival.
        has_ended: whether a record behind ``until`` was met.
    """

    def __init__(
        self,
        partition: int,
        record_format: RecordFormat,
        metrics: Metrics,
        until_ms: int | None = None,
        *,
        layout: EventLayout | None = None,
        schema: Schema | None = None,
        ignores_key: bool = False,
        has_producers_clock: bool = False,
        first_records: FirstRecords | None = None,
    ) -> None:
        """Begin at the first record.

        Args:
            partition: its number.
            record_format: what its records hold.
            metrics: what ``count`` adds to.
            until_ms: the last arrival that is read; ``None``: all are.
            layout: what the events look like. Default: the demo's sensors, in our own form.
            schema: of the values of a topic that are neither JSON nor ``RawEvent`` messages.
            ignores_key: the key of a topic's record need not be the device id.
            has_producers_clock: its timestamps are not the broker's word; those of lines never are.
            first_records: where records without an event are looked at, up to the first event; ``None``: they are not.
        """
        self.next_offset = 0
        self.clock_ms: int | None = None
        self.has_ended = False
        self._partition = str(partition)
        self._format = record_format
        self._codec = EventCodec(layout, schema, ignores_key=ignores_key)
        delimiter = _DELIMITERS.get(record_format)
        self._rows = None if delimiter is None else RowCodec(layout or EventLayout(), delimiter)
        self._ignores_key = ignores_key
        self._may_be_plain = record_format in ("line", "json") and schema is None
        self._is_file = record_format in ("line", *_DELIMITERS)
        self._metrics = metrics
        self._until_ms = until_ms
        self._has_producers_clock = has_producers_clock
        self._first_records = first_records
        self._records = self._invalid = self._clamped = self._jumps = 0

    def read(self, record: Record) -> LoggedEvent | OutputRecord | None:
        """The event of the next record, or its rejection; nothing for a heartbeat, a blank line, or what is cut.

        A record that is not valid by its form or its arrival is rejected; which is which, the head of this file says.
        """
        value = record.value
        stamp_ms = record.arrival_ms  # the arrival as it stands, or as we choose it
        is_chosen = False
        event = error = None
        try:
            if self._is_file:
                if not value or value.isspace():
                    self.next_offset = record.offset + 1
                    return None
                if self._rows is None:
                    event, stamp_ms = self._codec.line(value)
                elif self._rows.has_header:
                    event, stamp_ms = self._rows.row(value)
                else:
                    self.read_header(value)
                    self.next_offset = record.offset + 1
                    return None
                if stamp_ms is None:
                    stamp_ms, is_chosen = event.time_ms, True
            elif value is not None:
                event = self._codec.event(value, record.key, self._format, stamp_ms or 0)  # type: ignore[arg-type]
            elif not record.is_heartbeat:
                raise EventError("not_an_event")
        except EventError as fault:
            error = fault

        clock_ms = arrival_ms = self.clock_ms
        is_time = stamp_ms is not None and 0 <= stamp_ms <= MAX_TIME_MS
        if stamp_ms is not None and is_time and (clock_ms is None or stamp_ms > clock_ms):
            arrival_ms = stamp_ms
        if self._until_ms is not None and arrival_ms is not None and arrival_ms > self._until_ms:
            self.has_ended = True
            return None
        self.clock_ms = arrival_ms
        self.next_offset = record.offset + 1
        if stamp_ms is not None and clock_ms is not None and is_time:
            if stamp_ms < clock_ms:
                self._clamped += not is_chosen
                if is_chosen and clock_ms - stamp_ms >= _SORTED_BY_DEVICE_MS:
                    self._metrics.warn(
                        "sorted by device",
                        f"the times of a log without arrivals go back by hours, first at {record.position}: if it is "
                        "sorted by device, sort it by time; otherwise give each event its arrival",
                    )
            elif stamp_ms - clock_ms >= _JUMP_MS:
                self._jumps += is_chosen or self._has_producers_clock

        if event is not None and arrival_ms is not None:
            if self._first_records is not None:
                self._first_records.has_event = True
                self._first_records = None
            self._records += 1
            if event.time_ms < _JANUARY_1970_MS:
                self._metrics.warn(
                    "January 1970",
                    f"the time of {record.position}, {event.time_ms}, lies in January 1970: times are in ms; if these "
                    "are seconds, give --time-unit s",
                )
            return LoggedEvent(event, arrival_ms, record.position)
        if error is None:
            return None
        self._records += 1
        self._invalid += 1
        where = "" if error.field is None else f" in {error.field}"
        if self._first_records is not None and not self._first_records.has_event:
            self._first_records.see(record, error, None if self._rows is None else self._rows.cells(value or b""))
            self._metrics.first_look = self._metrics.first_look or self._first_records.hint()
        self._metrics.caused("INVALID", error.error + where, record.position)
        shown_ms = arrival_ms if is_time or stamp_ms is None else stamp_ms
        return OutputRecord("rejections", "", encoded_invalid(error, value or b"", record.position, shown_ms))

    def read_many(self, records: Iterable[Record]) -> "Iterator[LoggedEvent | OutputRecord | None]":
        """What ``read`` makes of each, in less time; up to the record that ends the partition, without it.

        When it gives anything but an event, ``clock_ms`` is as of that record.
        """
        for batch in self._batches(records):
            plain = self._plain(batch)
            if plain is None:
                yield from self._read_each(batch)
            else:
                positions = [f"{self._partition}/{record.offset}" for record in batch]
                yield from map(LoggedEvent, plain.events(), plain.arrivals_ms, positions)

    def read_columns(self, records: Iterable[Record]) -> Iterator[PlainEvents]:
        """The events among what ``read_many`` gives, as columns; the arrivals are those of the log."""
        for batch in self._batches(records):
            plain = self._plain(batch)
            if plain is None:
                found = [one for one in self._read_each(batch) if isinstance(one, LoggedEvent)]
                device_ids, times_ms, rows = zip(*(one.event for one in found), strict=True) if found else ((), (), ())
                plain = PlainEvents(device_ids, times_ms, rows, [one.arrival_ms for one in found])
            yield plain

    def _batches(self, records: Iterable[Record]) -> Iterator[list[Record]]:
        left = iter(records)
        while not self.has_ended and (batch := [*islice(left, _RECORDS_AT_ONCE)]):
            yield batch

    def _read_each(self, records: Iterable[Record]) -> "Iterator[LoggedEvent | OutputRecord | None]":
        for record in records:
            found = self.read(record)
            if self.has_ended:
                return
            yield found

    def _plain(self, records: Sequence[Record]) -> PlainEvents | None:
        """The events of records of which ``read`` would say no more than when each arrived; ``None``: it has to say."""
        values = [record.value for record in records if record.value]
        if not values or len(values) != len(records) or not self._may_be_plain:
            return None
        plain = self._codec.plain(values)
        if plain is None or min(plain.times_ms) < _JANUARY_1970_MS:
            return None
        stamps_ms = plain.arrivals_ms
        if not self._is_file:
            stamps_ms = [record.arrival_ms for record in records]
            if not self._ignores_key and [record.key for record in records] != [*map(str.encode, plain.device_ids)]:
                return None
        if set(map(type, stamps_ms)) != {int} or min(stamps_ms) < 0 or max(stamps_ms) > MAX_TIME_MS:
            return None
        before_ms = stamps_ms[0] if self.clock_ms is None else self.clock_ms
        arrivals_ms = [*accumulate(stamps_ms, max, initial=before_ms)][1:]
        if self._has_producers_clock and arrivals_ms[-1] - before_ms >= _JUMP_MS:
            return None
        if self._until_ms is not None and arrivals_ms[-1] > self._until_ms:
            return None
        self._clamped += sum(map(ne, stamps_ms, arrivals_ms))
        self._records += len(records)
        self.clock_ms = arrivals_ms[-1]
        self.next_offset = records[-1].offset + 1
        if self._first_records is not None:
            self._first_records.has_event = True
            self._first_records = None
        return plain._replace(arrivals_ms=arrivals_ms)

    def resume(self, next_offset: int, clock_ms: int | None) -> None:
        """Go on from where an earlier reader was."""
        self.next_offset = next_offset
        self.clock_ms = clock_ms
        self._first_records = None

    def read_header(self, line: bytes) -> None:
        """Take the header of a table that is read from somewhere behind it; else the first line is it."""
        if self._rows is not None:
            self._rows.read_header(line)

    def count(self) -> None:
        """Add what was read since the last call to the metrics: all at once, since a counter has a lock."""
        metrics, partition = self._metrics, self._partition
        metrics.records.inc(self._records)
        if self._invalid:
            metrics.rejections.labels("INVALID").inc(self._invalid)
        if self._clamped:
            metrics.clamped.labels(partition).inc(self._clamped)
        if self._jumps:
            metrics.jumps.labels(partition).inc(self._jumps)
        if self.clock_ms is not None:
            metrics.arrived(partition, self.clock_ms)
        self._records = self._invalid = self._clamped = self._jumps = 0
