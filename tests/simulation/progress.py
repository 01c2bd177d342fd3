"""How far the runs of a simulation have read for sure, and what may be asked of the next one."""

from collections.abc import Iterator

from tests.simulation.broker import Entry
from tests.simulation.expected import Whole, first_cut
from tests.simulation.log import Log, is_time
from tests.simulation.plan import Run

__all__ = ["Progress"]


class Progress:
    """What is known of the runs so far.

    Attributes:
        whole: the bounded ones that came to their end.
        sure: how far the state has read each partition at least; ``None``: there need be none.
        has_rewound: the state was put back.
        is_fragile: a run has ended at an instant that a later record is to arrive before.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._tried: list[Whole] = []
        self.whole: list[Whole] = []
        self.sure: list[int] | None = None
        self.has_rewound = False
        self.is_fragile = False

    def begin(self, step: Run, *, is_last: bool) -> Whole:
        """How far a run reads that starts now. Records that follow arrive after the instant at which it ends."""
        whole = self._bounds(step, is_last=is_last)
        self._tried.append(whole)
        self.is_fragile |= self.may_come_too_late(whole)
        self._log.floor_ms = max(self._log.floor_ms, whole.until_ms or 0)
        self._log.now_ms = max(self._log.now_ms, self._log.floor_ms)
        return whole

    def end(self, whole: Whole) -> None:
        """A bounded run came to its end."""
        self.whole.append(whole)
        self.sure = list(map(max, self.sure or whole.ends, whole.ends))

    def stopped(self) -> None:
        """A run without an end was stopped; it may have read all that there is by now."""
        self._tried[-1] = self._tried[-1]._replace(ends=self._log.ends())

    def rewind(self, sure: list[int]) -> None:
        """The state was put back to what had read so far."""
        self.sure = sure
        self.has_rewound = True

    def may_be_gone(self) -> bool:
        """Whether retention may have removed records that the state has not read."""
        partitions = self._log.topic.partitions
        return self.sure is None or any(map(int.__gt__, (one.start for one in partitions), self.sure))

    def is_furthest(self, whole: Whole) -> bool:
        """Whether no other run can have got further than this one."""
        return not self.has_rewound and all(
            all(map(int.__ge__, whole.ends, other.ends)) and (whole.until_ms or -1) >= (other.until_ms or -1)
            for other in self._tried
        )

    def may_come_too_late(self, whole: Whole) -> bool:
        """Whether records wait behind an open transaction that arrived before the instant at which the run ends.

        Their devices may have been told that instant, or not, by a run that does not come to its end.
        """
        if whole.until_ms is None or not self._log.setup.reads_topic:
            return False
        return any(
            isinstance(entry, Entry) and entry.timestamp_ms <= whole.until_ms
            for partition in self._log.topic.partitions
            for entry in partition.entries[partition.stable_end :]
        )

    def _bounds(self, step: Run, *, is_last: bool) -> Whole:
        ends = self._log.ends()
        largest_ms = max((one for number, end in enumerate(ends) for one in self._stamps(number, end)), default=None)
        if is_last:
            until_ms = max(self._log.floor_ms, largest_ms or 0)
            return Whole(ends, until_ms, until_ms)
        if step.end == "until":
            until_ms = max(0, (largest_ms or self._log.now_ms) + step.until_ms)
            return Whole(first_cut(self._log, until_ms), until_ms, until_ms)
        return Whole(ends, None, largest_ms if step.end == "bounded" else None)

    def _stamps(self, number: int, end: int) -> Iterator[int]:
        """The valid arrivals of the committed records that are still there."""
        start = self._log.topic.partitions[number].start if self._log.setup.reads_topic else 0
        for _, said in self._log.committed(number, start, end):
            stamp_ms = said.event.time_ms if said.stamp_ms is None and said.event is not None else said.stamp_ms
            if stamp_ms is not None and is_time(stamp_ms):
                yield stamp_ms
