"""How far apart two answers to one question are."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from dataflows.services.answers import Answer, Refusal

__all__ = ["Moves", "distance", "shown_answer"]

_BOUNDS: Final = (0.0, 0.0001, 0.001, 0.01, 0.1)
"""For probabilities, which most models give: nothing, noise, and what may change a decision."""


def distance(was: Mapping[str, str], now: Mapping[str, str]) -> float | None:
    """The largest difference between two results; ``None`` where texts differ that are no numbers.

    >>> distance({"score": "0.5", "class": "a"}, {"score": "0.75", "class": "a"})
    0.25
    """
    if was == now:
        return 0.0
    if was.keys() != now.keys():
        return None
    try:
        return max(abs(float(now[key]) - float(text)) for key, text in was.items() if now[key] != text)
    except ValueError:
        return None


class Moves:
    """Counts pairs of answers by how far they are apart.

    Attributes:
        pairs: how many there are.
        incomparable: pairs of which one was refused, or that have other results than numbers.
        furthest: the largest difference.
    """

    def __init__(self) -> None:
        self.pairs = 0
        self.incomparable = 0
        self.furthest = 0.0
        self._above: Counter[float] = Counter()

    def take(self, was: Answer, now: Answer) -> float | None:
        """Count a pair, and give its difference."""
        if isinstance(was, Refusal) or isinstance(now, Refusal):
            return self.count(0.0 if was == now else None)
        return self.count(distance(was.result, now.result))

    def count(self, difference: float | None) -> float | None:
        """Count a pair by its difference; ``None``: it has none."""
        self.pairs += 1
        if difference is None:
            self.incomparable += 1
            return None
        self.furthest = max(self.furthest, difference)
        self._above.update(bound for bound in _BOUNDS if difference > bound)
        return difference

    def above(self) -> Iterator[tuple[float, int]]:
        """Bounds, and how many pairs are further apart than each."""
        return ((bound, self._above[bound]) for bound in _BOUNDS)

    def summary(self) -> dict[str, object]:
        """The same for a program."""
        return {
            "moved_by_more_than": {f"{bound:g}": number for bound, number in self.above()},
            "incomparable": self.incomparable,
            "furthest": self.furthest,
        }

    def lines(self) -> Iterator[str]:
        """The same for a person."""
        for bound, number in self.above():
            yield f"{number:>10,} moved by more than {bound:g}" if bound else f"{number:>10,} moved at all"
        if self.incomparable:
            yield f"{self.incomparable:>10,} cannot be compared: one was refused, or the results are no numbers"
        yield f"furthest by {self.furthest:.9g}"


def shown_answer(answer: Answer) -> dict[str, object]:
    """An answer as it stands in a line of JSON."""
    if isinstance(answer, Refusal):
        return {"status": answer.status, "service": answer.service, "message": answer.message}
    result = dict(sorted(answer.result.items()))
    return {"features": answer.features, "model_id": answer.model_id, "result": result}
