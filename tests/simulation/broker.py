"""A Kafka broker: partitions with transactions and their markers, retention, topics that are made anew."""

from dataclasses import dataclass, field
from itertools import count
from typing import Final, NamedTuple

__all__ = ["Entry", "Marker", "Partition", "Topic"]

_ids: Final = count(1)


class Entry(NamedTuple):
    """A record.

    Attributes:
        timestamp_ms: as the log has it.
        key: ``None``: none.
        value: ``None``: none.
        transaction: the one it belongs to; ``None``: it was committed at once.
    """

    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    transaction: int | None = None


class Marker(NamedTuple):
    """The end of a transaction in a partition. It takes an offset and is no record."""

    transaction: int


@dataclass
class Partition:
    """A log of entries by offset.

    Attributes:
        entries: all that was ever written; an offset is an index.
        start: the first offset that retention has left.
        open: transactions that have neither committed nor aborted, by their first offset.
        aborted: the offsets of records of transactions that were aborted.
    """

    entries: list[Entry | Marker] = field(default_factory=list)
    start: int = 0
    open: dict[int, int] = field(default_factory=dict)
    aborted: set[int] = field(default_factory=set)

    @property
    def end(self) -> int:
        return len(self.entries)

    @property
    def stable_end(self) -> int:
        """How far a reader of what is committed gets: up to the first record of an open transaction."""
        return min(self.open.values(), default=self.end)

    def append(self, entry: Entry) -> None:
        if entry.transaction is not None:
            self.open.setdefault(entry.transaction, self.end)
        self.entries.append(entry)

    def finish(self, transaction: int, *, commits: bool) -> None:
        """End a transaction, if it has written here."""
        first = self.open.pop(transaction, None)
        if first is None:
            return
        if not commits:
            written = enumerate(self.entries[first:], first)
            self.aborted.update(offset for offset, entry in written if entry.transaction == transaction)
        self.entries.append(Marker(transaction))

    def record(self, offset: int) -> Entry | None:
        """The record at an offset below the stable end, if there is one and it was committed."""
        entry = self.entries[offset]
        return entry if isinstance(entry, Entry) and offset not in self.aborted else None


class Topic:
    """Partitions under a name.

    Attributes:
        id: no other topic has it.
        partitions: its logs.
        is_log_append_time: the timestamps are the broker's.
    """

    def __init__(self, partitions: int, *, is_log_append_time: bool) -> None:
        self.id = f"topic-{next(_ids)}"
        self.partitions = [Partition() for _ in range(partitions)]
        self.is_log_append_time = is_log_append_time

    def values(self) -> list[bytes]:
        """All committed values, partition by partition."""
        records = (one.record(offset) for one in self.partitions for offset in range(one.stable_end))
        return [record.value or b"" for record in records if record is not None]
