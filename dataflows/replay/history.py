"""What the records of one device did up to a moment, and what came after it."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dataflows.pipeline.device import Device
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import LoggedEvent, OutputRecord
from dataflows.replay.moments import AtInstant, AtPosition, Moment, OfEvaluation
from window_core import Columns, Evaluation, Output, Rejection, WindowSpec

__all__ = ["Accepted", "History", "Rejected", "rows_of", "with_later"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that the window took, and how far it was behind newest then; 0 if it was not late."""

    logged: LoggedEvent
    behind_ms: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that changed no window.

    Attributes:
        position: where it is.
        reason: why.
        arrival_ms: when the log accepted it; of an INVALID record ``None`` if that is not known.
        rejection: what the window gave; ``None`` for an INVALID record.
        invalid: the output of an INVALID record.
    """

    position: str
    reason: str
    arrival_ms: int | None
    rejection: Rejection | None = None
    invalid: dict[str, Any] | None = None

    @classmethod
    def of_invalid(cls, record: OutputRecord) -> "Rejected":
        """An INVALID record."""
        fields = msgspec.json.decode(record.value)
        return cls(fields["position"], fields["reason"], fields["arrival_ms"], invalid=fields)


@dataclass
class History:
    """Takes the records of a device in their order, and finds a moment.

    Attributes:
        spec: the numbers of the window.
        moment: what is looked for.
        evaluation: the window at that moment; where a record was rejected, the window that did not take it, if any.
        position: of the record that brought the moment about; ``None`` for a tick or an instant.
        rejected: what that record gave, if no window took it.
        accepted: what the window took up to the moment.
        later: the events that came after it, in the order of their arrival.
        rejections: everything that no window took.
        sessions: of each session the number of its evaluations, by the arrival that opened it.
    """

    spec: WindowSpec
    moment: Moment
    evaluation: Evaluation | None = None
    position: str | None = None
    rejected: Rejected | None = None
    accepted: list[Accepted] = field(default_factory=list)
    later: list[LoggedEvent] = field(default_factory=list)
    rejections: list[Rejected] = field(default_factory=list)
    sessions: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._device = Device(self.spec, Metrics())
        self._has_passed = False

    @property
    def is_found(self) -> bool:
        """Whether the moment was met."""
        return self.evaluation is not None or self.rejected is not None

    def take(self, found: LoggedEvent | OutputRecord) -> None:
        """The next record of the device."""
        if isinstance(found, OutputRecord):
            rejected = Rejected.of_invalid(found)
            self.rejections.append(rejected)
            if isinstance(self.moment, AtPosition) and rejected.position == str(self.moment):
                self.rejected, self.position = rejected, rejected.position
            return
        if isinstance(self.moment, AtInstant) and found.arrival_ms > self.moment.at_ms:
            self._pass(self.moment.at_ms)
        *ticks, (output, position) = self._device.take(found)
        for tick, _ in ticks:
            self._see(tick, None)
        if self.is_found:
            self.later.append(found)
        elif isinstance(output, Evaluation):
            self.accepted.append(Accepted(found, output.newest_ms - found.event.time_ms))
        self._see(output, position)

    def end(self, end_ms: int | None) -> None:
        """The log has no more records; its clock runs to this instant."""
        if isinstance(self.moment, AtInstant):
            self._pass(self.moment.at_ms)
        for tick, _ in self._device.take(end_ms) if end_ms is not None else ():
            self._see(tick, None)

    def _pass(self, at_ms: int) -> None:
        """The clock comes to the instant that is looked for."""
        if not self._has_passed:
            self._has_passed = True
            for tick, _ in self._device.take(at_ms):
                self._see(tick, None)
            self.evaluation = self._device.evaluated_at(at_ms)

    def _see(self, output: Output, position: str | None) -> None:
        is_position = isinstance(self.moment, AtPosition) and position == str(self.moment)
        if isinstance(output, Rejection):
            assert position is not None  # a tick is never rejected
            rejected = Rejected(position, output.reason, output.arrival_ms, output)
            self.rejections.append(rejected)
            if is_position:
                self.rejected, self.position = rejected, position
                self.evaluation = self._device.evaluated_at(output.arrival_ms)
            return
        session_ms = output.columns.session_ms
        self.sessions[session_ms] = output.seq + 1
        if is_position or (isinstance(self.moment, OfEvaluation) and output.evaluation_id == str(self.moment)):
            self.evaluation, self.position = output, position


def with_later(
    evaluation: Evaluation, later: Iterable[LoggedEvent], interval_ms: int
) -> tuple[Evaluation, list[LoggedEvent]]:
    """A window with the events that belong into it and arrived after it, and which these are.

    Args:
        evaluation: the window.
        later: events of its device, in the order of their arrival.
        interval_ms: length of the window.
    """
    times, rows = rows_of(evaluation)
    held = set(zip(times, rows, strict=True))
    belonging = []
    for logged in later:
        event = logged.event
        is_inside = evaluation.newest_ms - interval_ms <= event.time_ms <= evaluation.newest_ms
        if is_inside and (event.time_ms, event.row) not in held:
            held.add((event.time_ms, event.row))
            belonging.append(logged)
            at = bisect_right(times, event.time_ms)
            times.insert(at, event.time_ms)
            rows.insert(at, event.row)
    columns = evaluation.columns
    merged = Columns(
        columns.device_id, columns.session_ms, array("q", times), bytearray(b"".join(rows)), columns.row_bytes
    )
    return evaluation._replace(columns=merged, start=0, end=len(times)), belonging


def rows_of(evaluation: Evaluation) -> tuple[list[int], list[bytes]]:
    """The times of a window, and the row of readings at each."""
    times, rows = evaluation.window()
    row_bytes = evaluation.columns.row_bytes
    return list(times), [bytes(rows[row_bytes * number : row_bytes * (number + 1)]) for number in range(len(times))]
