"""What comes out of a window: evaluations and rejections, immutable."""

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from window_core.columns import Columns, Views
from window_core.event import Event

__all__ = ["CAUSES", "REASONS", "Cause", "Evaluation", "Output", "Reason", "Rejection"]

Cause: TypeAlias = Literal["event", "late_event", "tick"]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)

Reason: TypeAlias = Literal["INVALID", "AHEAD_OF_CLOCK", "TOO_LATE", "DUPLICATE", "WINDOW_FULL", "REFUSED"]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
"""Every reason for a rejection. INVALID comes from decoding a record, REFUSED from calling a service."""


class Evaluation(NamedTuple):
    """One moment at which the services are asked about a device, with the window as it was then.

    Attributes:
        cause: what brought it about.
        event_ms: the time of the event that brought it about; ``None`` for a tick.
        as_of_ms: the arrival of the event, or the instant of the tick.
        seq: number of the evaluation within its session, from 0, without gaps.
        columns: the columns that hold the window; later events may stand behind ``end``.
        start: first row of the window.
        end: one past its last row.

    Cost: nothing is copied when one is made. ``window()`` gives views of the shared columns.
    """

    cause: Cause
    event_ms: int | None
    as_of_ms: int
    seq: int
    columns: Columns
    start: int
    end: int

    @property
    def device_id(self) -> str:
        return self.columns.device_id

    @property
    def evaluation_id(self) -> str:
        """The same on every engine and in every replay: consumers drop repeats and see holes by it."""
        return f"{self.columns.device_id}/{self.columns.session_ms}/{self.seq}"

    @property
    def events(self) -> int:
        return self.end - self.start

    @property
    def newest_ms(self) -> int:
        return self.columns.times[self.end - 1]

    @property
    def oldest_ms(self) -> int:
        return self.columns.times[self.start]

    def window(self) -> Views:
        """Times (int64, ms), shape ``(events,)``, and their rows as bytes, ordered by time: read-only views."""
        columns, start, end = self.columns, self.start, self.end
        times, rows = columns.views  # what ``between`` does, in place: a call saved an event
        row_bytes = columns.row_bytes
        return times[start:end], rows[row_bytes * start : row_bytes * end]


class Rejection(NamedTuple):
    """An event that changed no window.

    Attributes:
        reason: why; from the core one of AHEAD_OF_CLOCK, TOO_LATE, DUPLICATE, WINDOW_FULL.
        event: the event, whole.
        arrival_ms: its arrival, clamped to the clock of the device if it went back.
        late_by_ms: how far it lies below the lower end of the window; 0 for any other reason than TOO_LATE.
    """

    reason: Reason
    event: Event
    arrival_ms: int
    late_by_ms: int = 0


Output: TypeAlias = Evaluation | Rejection
