"""Two settings on one log, side by side: what each accepts of it, and how far their predictions are apart.

Both replays read the same records in the same order, so their outputs are paired as they come: those of an event by its
position, ticks by their instant. Ids of evaluations do not serve: one event more, and all behind it are other ones.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from dataflows.pipeline.device import LocatedOutput
from dataflows.pipeline.record import LoggedEvent
from dataflows.replay.moves import Moves, shown_answer
from dataflows.replay.replayed_log import ReplayedLog, Step
from dataflows.services.answers import Answer
from dataflows.services.client import ServiceClient
from window_core import Evaluation, Output

__all__ = ["Compared", "Comparison", "Pair", "compared", "pairs"]

_AT_ONCE: Final = 8_192
"""Pairs whose predictions are asked for together."""


_encode: Final = msgspec.json.Encoder().encode


class Pair(NamedTuple):
    """What two settings gave for one event, or for one instant of a device.

    Attributes:
        device_id: the device.
        position: of the event; ``None``: of a tick.
        as_of_ms: the instant.
        first: what the first gave; ``None``: no tick.
        second: what the second gave.
    """

    device_id: str
    position: str | None
    as_of_ms: int
    first: Output | None
    second: Output | None


class Compared(NamedTuple):
    """A pair of evaluations with both answers, and how far they are apart."""

    pair: Pair
    first: Answer
    second: Answer
    moved: float | None

    def encoded(self) -> bytes:
        """It as a line of JSON."""
        return _encode(
            {
                "device_id": self.pair.device_id,
                "position": self.pair.position,
                "as_of_ms": self.pair.as_of_ms,
                "moved": self.moved,
                "first": shown_answer(self.first),
                "second": shown_answer(self.second),
            }
        )


class Comparison:
    """Counts what is compared.

    Attributes:
        events: by what became of them with the first and with the second, ``accepted`` or a reason.
        ticks: in ``both``, in the ``first`` only, in the ``second`` only.
        moves: of predictions that both gave.
        furthest: of each device, the pair that is furthest apart, and by how much.
        moved: of each device, how many pairs are apart.
    """

    def __init__(self) -> None:
        self.events: Counter[tuple[str, str]] = Counter()
        self.ticks: Counter[str] = Counter()
        self.moves = Moves()
        self.furthest: dict[str, tuple[float, Pair]] = {}
        self.moved: Counter[str] = Counter()

    def see(self, pair: Pair) -> None:
        """Count what became of an event or an instant."""
        if pair.position is not None:
            self.events[_outcome(pair.first), _outcome(pair.second)] += 1
        else:
            self.ticks["both" if pair.first and pair.second else "first" if pair.first else "second"] += 1

    def take(self, pair: Pair, first: Answer, second: Answer) -> Compared:
        """Count the predictions of a pair."""
        moved = self.moves.take(first, second)
        if moved:
            self.moved[pair.device_id] += 1
            if moved > self.furthest.get(pair.device_id, (0.0, pair))[0]:
                self.furthest[pair.device_id] = moved, pair
        return Compared(pair, first, second, moved)


def compared(
    first: ReplayedLog, second: ReplayedLog, clients: tuple[ServiceClient, ServiceClient], counts: Comparison
) -> Iterator[Compared]:
    """Every pair of evaluations, both asked about.

    Args:
        first: of a log.
        second: of the same log, under other settings.
        clients: of the services of each.
        counts: counts these pairs, and those that are of no two evaluations.
    Raises:
        ServiceError: a service failed.
        BrokerError: the records are gone meanwhile, or the broker is away.
    """
    found = pairs(first, second)
    while batch := list(islice(found, _AT_ONCE)):
        for pair in batch:
            counts.see(pair)
        both = [pair for pair in batch if isinstance(pair.first, Evaluation) and isinstance(pair.second, Evaluation)]
        ones = clients[0].answers([pair.first for pair in both])  # type: ignore[misc]  # evaluations all
        others = clients[1].answers([pair.second for pair in both])  # type: ignore[misc]
        for pair, one, other in zip(both, ones, others, strict=True):
            yield counts.take(pair, one, other)


def pairs(first: ReplayedLog, second: ReplayedLog) -> Iterator[Pair]:
    """What two replays of one log give, side by side."""
    for partition in range(first.log.partitions):
        for step, other in zip(first.steps(partition), second.steps(partition), strict=False):
            yield from _paired(step, other[1])


def _paired(step: Step, others: Sequence[LocatedOutput]) -> Iterator[Pair]:
    read, ones = step
    ticks = {
        output.as_of_ms: output for output, _ in others if isinstance(output, Evaluation) and output.cause == "tick"
    }
    for output, _ in ones:
        if isinstance(output, Evaluation) and output.cause == "tick":
            as_of_ms = output.as_of_ms
            yield Pair(output.device_id, None, as_of_ms, output, ticks.pop(as_of_ms, None))
    for as_of_ms, tick in ticks.items():
        yield Pair(tick.device_id, None, as_of_ms, None, tick)
    if isinstance(read, LoggedEvent):
        yield Pair(read.event.device_id, read.position, read.arrival_ms, ones[-1][0], others[-1][0])


def _outcome(output: Output | None) -> str:
    assert output is not None  # of an event there is always one
    return "accepted" if isinstance(output, Evaluation) else output.reason
