"""A run and services in processes of their own, which serve their metrics until they are stopped."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dataflows.services.embedded import embedded_service
from tests.conftest import ROOT

__all__ = ["GIVE_UP_S", "free_ports", "run_with_metrics", "services_with_metrics"]

GIVE_UP_S = 60


@contextmanager
def run_with_metrics(
    log: str, output: str, rejections: str, features: str, inference: str, *more: str
) -> Iterator[str]:
    """A run that does not end by itself; gives where its metrics are."""
    options = ["--input", log, "--output", output, "--rejections", rejections, "--metrics-port", "0", "--pause", "1ms"]
    command = [sys.executable, "-m", "dataflows.command_line", "run", *options, *more]
    with subprocess.Popen(
        [*command, "--features", features, "--inference", inference],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            assert process.stderr is not None
            said = []
            for line in process.stderr:
                said.append(line)
                if line.startswith("metrics: "):
                    yield line.removeprefix("metrics: ").strip()
                    break
            else:
                raise AssertionError("".join(said))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(GIVE_UP_S)


@contextmanager
def services_with_metrics() -> Iterator[tuple[list[str], list[int]]]:
    """Both services; gives their addresses, and the ports of their metrics."""
    ports = free_ports(2)
    with ExitStack() as stack:
        yield (
            [
                stack.enter_context(embedded_service(name, "--metrics-port", str(port)))
                for name, port in zip(("features", "inference"), ports, strict=True)
            ],
            ports,
        )


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [one.getsockname()[1] for one in taken]
