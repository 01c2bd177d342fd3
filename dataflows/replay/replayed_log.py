"""A log, or a part of its devices, through the pipeline once more: in a plain loop, without an engine and a state."""

from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from dataflows.connectors.kafka.log import KafkaLog
from dataflows.connectors.locations import STANDARD, Locations, sample_beside
from dataflows.connectors.log import Log, opened_log
from dataflows.pipeline.device import Device, LocatedOutput
from dataflows.pipeline.event_codec import PlainEvents
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import LoggedEvent, OutputRecord, Record
from dataflows.settings import RunSettings
from runtime.errors import SettingsError
from runtime.settings import changed
from window_core import MAX_TIME_MS, WindowSpec

if TYPE_CHECKING:  # these take longer to load than many a log to read: they are, where they are needed
    from dataflows.services.client import ServiceClient, Services

__all__ = ["Replayed", "ReplayedLog", "Step"]

Replayed: TypeAlias = LocatedOutput | OutputRecord
"""An output of a window with its position, or the rejection of an INVALID record."""

Step: TypeAlias = tuple[LoggedEvent | OutputRecord | None, list[LocatedOutput]]
"""What was read, or ``None`` for the end of the log, and what a device gave."""

_OUTPUTS_AT_ONCE: Final = 8_192
"""Asked about together: several requests, each of a thousand windows."""


