"""A run as several processes, each with whole partitions of the topic and their state.

A device lives in one partition, so the processes need nothing of each other. They are counted as one run, stopped
together, and none outlives the run that has started them. Where one fails the others are ended at once: each database
is that of its process alone, and every run resumes from it.
"""

import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import Any, Final, TypeAlias

from dataflows.bytewax_flow.one_process import SIZE, Share
from dataflows.pipeline.first_records import begins_without_event
from dataflows.pipeline.metrics import Metrics
from runtime.errors import CommandError
from runtime.python_process import python_environment

__all__ = ["ProcessError", "run_processes"]

_LOOK_EVERY_S: Final = 0.1

_Said: TypeAlias = "SimpleQueue[tuple[int, Any]]"
"""The number of a process, and a report, an error, or its exit status."""


class ProcessError(CommandError):
    """A process of the run ended by itself, or was ended."""


def run_processes(shares: Sequence[Share], metrics: Metrics, stopped: Flag, lock: int | None) -> None:
    """Run a process for each share until all have come to their ends.

    Args:
        shares: by the numbers of their processes.
        metrics: what they count is added to it.
        stopped: once it is set, they are told to stop gracefully.
        lock: what each of them holds for as long as it is there.
    Raises:
        ProcessError: one ended before.
        Exception: what one of them says that it failed by.
    """
    said: _Said = SimpleQueue()
    with ExitStack() as stack:
        processes = [stack.enter_context(_started(share, said, lock)) for share in shares]
        _count(processes, shares, said, metrics, stopped)


def _count(
    processes: "Sequence[subprocess.Popen[bytes]]",
    shares: Sequence[Share],
    said: _Said,
    metrics: Metrics,
    stopped: Flag,
) -> None:
    last: dict[int, dict[str, Any]] = {}
    left, looks, told = len(processes), True, False
    while left:
        if stopped.is_set() and not told:
            told = True
            for process in processes:
                _tell(process, b"\0")
        try:
            number, what = said.get(timeout=_LOOK_EVERY_S)
        except Empty:
            continue
        if isinstance(what, Exception):
            raise what
        if isinstance(what, int):
            if what != 0:
                raise ProcessError(_ended(what, shares[number]))
            left -= 1
            continue
        metrics.of_processes[number] = what["samples"]
        metrics.add(what, last.get(number))
        last[number] = what
        looks = looks and begins_without_event(metrics, str(shares[number].log.location))


@contextmanager
def _started(share: Share, said: _Said, lock: int | None) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that works on a share for the time of the context."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dataflows.bytewax_flow.one_process"],
        stdin=subprocess.PIPE,  # it ends with us, also if we are killed
        stdout=subprocess.PIPE,
        env=python_environment(),
        pass_fds=() if lock is None else (lock,),
        start_new_session=True,
    )
    assert process.stdin is not None
    listener = Thread(target=_listen, args=(share.number, process, said), daemon=True)
    listener.start()
    try:
        task = share.pickled()
        _tell(process, SIZE.pack(len(task)) + task)
        yield process
    finally:
        process.kill()
        listener.join()
        with suppress(BrokenPipeError):
            process.stdin.close()


def _tell(process: "subprocess.Popen[bytes]", what: bytes) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended, which it says by its exit status
        process.stdin.write(what)
        process.stdin.flush()


def _listen(number: int, process: "subprocess.Popen[bytes]", said: _Said) -> None:
    """Pass on what a process says, and last its exit status."""
    assert process.stdout is not None
    with process.stdout as reports, suppress(EOFError, pickle.UnpicklingError):  # killed in the midst of a report
        while True:
            said.put((number, pickle.load(reports)))
    said.put((number, process.wait()))


def _ended(status: int, share: Share) -> str:
    partitions = ", ".join(map(str, share.partitions))
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
    return f"the process of partition{'s' if ',' in partitions else ''} {partitions} of {share.log.location} {how}"
