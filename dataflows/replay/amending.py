"""Follows a topic, and writes an amendment of each prediction that a late event has put in doubt.

At least once: the state is saved after everything before it was written and acknowledged. A file is cut to the size
that the state knows, so that it holds each amendment once.
"""

from collections.abc import Callable
from dataclasses import asdict
from os import SEEK_END, fsync
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Final

from dataflows.connectors.kafka.log import KafkaLog, opened_target
from dataflows.connectors.kafka.writer import TopicWriter
from dataflows.connectors.locations import STANDARD, Locations, is_kafka, is_parquet
from dataflows.connectors.log import opened_log
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import Record
from dataflows.replay.amendment_state import AmendmentState, Saved
from dataflows.replay.amendments import PartitionAmendments
from dataflows.replay.followed_log import FollowedLog
from dataflows.replay.moves import Moves
from dataflows.replay.revisions import Doubt, revised
from dataflows.services.client import ServiceClient
from dataflows.settings import RunSettings, WindowSettings
from runtime.durations import duration_text
from runtime.errors import SettingsError
from runtime.settings import options_of, setting_text
from runtime.written_files import naming

__all__ = ["Amending", "check_followed"]

_AT_ONCE: Final = 4_096
"""Predictions asked about together, each with two windows."""

_SAVE_EVERY_S: Final = 10.0
"""How much a process that died does again."""


def check_followed(settings: RunSettings, output: str, every_ms: int) -> None:
    """Check what needs no broker.

    Raises:
        SettingsError: the log has an end, or amendments cannot go there.
    """
    log = settings.log
    if not log.is_topic:
        raise SettingsError("amendments follow a topic: of a file, latecomer revise tells all of them")
    if log.has_end or log.until_ms is not None or log.end_offsets is not None:
        raise SettingsError("amendments follow a topic that goes on: of one with an end, latecomer revise tells them")
    if every_ms > settings.window.forget_after_ms:
        longest = duration_text(settings.window.forget_after_ms)
        raise SettingsError(
            f"amendments every {duration_text(every_ms)} are too rare: a device expires after {longest}, --forget-after"
        )
    if output == STANDARD or is_parquet(output):
        raise SettingsError(f"amendments go to a file of JSON lines or a topic, not to {output}")
    if output in (log.input, settings.outputs.predictions, settings.outputs.rejections):
        raise SettingsError(f"amendments cannot go to {output}: it is the input or another output")
    if not is_kafka(output) and (Path(output).is_dir() or not Path(output).parent.is_dir()):
        raise SettingsError(f"amendments cannot go to {output}: it is no file in a folder that exists")


