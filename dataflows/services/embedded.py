"""Services that a run starts for itself: two processes on free ports, which end with the run, however it ends."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from signal import SIGINT, SIGTERM, raise_signal, signal
from threading import current_thread, main_thread
from typing import Any, Final

from dataflows.services.answers import ServiceName
from dataflows.services.client import Services
from dataflows.services.errors import ServiceError
from dataflows.settings import RunSettings
from runtime.addresses import PLAIN
from runtime.errors import SettingsError
from runtime.python_process import python_environment
from runtime.traces import service_in_traces

__all__ = ["embedded_process", "embedded_service", "feature_service_of", "services_here", "services_of"]

_STOP_WITHIN_S: Final = 10


@contextmanager
def embedded_service(name: ServiceName, *options: str, **variables: str) -> Iterator[str]:
    """A service in a process of its own, for the time of the context.

    Args:
        name: which of the two.
        options: more options of ``latecomer serve``.
        variables: what differs in its environment.
    Yields:
        Its address, ``HOST:PORT``.
    Raises:
        SettingsError: it cannot be what the options say.
        ServiceError: it did not start.
    """
    with embedded_process("serve", name, "--port", "0", *options, **variables) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        address = line.removeprefix(f"{name}: listening on ")
        if not line:
            raise ServiceError(f"the {name} service of this run did not start")
        if address == line:
            raise SettingsError(line)  # as a server says it
        yield address


@contextmanager
def embedded_process(*arguments: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """A command in a process of its own, which ends with the context, and with us if we are killed.

    Args:
        arguments: of a command that knows ``--stop-with-input``.
        variables: what differs in its environment.
    """
    # Its standard input is a pipe from us: it ends when we do, also if we are killed.
    command = [sys.executable, "-m", "dataflows.command_line", *arguments, "--stop-with-input"]
    with ExitStack() as stack:
        with _without_interrupts():  # one in the midst of a start would leave a process that nobody stops
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=python_environment() | variables,
                start_new_session=True,
            )
            stack.callback(_stop, process)
        yield process


@contextmanager
def services_of(settings: RunSettings) -> Iterator[Services]:
    """The services that a run asks: those that were named, else its own, for the time of the context.

    Raises:
        SettingsError: one of its own cannot be what the settings say.
        ServiceError: one of its own did not start.
    """
    calls = settings.calls
    with ExitStack() as stack:
        features = stack.enter_context(feature_service_of(settings))
        own = () if calls.model is None else ("--model", calls.model)
        inference = calls.inference or stack.enter_context(_own_service("inference", settings, *own))
        yield Services(features, inference)


@contextmanager
def services_here(settings: RunSettings) -> Iterator[Services]:
    """The same, its own in this process: whoever asks about one window does not wait for two processes.

    Raises:
        SettingsError: one of its own cannot be what the settings say.
    """
    from grpc_services.python.server import start  # a server and its libraries: loaded only where there is one
    from grpc_services.python.settings import ServerSettings

    calls = settings.calls
    addresses = {"features": calls.features, "inference": calls.inference}
    own: dict[ServiceName, dict[str, Any]] = {
        "features": {"features_from": calls.features_from, "sensors": settings.log.sensors},
        "inference": {"model": calls.model},
    }
    with ExitStack() as stack:
        for name, plugins in own.items():
            if addresses[name] is None:
                compression = settings.channel.compression
                server = start(ServerSettings.of(name, port=0, compression=compression, **plugins))
                stack.callback(server.stop, 0.0)
                addresses[name] = server.address
        yield Services(str(addresses["features"]), str(addresses["inference"]))


@contextmanager
def feature_service_of(settings: RunSettings) -> Iterator[str]:
    """The address of the feature service that a run asks: the one that was named, else its own, as above.

    Raises:
        SettingsError: its own cannot be what the settings say.
        ServiceError: its own did not start.
    """
    calls = settings.calls
    if calls.features is not None:
        yield calls.features
        return
    own = () if calls.features_from is None else ("--features-from", calls.features_from)
    sensors = ("--sensors", ",".join(settings.log.sensors))
    with _own_service("features", settings, *sensors, *own) as address:
        yield PLAIN + address


def _own_service(name: ServiceName, settings: RunSettings, *options: str) -> AbstractContextManager[str]:
    """A service of a run, as above, that is called and traced as the run says."""
    compression = ("--compression", settings.channel.compression)
    if settings.traces is None:
        return embedded_service(name, *compression, *options)
    # A name that the environment gives is the run's.
    named = {"OTEL_SERVICE_NAME": service_in_traces(name)}
    return embedded_service(name, *compression, "--traces", settings.traces, *options, **named)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Inside, SIGINT and SIGTERM wait for the end of the context. Python handles signals in its main thread."""
    if current_thread() is not main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal(number, lambda number, _: came.append(number)) for number in (SIGINT, SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal(number, handler)
    for waiting in came:
        raise_signal(waiting)


def _stop(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
