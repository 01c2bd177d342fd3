"""Whether a run may begin from a saved state: decided here."""

from contextlib import nullcontext
from functools import singledispatch
from typing import Final

from dataflows.connectors.file_log import FileLog
from dataflows.connectors.kafka.log import KafkaLog
from dataflows.connectors.locations import STANDARD
from dataflows.connectors.log import Log
from dataflows.saved_state.origin import Origin
from runtime.errors import SettingsError
from window_core import SnapshotError

__all__ = ["check_fits"]

_ANEW: Final = "start anew with another --state"


def check_fits(origin: Origin, log: Log, name: str) -> None:
    """Check that a run of a log may begin from a state.

    Args:
        origin: of the state.
        log: of the run.
        name: of the state, for errors.
    Raises:
        SettingsError: the state is of another log, or of other sensors.
        SnapshotError: the file is not the one that was read.
    """
    sensors = log.identity()["sensors"]
    if origin.sensors != sensors:
        raise SettingsError(f"{name} is of a run with --sensors {origin.sensors}, not {sensors}")
    _check_log(log, origin, name)


@singledispatch
def _check_log(log: Log, origin: Origin, name: str) -> None:
    raise NotImplementedError(type(log))


@_check_log.register
def _check_topic(log: KafkaLog, origin: Origin, name: str) -> None:
    place = origin.log
    if place.topic != log.location.topic:
        raise SettingsError(f"{name} is of the {place}, and --input is the topic {log.location.topic}")
    if None not in (place.topic_id, log.topic_id) and place.topic_id != log.topic_id:
        raise SettingsError(
            f"{name} is of another topic that was named {log.location.topic}: it was deleted and made anew; {_ANEW}"
        )
    if len(origin.partitions) != log.partitions:
        raise SettingsError(
            f"{name} is of a topic of {len(origin.partitions)} partitions, and {log.location} has {log.partitions}: "
            f"devices are in other partitions; {_ANEW}"
        )


@_check_log.register
def _check_file(log: FileLog, origin: Origin, name: str) -> None:
    mark = origin.log.mark
    if mark is None:
        raise SettingsError(f"{name} is of the {origin.log}, and --input is the file {log.path}")
    if log.path == STANDARD:
        raise SettingsError(f"{name} is of the {origin.log}, and --input is standard input")
    with nullcontext() if log.is_plain else log.content() as content:
        is_same = mark.is_in(log.path, content)
    if not is_same:
        raise SnapshotError(
            f"--input {log.path} is not the file that {name} has read: the line that ended at byte {mark.size:,} is "
            "not there; bring the file back, or start anew"
        )
