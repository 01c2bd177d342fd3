"""The life of a server process: it says where it listens, serves until it is told to stop, drains, and ends."""

import logging
import os
import select
import signal
import sys
import threading

from grpc_services.python.server import ListenError, RunningServer, start
from grpc_services.python.settings import ServerSettings
from runtime.busy_process import OBJECTS_OF_CALLS, prepare_for_load
from runtime.errors import SettingsError
from runtime.metrics_server import MetricsServer
from runtime.printable import PrintableLines, printable

__all__ = ["serve"]


def serve(settings: ServerSettings) -> int:
    """Serve until SIGTERM, SIGINT or, if so set, the end of standard input; a second signal cuts the drain short.

    Prints one line on standard output once it listens: ``features: listening on 127.0.0.1:10001``; what a plug-in
    prints goes to standard error. To be called by the main thread of a process of its own: it takes the signals.

    Returns:
        The exit status: 0, or 1 with one line on standard error if it cannot listen.
    Raises:
        SettingsError: features, a model, a certificate or a key set cannot be loaded. Where standard input is watched,
            whoever is at its other end gets the message as that line, with exit status 2.
    """
    announcements = _announcements()
    stops, told = os.pipe()  # a byte for each time it was told to stop
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)  # written by the handler in C: a signal between a look and a wait is not lost
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    prepare_for_load(OBJECTS_OF_CALLS)
    log = logging.StreamHandler()
    log.setFormatter(PrintableLines())
    logging.basicConfig(handlers=[log])
    try:
        server = start(settings)
    except SettingsError as error:
        if not settings.connections.stop_at_end_of_input:
            raise
        os.write(announcements, f"{' '.join(str(error).split())}\n".encode())
        return 2
    except ListenError as error:
        print(printable(f"{settings.service}: {error}"), file=sys.stderr)
        return 1
    if settings.listen.metrics_port is not None and not _serves_metrics(server, settings):
        server.stop(0.0)
        return 1
    os.write(announcements, f"{settings.service}: listening on {server.address}\n".encode())
    if settings.connections.stop_at_end_of_input:
        threading.Thread(target=_watch_input, args=(told,), daemon=True).start()
    _is_told(stops, None)
    if not _drained(server, settings, stops):
        print(f"{settings.service}: calls that did not finish were cut", file=sys.stderr, flush=True)
        os._exit(1)  # their threads would hold an orderly end up for ever
    return 0


def _announcements() -> int:
    """Standard output, for our line alone: what anybody else prints there, in C too, now goes to standard error.

    Whoever started us may read one line and no more: a plug-in that prints would fill the pipe, and wait for ever.
    """
    ours = os.dup(1)
    sys.stdout.flush()
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return ours


def _serves_metrics(server: RunningServer, settings: ServerSettings) -> bool:
    """Serve the numbers until the process ends, and say where; if the port is taken, say that."""
    assert settings.listen.metrics_port is not None
    try:
        host = settings.listen.metrics_host or settings.listen.host
        metrics = MetricsServer(server.metrics.registry, host, settings.listen.metrics_port, server.is_serving)
    except OSError as error:
        print(f"{settings.service}: --metrics-port {settings.listen.metrics_port}: {error.strerror}", file=sys.stderr)
        return False
    print(f"{settings.service}: metrics: {metrics.url}", file=sys.stderr)
    return True


def _is_told(stops: int, timeout_s: float | None) -> bool:
    """Wait until the process is told to stop; whether it was in time. Each time counts once."""
    ready, _, _ = select.select([stops], [], [], timeout_s)
    return bool(ready and os.read(stops, 1))


def _drained(server: RunningServer, settings: ServerSettings, stops: int) -> bool:
    """Whether every call finished in time."""
    server.stop_being_healthy()
    hurried = _is_told(stops, settings.connections.drain_delay_ms / 1000)
    return server.stop(0.0 if hurried else None)


def _watch_input(told: int) -> None:
    while os.read(0, 65_536):
        pass
    os.write(told, b"\0")
