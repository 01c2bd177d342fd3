"""The life of one simulated process: a clock, a source of chances, and the side effect before which it is killed."""

from random import Random

__all__ = ["Killed", "Process"]


class Killed(BaseException):
    """The process was killed here. No ``except Exception`` of the shipped code sees it."""


class Process:
    """What all parts of one run share.

    Attributes:
        random: decides whatever a schedule or a network would.
        trace: every side effect so far, in order.
        now_s: the monotonic clock; it moves when somebody waits.
        is_dead: it was killed: what still runs only takes it apart.
    """

    def __init__(
        self, seed: str, kill_before: int | None, trouble: float, trace: list[str], kill_kind: str = ""
    ) -> None:
        """A process that is killed before a side effect, counted from 0, or lives.

        Args:
            seed: of all chances.
            kill_before: ``None``: it lives.
            trouble: how much goes wrong around it, from 0 to 1.
            trace: takes the side effects.
            kill_kind: how the side effects begin that are counted.
        """
        self.random = Random(seed)
        self.trace = trace
        self.now_s = 1_000.0
        self.effects = 0
        self.is_dead = False
        self._kill_before = kill_before
        self._kill_kind = kill_kind
        self._trouble = trouble

    def effect(self, what: str) -> None:
        """Something others can see is about to happen."""
        if what.startswith(self._kill_kind):
            if self.effects == self._kill_before:
                self.is_dead = True
                self.trace.append(f"killed before {what}")
                raise Killed
            self.effects += 1
        self.trace.append(what)

    def is_troubled(self, share: float) -> bool:
        """Whether this goes wrong now; ``share`` of the chances do in a process with all the trouble there is."""
        return self._trouble > 0 and self.random.random() < share * self._trouble

    def monotonic(self) -> float:
        self.now_s += 0.000_01
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
