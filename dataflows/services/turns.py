"""Which address of a service takes the next call: they take turns, and one that failed rests for a while. No I/O."""

from collections.abc import Sequence
from typing import Final

__all__ = ["Turn", "Turns"]

_REST_MIN_S: Final = 1.0
_REST_MAX_S: Final = 30.0
"""How long an address that failed rests: doubled with each failure in a row."""


class Turn:
    """One address and how its last calls went.

    Attributes:
        host_port: ``HOST:PORT``.
        failures: in a row, up to now.
        rests_until_s: it takes no call before, if another one can.
    """

    def __init__(self, host_port: str) -> None:
        self.host_port: Final = host_port
        self.failures = 0
        self.rests_until_s = 0.0


class Turns:
    """The addresses of a service. Every ``now_s`` is in s, from any fixed instant. The owner holds a lock."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._in_turn = list(turns)

    def __len__(self) -> int:
        return len(self._in_turn)

    def next(self, now_s: float) -> Turn:
        """The next address that does not rest; if all do, the one that has rested most."""
        turn = next(
            (one for one in self._in_turn if one.rests_until_s <= now_s),
            min(self._in_turn, key=lambda one: one.rests_until_s),
        )
        self._in_turn.remove(turn)
        self._in_turn.append(turn)
        if turn.failures:  # one call finds out whether it is well again, the others go elsewhere
            turn.rests_until_s = now_s + _rest_s(turn.failures)
        return turn

    def note(self, turn: Turn, failed: bool, now_s: float) -> None:
        """A call to this address was answered, or failed in a way that is the address's fault."""
        turn.failures = turn.failures + 1 if failed else 0
        turn.rests_until_s = now_s + _rest_s(turn.failures) if failed else 0.0

    def any_well(self) -> bool:
        """Whether the last call to some address did not fail."""
        return any(not turn.failures for turn in self._in_turn)


def _rest_s(failures: int) -> float:
    return min(_REST_MIN_S * 2.0 ** min(failures - 1, 10), _REST_MAX_S)
