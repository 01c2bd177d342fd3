"""Finds the largest valid arrival among the committed records of a topic, by reading them.

The broker's own answer about its largest timestamp is not used: it counts the markers and the open records of
transactions, and timestamps that are no times, and brokers before 3.0 have none.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from dataflows.connectors.kafka.client import KafkaLocation
from dataflows.connectors.kafka.committed_records import Bounds, committed_messages
from window_core import MAX_TIME_MS

__all__ = ["LastArrival"]

_TAIL_RECORDS: Final = 100
"""Offsets looked at first from the end of a partition: where they hold markers and aborted records only, ever more."""

_TAIL_GROWS: Final = 10

_SAY_AFTER_S: Final = 2.0


class LastArrival:
    """Reads a topic for its largest arrival."""

    def __init__(
        self, location: KafkaLocation, properties: Mapping[str, str], wait_ms: int, say: Callable[[str], None]
    ) -> None:
        """Read nothing yet.

        Args:
            location: the topic.
            properties: those of the user's file.
            wait_ms: how long to wait for a broker that gives nothing.
            say: takes a line for the user.
        """
        self._location = location
        self._properties = properties
        self._wait_ms = wait_ms
        self._say = say
        self._began_s = monotonic()
        self._has_said = False

    def of_all(self, starts: tuple[int, ...], ends: tuple[int, ...]) -> int | None:
        """The largest arrival where timestamps are the producers': each record is read once.

        Raises:
            BrokerError: the broker gives no records.
        """
        return max(self._read(dict(enumerate(zip(starts, ends, strict=True)))).values(), default=None)

    def of_tails(self, starts: tuple[int, ...], ends: tuple[int, ...]) -> int | None:
        """The largest arrival where timestamps are the broker's, which do not go back: that of the last records.

        Raises:
            BrokerError: the broker gives no records.
        """
        found: dict[int, int] = {}
        unread = dict(enumerate(zip(starts, ends, strict=True)))
        records = _TAIL_RECORDS
        while unread:
            tails = {number: (max(start, end - records), end) for number, (start, end) in unread.items()}
            found |= self._read(tails)
            unread = {
                number: (start, tails[number][0])
                for number, (start, _) in unread.items()
                if number not in found and tails[number][0] > start
            }
            records *= _TAIL_GROWS
        return max(found.values(), default=None)

    def _read(self, bounds: Bounds) -> dict[int, int]:
        """The largest arrival of each partition that has one between a first offset and an end."""
        found: dict[int, int] = {}
        for messages in committed_messages(
            self._location, self._properties, bounds, self._wait_ms, skips_removed=True, look=self._look
        ):
            for message in messages:
                number, arrival_ms = message.partition(), message.timestamp()[1]
                assert number is not None
                if found.get(number, -1) < arrival_ms <= MAX_TIME_MS:
                    found[number] = arrival_ms
        return found

    def _look(self) -> None:
        """Tell what takes long."""
        if not self._has_said and monotonic() - self._began_s > _SAY_AFTER_S:
            self._has_said = True
            self._say(f"looking for the last arrival of {self._location.topic}; --until would spare it")
