"""Which moment of a device is asked about: an evaluation, a record of the log, or an instant; and where it is."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

from dataflows.connectors.kafka.log import KafkaLog
from dataflows.pipeline.record import LoggedEvent, OutputRecord, Record
from dataflows.replay.replayed_log import ReplayedLog
from runtime.errors import SettingsError

__all__ = ["AtInstant", "AtPosition", "Moment", "OfEvaluation", "device_records", "first_positions", "moment_of"]

_POSITION: Final = re.compile(r"([0-9]{1,9})/([0-9]{1,18})")
_EVALUATION: Final = re.compile(r"(.+)/([0-9]{1,15})/([0-9]{1,18})", re.DOTALL)


class OfEvaluation(NamedTuple):
    """An evaluation, by its id."""

    device_id: str
    session_ms: int
    seq: int

    def __str__(self) -> str:
        return f"{self.device_id}/{self.session_ms}/{self.seq}"


class AtPosition(NamedTuple):
    """What a record of the log gave."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


class AtInstant(NamedTuple):
    """The window of a device as it was at an instant of the clock of arrivals."""

    device_id: str
    at_ms: int

    def __str__(self) -> str:
        return f"{self.device_id} at {self.at_ms}"


Moment: TypeAlias = OfEvaluation | AtPosition | AtInstant


def moment_of(text: str, at_ms: int | None) -> Moment:
    """The moment that a user names.

    Raises:
        SettingsError: it is none.

    >>> moment_of("a/b/1587920555275/3", None)
    OfEvaluation(device_id='a/b', session_ms=1587920555275, seq=3)
    """
    if at_ms is not None:
        return AtInstant(text, at_ms)
    if position := _POSITION.fullmatch(text):
        return AtPosition(int(position[1]), int(position[2]))
    if evaluation := _EVALUATION.fullmatch(text):
        return OfEvaluation(evaluation[1], int(evaluation[2]), int(evaluation[3]))
    raise SettingsError(
        f"{text} is no evaluation id (DEVICE/MS/NUMBER) and no position (PARTITION/OFFSET); of a device give the time, "
        "too: --at"
    )


def first_positions(replay: ReplayedLog) -> tuple[int, ...]:
    """The first offset of each partition that the log still holds."""
    return replay.log.first_offsets if isinstance(replay.log, KafkaLog) else (0,)


def device_records(
    replay: ReplayedLog, partition: int, device_id: str, others: set[str]
) -> Iterator[LoggedEvent | OutputRecord]:
    """The events of one device in a partition, and the rejections of its INVALID records as far as their key tells.

    Where keys are device ids, the records of other devices are not decoded.

    Args:
        replay: of the log.
        partition: where to look.
        device_id: the device.
        others: takes the ids of other devices that were met.
    Raises:
        BrokerError: the records are gone meanwhile, or the broker is away.
    """
    log, reader, key = replay.log, replay.log.reader(partition), device_id.encode()
    is_keyed = isinstance(log, KafkaLog) and not log.ignores_key
    keys: set[bytes | None] = set()

    def narrowed(record: Record) -> Record:
        keys.add(record.key)
        return record if record.key == key else record.as_heartbeat()

    records = log.records(partition)
    for found in reader.read_many(map(narrowed, records) if is_keyed else records):
        if isinstance(found, LoggedEvent) and found.event.device_id != device_id:
            others.add(found.event.device_id)
        elif found is not None and (is_keyed or isinstance(found, LoggedEvent)):
            yield found
    others.update(one.decode(errors="replace") for one in keys - {key} if one)
    replay.ended(partition, reader)
