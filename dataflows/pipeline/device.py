"""One device between the log and its window: where it begins, what an event or an instant gives, where it ends.

Both engines keep one ``Device`` for each device id, and nothing else: they store its snapshot, and call it at its next
wake-up. The rules of the window are the core's.
"""

from typing import TypeAlias

from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import LoggedEvent
from window_core import DeviceWindow, Evaluation, Output, WindowSpec

__all__ = ["Device", "DeviceInput", "LocatedOutput"]

DeviceInput: TypeAlias = LoggedEvent | int
"""What a device takes: an event of its own, or an arrival watermark in ms."""

LocatedOutput: TypeAlias = tuple[Output, str | None]
"""An output of the core and the position of the record that it came from; a tick comes from none."""


class Device:
    """A device as an engine drives it.

    It begins with its first accepted event, or with the snapshot of an earlier process, and ends when the core forgets
    it. Before and after that it has no next wake-up, and an engine keeps nothing of it.
    """

    __slots__ = ("_metrics", "_partition", "_spec", "_window")

    def __init__(
        self, spec: WindowSpec, metrics: Metrics, snapshot: bytes | None = None, partition: int | None = None
    ) -> None:
        """
        Args:
            spec: the numbers of its window.
            metrics: what it counts.
            snapshot: that of an earlier process.
            partition: the one its events stand in, if that is known.
        Raises:
            SnapshotError: the snapshot was damaged, or written by another version.
        """
        self._spec = spec
        self._metrics = metrics
        self._partition = None if partition is None else f"{partition}/"  # as positions begin
        self._window = None if snapshot is None else DeviceWindow.restore(spec, snapshot)

    @property
    def device_id(self) -> str:
        """Its id, once it has taken an event or was restored."""
        assert self._window is not None
        return self._window.device_id

    @property
    def partition(self) -> int | None:
        """The one its events stand in: as it was told, or that of its first event in this process."""
        return None if self._partition is None else int(self._partition[:-1])

    def take(self, told: DeviceInput) -> list[LocatedOutput]:
        """Take an event, or the time that has passed.

        Returns:
            The ticks that are due; for an event then exactly one evaluation or rejection, with its position.
        """
        window = self._window
        if isinstance(told, int):
            return [] if window is None else [(tick, None) for tick in window.on_clock(told)]
        if window is None:
            window = self._window = DeviceWindow(self._spec, told.event.device_id)
        if self._partition is None or not told.position.startswith(self._partition):
            self._see_partition(told)
        outputs = window.on_event(told.event, told.arrival_ms)
        output = outputs.pop()
        if isinstance(output, Evaluation) and output.cause == "late_event":
            self._metrics.lateness.observe((output.newest_ms - told.event.time_ms) / 1000)
        located: list[LocatedOutput] = [(tick, None) for tick in outputs] if outputs else []
        located.append((output, told.position))
        return located

    def evaluated_at(self, now_ms: int) -> Evaluation | None:
        """The tick that would fire at an arrival watermark that it was told of; ``None`` while it has no state."""
        return None if self._window is None else self._window.evaluated_at(now_ms)

    def next_wakeup_ms(self) -> int | None:
        """The arrival watermark at which it must be called; ``None`` while an engine has nothing to keep of it."""
        return None if self._window is None else self._window.next_wakeup_ms()

    def snapshot(self) -> bytes:
        """Its state as the core's own bytes."""
        assert self._window is not None
        return self._window.snapshot()

    def _see_partition(self, logged: LoggedEvent) -> None:
        """Warn, once a run, if events of the device are in two partitions."""
        partition = logged.position.partition("/")[0]
        if self._partition is None:
            self._partition = f"{partition}/"
            return
        self._metrics.warn(
            "two partitions",
            f"device {logged.event.device_id} has records in partitions {self._partition[:-1]} and {partition}: each "
            "has a clock of its own, so its outputs depend on which is read first; use the device id as the key of all "
            "its records, and one partitioner in all producers",
        )