class Amending:
    """Reads what is new in a topic, and amends what it puts in doubt.

    Attributes:
        metrics: what was counted while the log was read.
        moves: how far predictions have moved, an amendment each.
        records: how many were read.
    """

    def __init__(
        self, settings: RunSettings, output: str, every_ms: int, state: str | None, say: Callable[[str], None]
    ) -> None:
        """Open the log, the output and the state; nothing is read yet.

        Args:
            settings: of the run, its log without an end.
            output: where amendments go: a file of lines, or a topic.
            every_ms: the pause between two amendments of one prediction, by the clock of the log.
            state: the file of the state; ``None``: it begins with the first record, and keeps none.
            say: takes a line for the user.
        Raises:
            SettingsError: there is no such log or output, or the state belongs to another one.
            SnapshotError: the state is damaged.
            BrokerError: the broker is away.
        """
        assert settings.log.input is not None
        self.metrics: Final = Metrics(say)
        self.moves: Final = Moves()
        self.records = 0
        log = opened_log(settings, Locations(settings.log.input, STANDARD, STANDARD, False), self.metrics, say)
        assert isinstance(log, KafkaLog)
        self._identity: Final = _identity(log, settings, output, every_ms)
        self._state: Final = AmendmentState(state)
        saved = self._state.read(self._identity)
        self._followed: Final = FollowedLog(log, say)
        self._partitions: Final = [
            PartitionAmendments(
                number,
                log.reader(number),
                settings.window.spec,
                every_ms,
                self.metrics,
                None if saved is None else saved.partitions[number],
            )
            for number in range(log.partitions)
        ]
        self._followed.resume({number: one.next_offset for number, one in enumerate(self._partitions)})
        self._output: Final = _Output(output, settings, 0 if saved is None else saved.written_bytes, say)
        self._save_s = monotonic() + _SAVE_EVERY_S

    def look(self, client: ServiceClient, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Read what is new, and write what has to be amended.

        Args:
            client: of the services.
            is_stopped: asked now and then: whether to leave the rest.

        Raises:
            ServiceError: a service failed.
            BrokerError: records are gone, or the broker is away.
            OSError: a file cannot be written.
        """
        for records in self._followed.new():
            self._take(records, client)
            if monotonic() >= self._save_s:
                self.save()
            if is_stopped():
                break
        for partition in self._partitions:
            partition.count()
        self._output.settle()
        if monotonic() >= self._save_s:
            self.save()

    def save(self) -> None:
        """See that all is written, and save how far it has come. Raises as ``look`` does."""
        written_bytes = self._output.settle()
        partitions = [partition.saved() for partition in self._partitions]
        self._state.write(Saved(self._identity, written_bytes, partitions))
        self._save_s = monotonic() + _SAVE_EVERY_S

    def _take(self, records: list[Record], client: ServiceClient) -> None:
        doubts: list[Doubt] = []
        for record in records:
            doubts += self._partitions[record.partition].take(record)
            if len(doubts) >= _AT_ONCE:
                self._amend(doubts, client)
                doubts = []
        self._amend(doubts, client)
        self.records += len(records)

    def _amend(self, doubts: list[Doubt], client: ServiceClient) -> None:
        for revision in revised(client, doubts):
            line = revision.encoded(self.moves.take(revision.was, revision.now))
            self._output.write(line, revision.doubt.was.device_id)


class _Output:
    """A topic, or a file that is cut to what a state knows of it."""

    def __init__(self, place: str, settings: RunSettings, written_bytes: int, say: Callable[[str], None]) -> None:
        self._place: Final = place
        self._topic: TopicWriter | None = None
        self._file: BinaryIO | None = None
        if is_kafka(place):
            target = opened_target("--output", place, settings, say)
            self._topic = TopicWriter(target.location, target.properties, target.max_message_bytes)
            return
        with naming(place):
            file = self._file = Path(place).open("r+b" if written_bytes else "wb")  # noqa: SIM115 - to the end
            if file.seek(0, SEEK_END) < written_bytes:
                raise SettingsError(f"--output {place} is shorter than when --state was saved: name another --state")
            file.truncate(written_bytes)
            file.seek(written_bytes)
        self._settled_bytes = written_bytes

    def write(self, line: bytes, device_id: str) -> None:
        if self._topic is not None:
            self._topic.write(line, device_id.encode())
            self._topic.look()
        elif self._file is not None:
            with naming(self._place):
                self._file.write(line + b"\n")

    def settle(self) -> int:
        """See that all is written; gives the size of a file."""
        if self._topic is not None:
            self._topic.settle()
        if self._file is None:
            return 0
        if (size := self._file.tell()) > self._settled_bytes:
            with naming(self._place):
                self._file.flush()
                fsync(self._file.fileno())
            self._settled_bytes = size
        return size


def _identity(log: KafkaLog, settings: RunSettings, output: str, every_ms: int) -> dict[str, str]:
    """What a state belongs to: with another of these, amendments would be other ones."""
    place = output if is_kafka(output) else str(Path(output).resolve())
    values = asdict(settings.window)
    window = {option.flag: setting_text(option, values[option.name]) for option in options_of(WindowSettings)}
    return {**log.identity(), "--output": place, "--every": duration_text(every_ms), **window}
