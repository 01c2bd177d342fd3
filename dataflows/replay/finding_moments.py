"""Finds a moment in a log: in one partition, if it is where the default partitioners put its device."""

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from dataflows.connectors.kafka.log import KafkaLog
from dataflows.pipeline.first_records import InputError
from dataflows.pipeline.record import LoggedEvent, OutputRecord, Record
from dataflows.replay.history import History, Rejected
from dataflows.replay.moments import AtInstant, AtPosition, Moment, OfEvaluation, device_records, first_positions
from dataflows.replay.partitioners import likely_partitions
from dataflows.replay.replayed_log import ReplayedLog

__all__ = ["MissingError", "found_moment"]

_NEAREST: Final = 3


class MissingError(InputError):
    """The moment is not in the log. The message names what is near."""


def found_moment(replay: ReplayedLog, moment: Moment) -> History:
    """The history of the device up to the moment and after it.

    Raises:
        MissingError: the log has no such moment.
        BrokerError: the records are gone meanwhile, or the broker is away.
    """
    if isinstance(moment, AtPosition):
        found = _record_at(replay, moment)
        if isinstance(found, Rejected):
            return History(replay.spec, moment, position=found.position, rejected=found)
        histories = _histories(replay, moment, found, [moment.partition])
    else:
        histories = _histories(
            replay, moment, moment.device_id, likely_partitions(moment.device_id, replay.log.partitions)
        )
    others: set[str] = set()
    known = None
    for history, met in histories:
        if history.is_found:
            return history
        others |= met
        known = history if history.sessions or history.rejections else known
    gone = f"; the log begins at {replay.lost}, and what was before is gone" if replay.lost else ""
    raise MissingError(f"{moment} is not in {replay.settings.log.input}: {_near(moment, known, others)}{gone}")


def _histories(
    replay: ReplayedLog, moment: Moment, device_id: str, partitions: Iterable[int]
) -> "Iterable[tuple[History, set[str]]]":
    for partition in partitions:
        history, others = History(replay.spec, moment), set[str]()
        for found in device_records(replay, partition, device_id, others):
            history.take(found)
        history.end(replay.end_ms.get(partition))
        yield history, others


def _record_at(replay: ReplayedLog, moment: AtPosition) -> str | Rejected:
    """The device of a record, or the rejection of a record that is of none."""
    partition, offset = moment
    log = replay.log
    where = replay.settings.log.input
    if partition >= log.partitions:
        raise MissingError(f"{moment} is not in {where}: its partitions are 0 to {log.partitions - 1}")
    if offset < (first := first_positions(replay)[partition]):
        raise MissingError(f"{moment} is no longer in {where}: its first record there is {partition}/{first}")
    reader, last = log.reader(partition), None
    for record in _records_from(replay, moment):
        last = record
        if record.offset >= offset:
            break
        if record.offset == 0:
            reader.read(record)  # a table has a header
    if last is None or last.offset != offset:
        end = "" if last is None else f"; the nearest record is {last.position}"
        raise MissingError(f"{moment} is not in {where}: no record has this position{end}")
    found = reader.read(last)
    if found is None:
        raise MissingError(f"{moment} holds no event: it is a heartbeat, a header, a blank line, or behind --until")
    return found.event.device_id if isinstance(found, LoggedEvent) else _of_invalid(replay, last, found)


def _of_invalid(replay: ReplayedLog, record: Record, found: OutputRecord) -> str | Rejected:
    is_keyed = isinstance(replay.log, KafkaLog) and not replay.log.ignores_key
    try:
        device_id = (record.key or b"").decode() if is_keyed else ""
    except UnicodeDecodeError:
        device_id = ""
    return device_id or Rejected.of_invalid(found)


def _records_from(replay: ReplayedLog, moment: AtPosition) -> Iterable[Record]:
    """The records of the partition, from near the position on where one can go there."""
    log = replay.log
    if isinstance(log, KafkaLog):
        assert log.bounded is not None
        if moment.offset >= log.bounded.end_offsets[moment.partition]:
            return ()
        starts = tuple(moment.offset if number == moment.partition else 0 for number in range(log.partitions))
        log = replace(log, first_offsets=starts)
    return log.records(moment.partition)


def _near(moment: Moment, known: History | None, others: set[str]) -> str:
    """What the log has in its place."""
    if known is None:
        device_id = "" if isinstance(moment, AtPosition) else moment.device_id
        close = sorted(get_close_matches(device_id, others, _NEAREST, 0.5) or sorted(others)[:_NEAREST])
        return "there is no such device" + (f"; there are {', '.join(close)}" if close else "")
    if isinstance(moment, AtInstant):
        return "the device has no window then" + _sessions(known, moment.at_ms)
    assert isinstance(moment, OfEvaluation)
    if moment.session_ms in known.sessions:
        last = known.sessions[moment.session_ms] - 1
        return f"the last evaluation of this session is {moment.device_id}/{moment.session_ms}/{last}"
    return "the device has no such session" + _sessions(known, moment.session_ms)


def _sessions(known: History, near_ms: int) -> str:
    nearest = sorted(known.sessions, key=lambda session_ms: abs(session_ms - near_ms))[:_NEAREST]
    if not nearest:
        return "; all its events were rejected"
    named = (f"{session_ms}/0 to {known.sessions[session_ms] - 1}" for session_ms in nearest)
    return f"; the nearest sessions and their evaluations: {', '.join(named)}"
