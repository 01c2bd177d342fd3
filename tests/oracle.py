"""What a device must give, found by going through everything that ever happened to it, again for every single question.

Written from docs/rules.md and from nothing else. It is as slow and as obvious as it can be: its only state is the
list of what happened, and a window is made by replaying that list. Where the rules leave room, it reads them so:

- The clock of a device is the larger of the arrival of its last accepted event and its last fired tick. An arrival
  below it is clamped to it, in evaluations and rejections alike. A rejected event moves no clock.
- A device is forgotten by a record or by the clock at an instant that lies more than ``forget_after_ms`` after its last
  accepted arrival; of what was before, nothing matters from there on. Another spec may have it so from the start.
- A tick skipped in silence never fires later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import unpack
from zlib import crc32

from window_core import Evaluation, Event, Output, WindowSpec

__all__ = ["Oracle", "OracleEvaluation", "OracleOutput", "OracleRejection", "Row", "expected_outputs", "plain"]

Row = tuple[int | float, ...]
"""The time and the readings."""

_ABSENT = b"\x00\x00\xc0\x7f"


@dataclass(frozen=True)
class OracleEvaluation:
    cause: str
    event_ms: int | None
    as_of_ms: int
    evaluation_id: str
    window: tuple[Row, ...]


@dataclass(frozen=True)
class OracleRejection:
    reason: str
    event: Event
    arrival_ms: int
    late_by_ms: int


OracleOutput = OracleEvaluation | OracleRejection


@dataclass(frozen=True)
class _Accepted:
    event: Event
    arrival_ms: int


@dataclass(frozen=True)
class _Ticked:
    at_ms: int


@dataclass(frozen=True)
class _Forgotten:
    pass


@dataclass(frozen=True)
class _Governed:
    """From here on the device obeys this spec."""

    spec: WindowSpec


_History = list[_Accepted | _Ticked | _Forgotten | _Governed]


def expected_outputs(spec: WindowSpec, records: Iterable[tuple[Event, int]], until_ms: int) -> list[OracleOutput]:
    """All outputs of one device, from its records and the last instant up to which the clock ran."""
    records = list(records)
    if not records:
        return []
    oracle = Oracle(spec, records[0][0].device_id)
    outputs = [output for event, arrival_ms in records for output in oracle.on_event(event, arrival_ms)]
    return outputs + oracle.on_clock(until_ms)


def plain(output: Output) -> OracleOutput:
    """An output of the core in the form of the oracle's. Compare by ``repr``: 0.0 equals -0.0, their texts do not."""
    if isinstance(output, Evaluation):
        times, rows_of_all = output.window()
        size = len(rows_of_all) // len(times)
        assert len(rows_of_all) == size * len(times)
        rows = tuple(_row(time_ms, bytes(rows_of_all[size * row :][:size])) for row, time_ms in enumerate(times))
        assert output.events == len(rows)
        assert (output.oldest_ms, output.newest_ms) == (rows[0][0], rows[-1][0])
        assert output.evaluation_id == f"{output.device_id}/{output.columns.session_ms}/{output.seq}"
        return OracleEvaluation(output.cause, output.event_ms, output.as_of_ms, output.evaluation_id, rows)
    return OracleRejection(output.reason, output.event, output.arrival_ms, output.late_by_ms)


class Oracle:
    """One device. Each call gives the outputs of one step."""

    def __init__(self, spec: WindowSpec, device_id: str) -> None:
        self.device_id = device_id
        self.history: _History = [_Governed(spec)]

    def on_event(self, event: Event, arrival_ms: int) -> list[OracleOutput]:
        arrival_ms = max([arrival_ms, *_instants(_session(self.history))])
        outputs = self._ticks(arrival_ms - 1)
        self._forget(arrival_ms)
        rejection = _rejection(self.history, event, arrival_ms)
        if rejection is not None:
            return [*outputs, rejection]
        session = _session(self.history)
        late = any(event.time_ms < other.time_ms for other in _events(session))
        self.history.append(_Accepted(event, arrival_ms))
        return [*outputs, self._evaluation("late_event" if late else "event", event.time_ms, arrival_ms)]

    def on_clock(self, now_ms: int) -> list[OracleOutput]:
        outputs = self._ticks(now_ms)
        self._forget(now_ms)
        return outputs

    def on_restore(self, spec: WindowSpec) -> None:
        self.history.append(_Governed(spec))
        self._forget(max(_instants(_session(self.history)), default=0))

    @property
    def held(self) -> list[Event]:
        """The window; empty without a session."""
        return _window(self.history)

    @property
    def accepted_ms(self) -> int | None:
        """The instant since which the device is silent; none without a session."""
        return max(_arrivals(_session(self.history)), default=None)

    @property
    def times_forgotten(self) -> int:
        return sum(isinstance(happened, _Forgotten) for happened in self.history)

    def _ticks(self, last_ms: int) -> list[OracleOutput]:
        outputs: list[OracleOutput] = []
        for at_ms in _due_ticks(self.history, self.device_id, last_ms):
            self.history.append(_Ticked(at_ms))
            outputs.append(self._evaluation("tick", None, at_ms))
        return outputs

    def _forget(self, now_ms: int) -> None:
        session = _session(self.history)
        if _events(session) and now_ms - _last_accepted_ms(session) > _spec(self.history).forget_after_ms:
            self.history.append(_Forgotten())

    def _evaluation(self, cause: str, event_ms: int | None, as_of_ms: int) -> OracleEvaluation:
        session = _session(self.history)
        before = sum(isinstance(happened, _Accepted | _Ticked) for happened in session) - 1
        evaluation_id = f"{self.device_id}/{_arrivals(session)[0]}/{before}"
        rows = [_row(event.time_ms, event.row) for event in _window(self.history)]
        return OracleEvaluation(cause, event_ms, as_of_ms, evaluation_id, tuple(rows))


