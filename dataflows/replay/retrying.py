"""Rejections once more: refused evaluations to the services, and INVALID records to the layout of events of today."""

from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dataflows.connectors.kafka.log import KafkaLog
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import LoggedEvent, OutputRecord, Record
from dataflows.replay.replayed_log import Replayed, ReplayedLog
from window_core import Evaluation

if TYPE_CHECKING:
    from dataflows.services.client import ServiceClient

__all__ = ["Invalid", "Rejections", "readable_events", "rejections_in", "retried"]


class Invalid(msgspec.Struct, frozen=True, gc=False):
    """An INVALID rejection.

    Attributes:
        position: of the record.
        arrival_ms: of the record, or the clock of its partition.
        error: what was wrong with it.
        size: of the record in bytes.
        raw: the first 64 KiB of it.
    """

    position: str
    arrival_ms: int | None
    error: str
    size: int
    raw: str

    @property
    def place(self) -> tuple[int, int]:
        """Partition and offset."""
        partition, offset = map(int, self.position.split("/"))
        return partition, offset


class Rejections(NamedTuple):
    """What can be tried again.

    Attributes:
        refused: the ids of refused evaluations, with their devices.
        invalid: by position, each once.
    """

    refused: dict[str, str]
    invalid: dict[str, Invalid]


class _Line(msgspec.Struct, gc=False):
    device_id: str | None
    reason: str
    evaluation_id: str | None = None


def rejections_in(lines: Iterable[bytes]) -> Rejections:
    """Those that can be tried again.

    Raises:
        msgspec.DecodeError: a line is no rejection.
    """
    found = Rejections({}, {})
    read, read_invalid = msgspec.json.Decoder(_Line).decode, msgspec.json.Decoder(Invalid).decode
    for line in lines:
        rejection = read(line)
        if rejection.reason == "REFUSED" and rejection.evaluation_id is not None:
            found.refused[rejection.evaluation_id] = rejection.device_id or ""
        elif rejection.reason == "INVALID":
            invalid = read_invalid(line)
            found.invalid[invalid.position] = invalid
    return found


def retried(replay: ReplayedLog, client: "ServiceClient", ids: Collection[str]) -> Iterator[OutputRecord]:
    """The outputs of these evaluations, as the services answer today.

    Args:
        replay: of the devices of the evaluations.
        client: of the services.
        ids: of the evaluations.
    Raises:
        ServiceError: a service failed.
        BrokerError: the records are gone meanwhile, or the broker is away.
    """

    def is_wanted(replayed: Replayed) -> bool:
        if isinstance(replayed, OutputRecord):
            return False
        output, _ = replayed
        return isinstance(output, Evaluation) and output.evaluation_id in ids

    return replay.records(client, wanted=is_wanted)


def readable_events(replay: ReplayedLog, invalid: Sequence[Invalid]) -> Iterator[LoggedEvent]:
    """The records that hold an event in the layout of the replay, in the order of their positions.

    A record of which the rejection holds a part is read from the log again.

    Raises:
        BrokerError: the records are gone meanwhile, or the broker is away.
    """
    log = replay.log
    ignores_key = isinstance(log, KafkaLog) and log.ignores_key
    tried = sorted((one for one in invalid if one.error != "key" or ignores_key), key=lambda one: one.place)
    whole = {one.position: b64decode(one.raw) for one in tried}
    whole |= _from_log(replay, [one for one in tried if one.size > len(whole[one.position])])
    readers = {partition: _reader(replay, partition) for partition, _ in (one.place for one in tried)}
    for one in tried:
        partition, offset = one.place
        reader = readers[partition]
        reader.resume(offset, one.arrival_ms)
        arrival_ms = one.arrival_ms if isinstance(log, KafkaLog) else None  # a line may have its own
        found = reader.read(Record(partition, offset, arrival_ms, b"", whole[one.position]))
        if isinstance(found, LoggedEvent):
            yield found


def _reader(replay: ReplayedLog, partition: int) -> PartitionReader:
    """A reader behind the header of a table. A rejection does not say which key its record had, so none is compared."""
    log = replay.log
    if isinstance(log, KafkaLog):
        return replace(log, ignores_key=True).reader(partition)
    reader = log.reader(partition)
    if (first := next(iter(log.records(partition)), None)) is not None and first.value is not None:
        reader.read_header(first.value)
    return reader


def _from_log(replay: ReplayedLog, cut: Sequence[Invalid]) -> dict[str, bytes]:
    """The whole values of records, by their positions."""
    wanted = {one.position for one in cut}
    return {
        record.position: record.value or b""
        for partition in {one.place[0] for one in cut}
        for record in replay.log.records(partition)
        if record.position in wanted
    }
