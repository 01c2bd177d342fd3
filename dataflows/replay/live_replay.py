"""A topic that goes on, through the pipeline as it grows: every output once, as far as the log reaches by now."""

from collections.abc import Callable, Container, Iterable, Iterator
from typing import Final

from dataflows.connectors.kafka.log import KafkaLog
from dataflows.pipeline.device import Device
from dataflows.pipeline.record import OutputRecord
from dataflows.replay.followed_log import FollowedLog
from dataflows.replay.replayed_log import Replayed, ReplayedLog
from dataflows.settings import RunSettings

__all__ = ["LiveReplay"]


class LiveReplay(ReplayedLog):
    """A replay whose ``outputs`` are those that the log has given since the last call."""

    def __init__(
        self, settings: RunSettings, devices: Container[str] = (), say: Callable[[str], None] = lambda _: None
    ) -> None:
        """Open the log. Arguments and errors are as of ``ReplayedLog``; the settings name a topic and not its end."""
        super().__init__(settings, devices, say)
        assert isinstance(self.log, KafkaLog)
        self._followed: Final = FollowedLog(self.log, say)
        self._readers: Final = [self.log.reader(number) for number in range(self.log.partitions)]
        self._held: Final[list[dict[str, Device]]] = [{} for _ in self._readers]

    def outputs(self, partitions: Iterable[int] | None = None) -> Iterator[Replayed]:
        """What is new, of all partitions; the ticks of each up to its own clock."""
        for records in self._followed.new():
            for record in records:
                number = record.partition
                found = self.read(self._readers[number], record)
                if isinstance(found, OutputRecord):
                    yield found
                elif found is not None:
                    devices, device_id = self._held[number], found.event.device_id
                    device = devices.get(device_id)
                    if device is None:
                        device = devices[device_id] = Device(self.spec, self.metrics, None, number)
                    yield from device.take(found)
        for number, reader in enumerate(self._readers):
            reader.count()
            clock_ms = self.clocks_ms[number] = reader.clock_ms
            if clock_ms is not None:
                yield from self._ticks(self._held[number], clock_ms - 1)  # the next may share its millisecond

    @staticmethod
    def _ticks(devices: dict[str, Device], now_ms: int) -> Iterator[Replayed]:
        """The ticks that are due; devices that have expired are dropped."""
        for device_id, device in list(devices.items()):
            wakeup_ms = device.next_wakeup_ms()
            if wakeup_ms is not None and wakeup_ms <= now_ms:
                yield from device.take(now_ms)
                wakeup_ms = device.next_wakeup_ms()
            if wakeup_ms is None:
                del devices[device_id]
