"""Makes the log of a difference small: each round tries many smaller logs, all in one job."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from tests.parity.engines import EngineRun
from tests.parity.jobs import Job
from tests.parity.logs import EventRecord, Heartbeat, Log, OddRecord
from tests.parity.suite import Finding, judged, prepared
from tests.parity.surroundings import Surroundings

__all__ = ["shrunk", "shrunk_by"]

_ROUNDS: Final = 10
"""Jobs that a difference is worth at most: half a dozen make 45 records a handful."""

_SMALL: Final = 3
"""Records that nobody wants fewer of."""

_SUSPECTS: Final = 8
"""Logs of a job that are looked at: an error that shows in many shows in these."""


def shrunk(finding: Finding, around: Surroundings, known: Sequence[Log] = ()) -> tuple[Log, Finding] | None:
    """The smallest log found that shows a difference alone among its like, and what it shows.

    ``None``: no log does so on its own; the job as a whole is what shows it.

    Args:
        finding: what a run gave.
        around: what stood around it.
        known: small logs that other differences were shown by; they are tried first.
    """
    run = finding.run
    if run is None or not finding.suspects:
        return None
    job = replace(finding.job.job, has_until=False, runs=(run,))

    def fails(candidates: Sequence[Log]) -> list[bool]:
        found = judged(prepared(job, candidates, around.asked), run, around)[1]
        suspects = set(found.suspects) if found is not None else set()
        return [number in suspects for number in range(len(candidates))]

    logs = [finding.job.logs[number] for number in finding.suspects[:_SUSPECTS]]
    smallest = shrunk_by(fails, [*known, *logs])
    return None if smallest is None else _alone(job, smallest, run, around)


def _alone(job: Job, log: Log, run: EngineRun, around: Surroundings) -> tuple[Log, Finding] | None:
    """What one log shows in a job of its own; where it needs company, beside copies of itself."""
    for copies in (1, 8):
        found = judged(prepared(job, [log] * copies, around.asked), run, around)[1]
        if found is not None and found.difference is not None:
            return log, found
    return None


def shrunk_by(fails: Callable[[Sequence[Log]], list[bool]], logs: Sequence[Log]) -> Log | None:
    """The smallest log that still fails.

    Args:
        fails: which of many logs fail; called a handful of times.
        logs: some that did.
    """
    logs = [log for log, failed in zip(logs, fails(logs), strict=True) if failed]
    if not logs:
        return None
    smallest = min(logs, key=len)
    for _ in range(_ROUNDS if len(smallest) > _SMALL else 0):
        candidates = list(dict.fromkeys(_smaller(smallest)))
        verdicts = fails(candidates) if candidates else []
        failing = [log for log, failed in zip(candidates, verdicts, strict=True) if failed]
        if not failing:
            return smallest
        together = _together(smallest, failing)
        smallest = min(failing, key=_size)
        if len(together) < len(smallest) and fails([together])[0]:
            smallest = together
    return smallest


def _smaller(log: Log) -> Iterator[Log]:
    """Logs with a part left out, from halves down to single records, and one with every record made plain."""
    plain = tuple(_plain(record) for record in log)
    if plain != log:
        yield plain
    size = len(log) // 2
    while size:
        for start in range(0, len(log), size):
            rest = log[:start] + log[start + size :]
            if rest:
                yield rest
        size //= 2


def _plain(record: EventRecord | OddRecord | Heartbeat) -> EventRecord | OddRecord | Heartbeat:
    if isinstance(record, EventRecord):
        return record._replace(form=0, readings=("1",) * len(record.readings), says_arrival=True)
    return record


def _together(log: Log, failing: Sequence[Log]) -> Log:
    """The log without every record that can be left out alone."""
    singles = {index for index in range(len(log)) if log[:index] + log[index + 1 :] in failing}
    return tuple(record for index, record in enumerate(log) if index not in singles) or log


def _size(log: Log) -> tuple[int, int]:
    return len(log), sum(isinstance(record, EventRecord) and record != _plain(record) for record in log)