class ReplayedLog:
    """A bounded log and the settings of a run on it.

    Attributes:
        settings: those of the run; a topic is read up to its present end.
        log: the log.
        metrics: what was counted while it was read.
        end_ms: of each partition that was read to its end, the instant up to which its clock ran, if it has a clock.
        clocks_ms: of each, the largest arrival that it has shown.
    """

    def __init__(
        self,
        settings: RunSettings,
        devices: Container[str] = (),
        say: Callable[[str], None] = lambda _: None,
        *,
        own_clocks: bool = False,
    ) -> None:
        """Open the log; nothing is read yet.

        Args:
            settings: of the run that is looked at, as ``RunSettings.of_replay`` gives them. Default of the input: the
                sample of a run without options.
            devices: those whose outputs are wanted; empty: all, and INVALID records, which are of none.
            say: takes a line for the user.
            own_clocks: of a topic of which no end is given, the clock of each partition runs to just before its own
                last arrival, and not to the last arrival of all, which may be a long search.
        Raises:
            SettingsError: there is no such log.
            BrokerError: the broker is away.
            InputError: the file is of another format.
        """
        path = settings.log.input or sample_beside(settings.outputs.predictions)
        if path == STANDARD:
            raise SettingsError("--input -: standard input cannot be read a second time; give a file or a topic")
        if not settings.log.is_topic and not Path(path).is_file():
            hint = "" if settings.log.input else "; `latecomer run` makes it, or name a log"
            raise SettingsError(f"--input {path} does not exist{hint}")
        self.settings: Final = changed(settings, input=path)
        self.metrics: Final = Metrics()
        self._own_clocks: Final = own_clocks and settings.log.is_topic and settings.log.last_instant_ms is None
        opened = changed(self.settings, until_ms=MAX_TIME_MS) if self._own_clocks else self.settings
        self.log: Final[Log] = opened_log(opened, Locations(path, STANDARD, STANDARD, False), self.metrics, say)
        if self.lost:
            say(f"{path} begins at {self.lost}: what was before is gone, and windows that reached back there lack it")
        self.end_ms: Final[dict[int, int | None]] = {}
        self.clocks_ms: Final[dict[int, int | None]] = {}
        self._devices: Final = devices
        self._is_keyed: Final = isinstance(self.log, KafkaLog) and not self.log.ignores_key

    @property
    def spec(self) -> WindowSpec:
        """The numbers of the windows."""
        return self.settings.window.spec

    @property
    def lost(self) -> str:
        """The first positions of a topic that no longer has the records before them; empty: nothing is lost."""
        firsts = self.log.first_offsets if isinstance(self.log, KafkaLog) else ()
        return ", ".join(f"{number}/{first}" for number, first in enumerate(firsts) if first)

    def events(self, partition: int) -> Iterator[LoggedEvent | OutputRecord]:
        """The wanted devices' events in a partition; where all are wanted, also rejections of its INVALID records.

        Raises:
            BrokerError: the records are gone meanwhile, or the broker is away.
        """
        wanted, reader = self._devices, self.log.reader(partition)
        for found in reader.read_many(self._records(partition)):
            if found is not None and (not wanted or _is_of(found, wanted)):
                yield found
        self._count(partition, reader)

    def columns(self, partition: int) -> Iterator[PlainEvents]:
        """The events of a partition as columns, in the order of the log; those of other devices may be among them.

        Raises:
            BrokerError: the records are gone meanwhile, or the broker is away.
        """
        reader = self.log.reader(partition)
        yield from reader.read_columns(self._records(partition))
        self._count(partition, reader)

    def _records(self, partition: int) -> Iterator[Record]:
        return map(self._narrowed, self.log.records(partition))

    def _count(self, partition: int, reader: PartitionReader) -> None:
        """A partition was read to its end."""
        reader.count()
        self.ended(partition, reader)

    def _narrowed(self, record: Record) -> Record:
        """A record or, where its key tells that its device is not wanted, a heartbeat: that moves the clock."""
        key = record.key if self._is_keyed else None
        if key is None or not self._devices or key.decode(errors="replace") in self._devices:
            return record
        return record.as_heartbeat()

    def read(self, reader: PartitionReader, record: Record) -> LoggedEvent | OutputRecord | None:
        """What a record holds, if that is wanted."""
        found = reader.read(self._narrowed(record))
        return found if found is not None and (not self._devices or _is_of(found, self._devices)) else None

    def ended(self, partition: int, reader: PartitionReader) -> None:
        """A partition was read to its end: note how far its clock runs."""
        clock_ms = self.clocks_ms[partition] = reader.clock_ms
        if self._own_clocks:
            self.end_ms[partition] = None if clock_ms is None else clock_ms - 1  # the next may share its millisecond
        else:
            self.end_ms[partition] = self.log.end_ms(clock_ms)

    def outputs(self, partitions: Iterable[int] | None = None) -> Iterator[Replayed]:
        """The outputs of the wanted devices, unasked: those of a device in their order, partition by partition.

        Args:
            partitions: those that are read; default: all.
        Raises:
            BrokerError: the records are gone meanwhile, or the broker is away.
        """
        for partition in range(self.log.partitions) if partitions is None else partitions:
            for read, outputs in self.steps(partition):
                if isinstance(read, OutputRecord):
                    yield read
                yield from outputs

    def steps(self, partition: int) -> Iterator[Step]:
        """The same for one partition, with what brought each output about.

        Raises:
            BrokerError: the records are gone meanwhile, or the broker is away.
        """
        devices: dict[str, Device] = {}
        for found in self.events(partition):
            if isinstance(found, OutputRecord):
                yield found, []
                continue
            device = devices.get(found.event.device_id)
            if device is None:
                device = devices[found.event.device_id] = Device(self.spec, self.metrics)
            yield found, device.take(found)
        end_ms = self.end_ms[partition]
        if end_ms is not None:
            for device in devices.values():
                yield None, device.take(end_ms)

    @contextmanager
    def asking(
        self, services_of: "Callable[[RunSettings], AbstractContextManager[Services]] | None" = None
    ) -> "Iterator[ServiceClient]":
        """A client of the services of the run, which are started if none are named, for the time of the context.

        Args:
            services_of: how: by ``services_here``; default: as processes.
        Raises:
            ServiceError: they cannot be asked.
        """
        from dataflows.services import client, embedded

        with (
            (services_of or embedded.services_of)(self.settings) as services,
            closing(client.ServiceClient(services, self.settings, self.metrics)) as asked,
        ):
            asked.check()
            yield asked

    def records(
        self,
        client: "ServiceClient",
        partitions: Iterable[int] | None = None,
        wanted: Callable[[Replayed], bool] = lambda _: True,
    ) -> Iterator[OutputRecord]:
        """The outputs as a run writes them, the services asked many at once.

        Args:
            client: of the services.
            partitions: those that are read; default: all.
            wanted: which outputs are; the services are not asked about the rest.
        Raises:
            ServiceError: a service failed.
            BrokerError: the records are gone meanwhile, or the broker is away.
        """
        from dataflows.pipeline.prediction_step import PredictionStep

        step = PredictionStep(client, self.settings.log.layout.sensors, self.metrics)
        outputs = filter(wanted, self.outputs(partitions))
        while batch := list(islice(outputs, _OUTPUTS_AT_ONCE)):
            yield from (one for one in batch if isinstance(one, OutputRecord))
            yield from step.records([one for one in batch if not isinstance(one, OutputRecord)])


def _is_of(found: LoggedEvent | OutputRecord, devices: Container[str]) -> bool:
    return isinstance(found, LoggedEvent) and found.event.device_id in devices
