"""A file of JSON lines as a log of one partition: which line is at which position, and when it arrived."""

from dataclasses import dataclass
from typing import Final

from dataflows.metrics import Metrics
from dataflows.prediction_step import OutputRecord
from dataflows.records import LoggedEvent, decoded_line, encoded_invalid
from window_core import EventError

__all__ = ["FileLog"]

_JUMP_MS: Final = 86_400_000
"""An arrival that is taken from an event's time and lies a day ahead of all before it moves the clock of the whole file
to what may be one wrong clock: the summary says so."""


@dataclass
class FileLog:
    """Takes the lines of a file one by one.

    A line without an arrival arrived at the larger of its time and the largest arrival so far.

    Attributes:
        until_ms: records with a later arrival are not read, as if they stood in no log; ``None``: all are.
        lines: lines seen so far, blank ones included.
        largest_ms: the largest arrival so far; ``None`` before the first.
        jumps: lines without an arrival that moved it ahead by a day or more.
    """

    metrics: Metrics
    until_ms: int | None = None
    lines: int = 0
    largest_ms: int | None = None
    jumps: int = 0

    def record(self, line: bytes) -> LoggedEvent | OutputRecord | None:
        """The event of the next line, or its rejection, or nothing if it is blank or arrived too late to be read."""
        position = f"0/{self.lines}"
        self.lines += 1
        if not line or line.isspace():
            return None
        try:
            event, arrival_ms = decoded_line(line)
        except EventError as error:
            if not self._is_read(self.largest_ms):
                return None
            self.metrics.rejections.labels("INVALID").inc()
            return OutputRecord("rejections", "", encoded_invalid(error, line, position, self.largest_ms))
        largest_ms = self.largest_ms
        if arrival_ms is None:
            arrival_ms = event.time_ms if largest_ms is None else max(largest_ms, event.time_ms)
            self.jumps += largest_ms is not None and arrival_ms - largest_ms >= _JUMP_MS
        self.largest_ms = arrival_ms if largest_ms is None else max(largest_ms, arrival_ms)
        return LoggedEvent(event, arrival_ms, position) if self._is_read(arrival_ms) else None

    def end_ms(self) -> int | None:
        """The instant up to which the clock runs once all is read: ``until_ms``, or the largest arrival."""
        return self.largest_ms if self.until_ms is None else self.until_ms

    def _is_read(self, arrival_ms: int | None) -> bool:
        if self.until_ms is not None and arrival_ms is not None and arrival_ms > self.until_ms:
            return False
        self.metrics.records.inc()
        return True
