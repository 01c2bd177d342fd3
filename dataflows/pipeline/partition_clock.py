"""The arrival watermark of one partition, brought to its devices in one order with their records.

The source of a partition asks here, before each record, which devices are due. So an instant of the clock reaches a
device before every record behind it, and never before one in front of it. Nothing here follows the machine's clock.
"""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from dataflows.pipeline.record import LoggedEvent
from window_core import DeviceWindow, Evaluation, WindowSpec, next_wakeup_ms

__all__ = ["PartitionClock"]


class PartitionClock:
    """Knows the devices of a partition, and when each has something due.

    It takes every record of a device that has a window for an accepted one, so it may call a device for nothing, and
    never too late. A device that has none becomes known by an accepted event only: a rejected one makes no state.
    """

    def __init__(self, spec: WindowSpec) -> None:
        self._spec = spec
        self._now_ms = -1
        self._heard_ms: dict[str, int] = {}  # the arrival of each device's last record
        self._due_ms: dict[str, int] = {}  # the instant at which each is called next
        self._tickless: set[str] = (
            set()
        )  # devices whose next deadline is expiry; a new event may bring a tick before it
        self._calls: list[tuple[int, str]] = []  # a heap of these; one that is no longer due is passed over

    def due_before(self, arrival_ms: int) -> Iterable[tuple[str, int]]:
        """The devices with something due before a record of this arrival, and the watermark to call them with."""
        return self.due_at(arrival_ms - 1)  # the next record may share the millisecond of this one

    def due_at(self, now_ms: int) -> Iterable[tuple[str, int]]:
        """The devices with something due at an arrival watermark, with that watermark."""
        if now_ms > self._now_ms:
            self._now_ms = now_ms
        return () if not self._calls or self._calls[0][0] > now_ms else self._called(now_ms)

    def _called(self, now_ms: int) -> Iterator[tuple[str, int]]:
        while self._calls and self._calls[0][0] <= now_ms:
            due_ms, device_id = heappop(self._calls)
            if self._due_ms.get(device_id) != due_ms:
                continue
            yield device_id, now_ms
            if now_ms - self._heard_ms[device_id] > self._spec.forget_after_ms:
                del self._heard_ms[device_id], self._due_ms[device_id]
                self._tickless.discard(device_id)
            else:
                self._call(device_id, self._next_ms(device_id, self._heard_ms[device_id], now_ms))

    def before(self, logged: LoggedEvent) -> list[tuple[str, LoggedEvent | int]]:
        """What is due before the event of a record, then the event itself: for each device, what it takes, in order."""
        device_id = logged.event.device_id
        items: list[tuple[str, LoggedEvent | int]] = [*self.due_before(logged.arrival_ms)]
        if device_id in self._heard_ms or self._makes_a_window(logged):
            self.heard(device_id, logged.arrival_ms)
        items.append((device_id, logged))
        return items

    def _makes_a_window(self, logged: LoggedEvent) -> bool:
        """Whether an event of a device without a window is accepted. The core says so: no rule stands here too."""
        output = DeviceWindow(self._spec, logged.event.device_id).on_event(logged.event, logged.arrival_ms)[-1]
        return isinstance(output, Evaluation)

    def heard(self, device_id: str, arrival_ms: int) -> None:
        """A record of a device was read."""
        if arrival_ms > self._heard_ms.get(device_id, -1):
            self._heard_ms[device_id] = arrival_ms
        due_ms = self._due_ms.get(device_id)
        if due_ms is None or device_id in self._tickless or due_ms - arrival_ms > self._spec.tick_ms > 0:
            next_ms = self._next_ms(device_id, arrival_ms, arrival_ms - 1)
            if due_ms is None or next_ms < due_ms:
                self._call(device_id, next_ms)

    def snapshot(self) -> tuple[int, dict[str, int]]:
        """The state that ``restore`` takes: the watermark, and the last arrival of each device."""
        return self._now_ms, dict(self._heard_ms)

    def restore(self, now_ms: int, heard_ms: dict[str, int]) -> None:
        self._now_ms = now_ms
        self._heard_ms = heard_ms
        for device_id, arrival_ms in heard_ms.items():  # each from its last record on: one call too many, none too few
            self._call(device_id, self._next_ms(device_id, arrival_ms, arrival_ms - 1))

    def _next_ms(self, device_id: str, heard_ms: int, clock_ms: int) -> int:
        """When a device is due next, had its last record arrived at ``heard_ms`` and been accepted."""
        return next_wakeup_ms(self._spec, device_id, heard_ms, clock_ms)

    def _call(self, device_id: str, due_ms: int) -> None:
        self._due_ms[device_id] = due_ms
        heappush(self._calls, (due_ms, device_id))
        if due_ms - self._heard_ms[device_id] > self._spec.idle_after_ms:
            self._tickless.add(device_id)
        else:
            self._tickless.discard(device_id)
