"""Where the simulation takes hold of the shipped code: clients of Kafka, channels of gRPC, threads and clocks."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from dataflows.bytewax_flow import file_sink
from dataflows.connectors.kafka import committed_records, group_progress, last_arrival, topic, topic_watch, writer
from dataflows.services import calls, channels, client, server_streams, stream
from tests.simulation.channels import Requests, Servers, SilentEvent, StreamThread
from tests.simulation.kafka_clients import Clients
from tests.simulation.process import Killed, Process

__all__ = ["LateThreads", "simulated_clients", "simulated_services"]


class LateThreads:
    """In place of a pool of threads: what it was given is worked on when it is asked for, in any order."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "_LateFuture":
        return _LateFuture(self._process, lambda: function(*arguments))

    def map(self, function: Callable[[Any], Any], values: Iterable[Any]) -> Iterator[Any]:
        values = list(values)
        places = self._process.random.sample(range(len(values)), len(values))
        results = {place: function(values[place]) for place in places}
        return iter([results[place] for place in range(len(values))])

    def shutdown(self, *, cancel_futures: bool = False) -> None:
        """Nothing runs by itself."""


class _LateFuture:
    def __init__(self, process: Process, work: Callable[[], Any]) -> None:
        self._process, self._work = process, work
        self._found: Future[Any] | None = None

    def done(self) -> bool:
        if self._found is None and self._process.random.random() < 0.3:
            self._run()
        return self._found is not None

    def result(self) -> Any:
        return self._run().result()

    def _run(self) -> "Future[Any]":
        if self._found is None:
            self._found = Future()
            try:
                self._found.set_result(self._work())
            except Exception as error:
                self._found.set_exception(error)
        return self._found


def simulated_clients(stack: ExitStack, clients: Clients) -> None:
    """Kafka, and the files of outputs, for the time of a context."""
    process = clients.process
    stack.enter_context(patch.object(committed_records, "Consumer", clients.consumer))
    stack.enter_context(patch.object(topic, "AdminClient", clients.admin))
    stack.enter_context(patch.object(topic_watch, "AdminClient", clients.admin))
    stack.enter_context(patch.object(writer, "Producer", clients.producer))
    for module in (committed_records, group_progress, last_arrival, topic, topic_watch):
        stack.enter_context(patch.object(module, "monotonic", process.monotonic))
    files = _Files(process)
    stack.callback(files.close_all)
    stack.enter_context(patch.object(file_sink, "os", files))


class _Files:
    """The calls of ``os`` that write outputs: each may be the last, and a write may be cut short by it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._open: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: str, flags: int, mode: int) -> int:
        file = os.open(path, flags, mode)
        self._open.add(file)
        return file

    def close(self, file: int) -> None:
        self._open.remove(file)
        os.close(file)

    def close_all(self) -> None:
        """The process is gone."""
        for file in self._open:
            os.close(file)

    def write(self, file: int, data: memoryview) -> int:
        try:
            self._process.effect(f"write {len(data)}")
        except Killed:
            os.write(file, data[: self._process.random.randint(0, len(data))])
            raise
        return os.write(file, data)

    def truncate(self, file: int, size: int) -> None:
        self._process.effect(f"truncate {size}")
        os.truncate(file, size)

    def fsync(self, file: int) -> None:
        self._process.effect("fsync")


def simulated_services(stack: ExitStack, servers: Servers, process: Process) -> None:
    """Channels, threads and clocks of the client of the services, for the time of a context."""
    stack.enter_context(patch.object(channels.grpc, "insecure_channel", servers.channel))
    stack.enter_context(patch.object(client, "ThreadPoolExecutor", lambda *_, **__: LateThreads(process)))
    stack.enter_context(patch.object(stream, "Thread", lambda target, name, daemon: StreamThread(servers, target)))
    stack.enter_context(patch.object(stream, "Event", lambda: SilentEvent(servers)))
    stack.enter_context(patch.object(stream, "SimpleQueue", Requests))
    for module in (stream, server_streams, channels):
        stack.enter_context(patch.object(module, "monotonic", process.monotonic))
    stack.enter_context(patch.object(calls, "sleep_using_event", lambda _: process.sleep))
