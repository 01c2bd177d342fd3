"""What predictions would be by now: those that a later event has put in doubt, asked about once more."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from dataflows.pipeline.record import LoggedEvent
from dataflows.replay.missed_events import DeviceHistory
from dataflows.replay.moves import shown_answer
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.services.answers import Answer
from dataflows.services.client import ServiceClient
from window_core import Evaluation

__all__ = ["Doubt", "Revision", "doubts", "revised"]

_encode: Final = msgspec.json.Encoder().encode


class Doubt(NamedTuple):
    """An evaluation that missed events.

    Attributes:
        was: as it was made.
        position: where its event stands in the log; ``None`` for a tick.
        now: the same with what it missed.
        because: the positions of what it missed.
    """

    was: Evaluation
    position: str | None
    now: Evaluation
    because: list[str]


class Revision(NamedTuple):
    """A doubt with the answers to both of its windows."""

    doubt: Doubt
    was: Answer
    now: Answer

    def encoded(self, moved: float | None) -> bytes:
        """It as a line of JSON.

        Args:
            moved: how far the answers are apart.
        """
        was = self.doubt.was
        return _encode(
            {
                "evaluation_id": was.evaluation_id,
                "device_id": was.device_id,
                "cause": was.cause,
                "position": self.doubt.position,
                "as_of_ms": was.as_of_ms,
                "newest_ms": was.newest_ms,
                "events": was.events,
                "because": self.doubt.because,
                "moved": moved,
                "was": shown_answer(self.was),
                "now": shown_answer(self.now),
            }
        )


def doubts(replay: ReplayedLog, counts: Counter[str], *, too_late: bool = False) -> Iterator[Doubt]:
    """Every evaluation that a later event has put in doubt; the log is read twice.

    Args:
        replay: of the log.
        counts: takes the number of ``evaluations``.
        too_late: events that were TOO_LATE count, too. Default: those that a window accepted.
    Raises:
        BrokerError: the records are gone meanwhile, or the broker is away.
    """
    for partition in range(replay.log.partitions):
        histories = _histories(replay, partition, too_late=too_late)
        counts["evaluations"] += sum(history.evaluations for history in histories.values())
        numbers: Counter[str] = Counter()
        for _, outputs in replay.steps(partition):
            for output, position in outputs:
                if not isinstance(output, Evaluation):
                    continue
                history = histories[output.device_id]
                number = numbers[output.device_id]
                numbers[output.device_id] += 1
                if because := history.missed(number):
                    yield Doubt(output, position, history.completed(number, output), because)


def revised(client: ServiceClient, found: Sequence[Doubt]) -> list[Revision]:
    """The answers to both windows of some doubts; equal windows are asked about once.

    Raises:
        ServiceError: a service failed.
    """
    asked = {_window(one): one for doubt in found for one in (doubt.was, doubt.now)}
    answers = dict(zip(asked, client.answers(list(asked.values())), strict=True))
    return [Revision(doubt, answers[_window(doubt.was)], answers[_window(doubt.now)]) for doubt in found]


def _window(evaluation: Evaluation) -> tuple[int, int, int]:
    return evaluation.columns.number, evaluation.start, evaluation.end


def _histories(replay: ReplayedLog, partition: int, *, too_late: bool) -> dict[str, DeviceHistory]:
    """What happened to each device of a partition."""
    histories: dict[str, DeviceHistory] = {}
    for read, outputs in replay.steps(partition):
        for output, position in outputs:
            device_id = output.device_id if isinstance(output, Evaluation) else output.event.device_id
            history = histories.get(device_id)
            if history is None:
                history = histories[device_id] = DeviceHistory(device_id, replay.spec.interval_ms)
            if position is None:
                assert isinstance(output, Evaluation)
                history.ticked(output)
            elif isinstance(output, Evaluation):
                assert isinstance(read, LoggedEvent)
                history.accepted(read.event, position, output)
            elif too_late and output.reason == "TOO_LATE":
                history.rejected(output.event, position)
    for history in histories.values():
        history.close()
    return histories
