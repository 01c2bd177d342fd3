"""The life of a server process: it says where it listens, serves until it is told to stop, drains, and ends."""

import ctypes
import os
import signal
import sys
import threading
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Final

from grpc_services.python.server import ListenError, RunningServer, start
from grpc_services.python.settings import ServerSettings

__all__ = ["serve"]

_MALLOPT: Final = ((-3, 32 << 20), (-1, 128 << 20))
"""``M_MMAP_THRESHOLD``, the most it may be, and ``M_TRIM_THRESHOLD``, four requests of the default limit; bytes."""


def serve(settings: ServerSettings) -> int:
    """Serve until SIGTERM, SIGINT or, if so set, the end of standard input; a second signal cuts the drain short.

    Prints one line on standard output once it listens: ``features: listening on 127.0.0.1:10001``. To be called by the
    main thread of a process of its own: it takes the signals.

    Returns:
        The exit status: 0, or 1 with one line on standard error if it cannot listen.
    Raises:
        SettingsError: features or a model cannot be loaded.
    """
    stops: SimpleQueue[str] = SimpleQueue()  # its put may interrupt anything, as a signal does

    def on_signal(number: int, frame: FrameType | None) -> None:
        stops.put(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    _keep_freed_memory()
    try:
        server = start(settings)
    except ListenError as error:
        print(f"{settings.service}: {error}", file=sys.stderr)
        return 1
    print(f"{settings.service}: listening on {server.address}", flush=True)
    if settings.stop_at_end_of_input:
        threading.Thread(target=_watch_input, args=(stops,), daemon=True).start()
    stops.get()
    if not _drained(server, settings, stops):
        print(f"{settings.service}: calls that did not finish were cut", file=sys.stderr, flush=True)
        os._exit(1)  # their threads would hold an orderly end up for ever
    return 0


def _keep_freed_memory() -> None:
    """Have glibc keep the memory of a request for the next: else the kernel takes and clears 500 pages for each batch.

    Measured with batches of 256 windows: a quarter of the system time, and half as many batches again. Where the C
    library is another one, nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _MALLOPT:
            mallopt(option, value)


def _drained(server: RunningServer, settings: ServerSettings, stops: SimpleQueue[str]) -> bool:
    """Whether every call finished in time."""
    server.stop_being_healthy()
    grace_s = None
    try:
        stops.get(timeout=settings.drain_delay_ms / 1000)
        grace_s = 0.0
    except Empty:
        pass
    return server.stop(grace_s)


def _watch_input(stops: SimpleQueue[str]) -> None:
    while os.read(0, 65_536):
        pass
    stops.put("end of input")
