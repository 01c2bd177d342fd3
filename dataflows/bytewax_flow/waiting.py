"""Lets a source wait for records, by a clock that never steps back.

Bytewax compares the instant at which it looks at a partition again with the machine's clock, also the one that it
chooses itself after an empty batch. When that clock is set back by an hour, the source would stand still for an hour.
So a source asks to be looked at again at once, and what has nothing to give waits here.
"""

from datetime import UTC, datetime
from time import sleep
from typing import Final

__all__ = ["AT_ONCE", "SharedPause"]

AT_ONCE: Final = datetime.fromtimestamp(0, UTC)
"""When Bytewax is to look at a partition again: an instant that has passed by any clock."""


class SharedPause:
    """Pauses a worker once none of its partitions has had a record for more than a round.

    A partition with records is never delayed by partitions without, and earlier records have been passed on by then.
    """

    def __init__(self, pause_ms: int) -> None:
        self._pause_s = pause_ms / 1000
        self._partitions = 0
        self._empty = 0

    def join(self) -> None:
        """One more partition is read."""
        self._partitions += 1

    def leave(self) -> None:
        """One of them has ended."""
        self._partitions -= 1

    def after(self, records: int) -> None:
        """Note how many records a partition gave, and wait if there is nothing to do."""
        self._empty = 0 if records else self._empty + 1
        if self._empty > self._partitions:
            self._empty = 0
            sleep(self._pause_s)
