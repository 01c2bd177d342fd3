"""The way of evaluations from the windows to the services: by reference, within one thread of one process.

Both stages are Python inside the JVM, so a window of several kB need not cross into Java and back. What crosses are
signals: the first evaluation of a batch waits; a batch is full; and Java's word, before a checkpoint, at the end of the
input and when the first has waited long enough, that nothing may stay. ``BatchSignals`` in ``java/`` is the other half.
"""

from itertools import count
from struct import Struct
from threading import get_ident
from typing import Final

from dataflows.window_step import LocatedOutput

__all__ = ["Handover", "handover_of", "leaves_nothing"]

_SIGNAL: Final = Struct(">bq")
_FIRST: Final = 0
_FULL: Final = 1
_LEAVE_NOTHING: Final = 2

_numbers: Final = count()
_handovers: "Final[dict[int, Handover]]" = {}


class Handover:
    """What waits between the stages of one subtask; a restarted subtask has another one, which is empty."""

    def __init__(self, batch_windows: int) -> None:
        """Open it, for batches of up to ``batch_windows`` evaluations."""
        self._batch_windows = batch_windows
        self._number = next(_numbers)
        self._thread = get_ident()
        self._waiting: list[LocatedOutput] = []
        _handovers[self._number] = self

    def put(self, evaluation: LocatedOutput) -> bytes | None:
        """Leave an evaluation for the services; the signal to send them, if there is one."""
        self._waiting.append(evaluation)
        if len(self._waiting) == self._batch_windows:
            return _SIGNAL.pack(_FULL, self._number)
        return _SIGNAL.pack(_FIRST, self._number) if len(self._waiting) == 1 else None

    def take(self) -> list[LocatedOutput]:
        """All that waits, in order."""
        assert get_ident() == self._thread, "a stage runs in another thread: the job needs Flink's operator chaining"
        waiting, self._waiting = self._waiting, []
        return waiting

    def close(self) -> None:
        """Drop what waits: for the stage behind, since Flink closes the windows before all of it is taken."""
        _handovers.pop(self._number, None)


def handover_of(signal: bytes) -> Handover:
    """The handover that a signal belongs to.

    Raises:
        RuntimeError: it is in another process.
    """
    _, number = _SIGNAL.unpack(signal)
    if number not in _handovers:
        raise RuntimeError("a stage runs in another process: the job needs Flink's operator chaining")
    return _handovers[number]


def leaves_nothing(signal: bytes) -> bool:
    """Whether nothing may be under way once this signal was obeyed."""
    return signal[0] == _LEAVE_NOTHING
