"""A steady load on both services, and server processes that can be restarted, killed and stopped under it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Prediction
from dataflows.services.asked_windows import demo_window
from dataflows.services.client import ServiceClient, Services
from dataflows.settings import RunSettings

QUICK_START = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
"""These servers live for seconds."""

LIMIT_S = 120  # nothing here waits for time to pass; what hangs fails
WAYS = ("unary", "batch", "stream")
SCORE = {"logistic_regression_result": "0.515127767"}


class Load:
    """Callers that ask about the window of the original demo, again and again, each in another way."""

    def __init__(self, features: str, inference: str, **settings: Any) -> None:
        self.metrics = Metrics()
        self.failures: list[str] = []
        self._evaluations = 0
        self._changed = threading.Condition()
        self._ended = False
        self._threads = []
        for way in WAYS:
            given = RunSettings.of(features=features, inference=inference, rpc=way, batch_windows=2, **settings)
            client = ServiceClient(Services(features, inference), given, self.metrics)
            self._threads.append(threading.Thread(target=self._ask, args=(client,)))

    def _ask(self, client: ServiceClient) -> None:
        windows = [demo_window()] * 4
        while not self._ended:
            try:
                answers = client.answers(windows)
                wrong = [one for one in answers if not isinstance(one, Prediction) or one.result != SCORE]
            except Exception as error:  # whatever it is, it is counted
                answers, wrong = [], [error]
            with self._changed:
                self._evaluations += len(answers)
                self.failures += map(repr, wrong)
                self._changed.notify_all()
        client.close()

    def wait_for_more(self, evaluations: int = 60) -> None:
        """Until so many more evaluations are answered, or one failed."""
        with self._changed:
            aim = self._evaluations + evaluations
            assert self._changed.wait_for(lambda: self._evaluations >= aim or self.failures, LIMIT_S)
        assert self.failures == []  # which, if any, is shown

    def retries(self) -> float:
        """Attempts that failed, whichever came of them."""
        samples = [sample for family in self.metrics.retries.collect() for sample in family.samples]
        return sum(sample.value for sample in samples if sample.name.endswith("_total"))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        for thread in self._threads:
            thread.join()


class Server:
    """A server process, which keeps its port when it is started again."""

    def __init__(self, service: str, language: str) -> None:
        self._command = [sys.executable, "-m", "dataflows.command_line", "serve", service, "--language", language]
        self._port = "0"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        options = ["--port", self._port, "--stop-with-input", "--drain", "200ms", "--grace", "5s"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [*self._command, *options], env=os.environ | QUICK_START, stdin=pipe, stdout=pipe, text=True
        )

    def wait_until_it_listens(self) -> None:
        line = self.process.stdout.readline()
        assert "listening on" in line
        self._port = line.strip().rpartition(":")[2]

    @property
    def process(self) -> Any:
        assert self._process is not None
        return self._process

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.send(number)
        status: int = self.process.wait(LIMIT_S)
        self.process.stdin.close()
        self.process.stdout.close()
        return status


@contextmanager
def running_servers(*languages: str) -> Iterator[dict[str, list[Server]]]:
    """A server of each service in each of the languages."""
    servers = {service: [Server(service, language) for language in languages] for service in ("features", "inference")}
    everyone = [server for several in servers.values() for server in several]
    with ExitStack() as ends:
        for server in everyone:
            server.start()
            ends.callback(lambda one=server: one.end(signal.SIGKILL) if one.process.poll() is None else None)
        for server in everyone:
            server.wait_until_it_listens()
        yield servers


def addresses_of(servers: list[Server]) -> str:
    return ",".join(server.address for server in servers)