def _session(history: Sequence[object]) -> list[object]:
    """What happened since the device was last forgotten."""
    starts = [place + 1 for place, happened in enumerate(history) if isinstance(happened, _Forgotten)]
    return list(history[max(starts, default=0) :])


def _spec(history: Sequence[object]) -> WindowSpec:
    return [happened.spec for happened in history if isinstance(happened, _Governed)][-1]


def _events(session: Sequence[object]) -> list[Event]:
    return [happened.event for happened in session if isinstance(happened, _Accepted)]


def _arrivals(session: Sequence[object]) -> list[int]:
    return [happened.arrival_ms for happened in session if isinstance(happened, _Accepted)]


def _last_accepted_ms(session: Sequence[object]) -> int:
    return max(_arrivals(session))


def _instants(session: Sequence[object]) -> list[int]:
    """Every instant that the clock of the device has stood at."""
    return _arrivals(session) + [happened.at_ms for happened in session if isinstance(happened, _Ticked)]


def _window(history: Sequence[object]) -> list[Event]:
    """The events held now, ordered by time, those of the same time by arrival."""
    interval_ms = 0
    held: list[Event] = []
    for happened in history:
        if isinstance(happened, _Forgotten):
            held = []
        elif isinstance(happened, _Governed):
            interval_ms = happened.spec.interval_ms
        elif isinstance(happened, _Accepted):
            held.append(happened.event)
        if held:
            newest_ms = max(event.time_ms for event in held)
            held = [event for event in held if newest_ms - interval_ms <= event.time_ms <= newest_ms]
    return sorted(held, key=lambda event: event.time_ms)


def _rejection(history: _History, event: Event, arrival_ms: int) -> OracleRejection | None:
    """The first reason against an event, in the order of the table."""
    spec, window = _spec(history), _window(history)
    if event.time_ms > arrival_ms + spec.max_ahead_ms:
        return OracleRejection("AHEAD_OF_CLOCK", event, arrival_ms, 0)
    if not window:
        return None
    lower_end_ms = max(held.time_ms for held in window) - spec.interval_ms
    if event.time_ms < lower_end_ms:
        return OracleRejection("TOO_LATE", event, arrival_ms, lower_end_ms - event.time_ms)
    if any(_bits(held) == _bits(event) for held in window):
        return OracleRejection("DUPLICATE", event, arrival_ms, 0)
    window_with_it = _window([*history, _Accepted(event, arrival_ms)])
    evicts_none = len(window_with_it) == len(window) + 1
    if len(window) >= spec.max_events and evicts_none:
        return OracleRejection("WINDOW_FULL", event, arrival_ms, 0)
    return None


def _bits(event: Event) -> tuple[int, bytes]:
    return event.time_ms, event.row


def _row(time_ms: int, row: bytes) -> Row:
    """A row as numbers. An absent reading is one NaN and no other, so that rows may be compared bit for bit."""
    values = unpack(f"<{len(row) // 4}f", row)
    assert all(row[4 * place :][:4] == _ABSENT for place, value in enumerate(values) if value != value)
    return (time_ms, *values)


def _due_ticks(history: _History, device_id: str, last_ms: int) -> list[int]:
    """The ticks of the open session up to an instant that have not fired and that silence does not hold back."""
    spec, session = _spec(history), _session(history)
    if spec.tick_ms == 0 or not _events(session):
        return []
    accepted_ms = _last_accepted_ms(session)
    fired = [happened.at_ms for happened in session if isinstance(happened, _Ticked)]
    phase_ms = crc32(device_id.encode("utf-8")) % spec.tick_ms
    no_later_ms = min(last_ms, accepted_ms + spec.idle_after_ms)
    some_tick_before_ms = accepted_ms - accepted_ms % spec.tick_ms + phase_ms - spec.tick_ms
    instants = range(some_tick_before_ms, no_later_ms + 1, spec.tick_ms)
    return [at_ms for at_ms in instants if at_ms >= accepted_ms and all(at_ms > other for other in fired)]
