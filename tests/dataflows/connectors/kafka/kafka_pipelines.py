"""The shipped flow over topics: in this process to the end of a bounded log, or as a command of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from itertools import count
from pathlib import Path
from typing import Any

from dataflows.bytewax_flow.run import run_on_bytewax
from dataflows.connectors.locations import Locations, located
from dataflows.connectors.log import Log, opened_log
from dataflows.pipeline.metrics import Metrics
from dataflows.services.client import Services
from dataflows.settings import RunSettings
from tests.dataflows.connectors.kafka.topics import Topics
from tests.reference import DeviceOutputs, Outputs, read_outputs
from window_core import WindowSpec

__all__ = ["KafkaPipelines", "without_positions"]


QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""A job of a test lives for seconds, most of which a JVM would spend on compiling."""


class KafkaPipelines:
    """Runs on one broker, with the same two services.

    Attributes:
        metrics: those of the last run in this process.
        said: what it said to the user.
    """

    def __init__(self, topics: Topics, services: Services, folder: Path) -> None:
        self._topics = topics
        self._services = services
        self._folder = folder
        self._numbers = count()
        self.metrics = Metrics()
        self.said: list[str] = []

    def run(self, log: str, spec: WindowSpec, *, output: str = "", rejections: str = "", **more: Any) -> Outputs:
        """What the flow writes for a bounded log. Without an ``output``, it writes to topics of its own."""
        output = output or self._topics.made()
        rejections = rejections or self._topics.made()
        self.run_only(log, spec, output, rejections, **more)
        return self.outputs(output, rejections)

    def run_only(self, log: str, spec: WindowSpec, output: str, rejections: str, **more: Any) -> None:
        """Run the flow over a bounded log."""
        numbers = {field.name: getattr(spec, field.name) for field in fields(spec)}
        more = {"timeout_ms": 60_000, "bounded": True, **more}
        settings = RunSettings.of(input=log, predictions=output, rejections=rejections, **numbers, **more)
        self.metrics, self.said = Metrics(), []
        locations = located(settings)
        opened = opened_log(settings, locations, self.metrics, self.said.append)
        run_on_bytewax(settings, locations, self._services, self.metrics, opened)

    def opened(self, log: str) -> tuple[RunSettings, Locations, Log]:
        """A log that is read for ever, with its settings, before it is run."""
        settings = RunSettings.of(input=log, predictions=self._topics.made(), rejections=self._topics.made())
        locations = located(settings)
        return settings, locations, opened_log(settings, locations, Metrics(), self.said.append)

    def run_opened(self, opened: tuple[RunSettings, Locations, Log]) -> None:
        settings, locations, log = opened
        run_on_bytewax(settings, locations, self._services, Metrics(), log)

    def outputs(self, output: str, rejections: str) -> Outputs:
        """What stands in two topics, or files."""
        return read_outputs(self._file(output), self._file(rejections))

    def _file(self, location: str) -> Path:
        if not location.startswith("kafka://"):
            return Path(location)
        path = self._folder / f"{next(self._numbers)}.jsonl"
        path.write_bytes(b"".join(message.value() + b"\n" for message in self._topics.records(location)))
        return path

    def command(self, *options: str) -> list[str]:
        """``latecomer run`` with the services of the tests."""
        services = ["--features", self._services.features, "--inference", self._services.inference]
        return [sys.executable, "-m", "dataflows.command_line", "run", *services, *options]

    @contextmanager
    def started(self, *options: str) -> Iterator["subprocess.Popen[str]"]:
        """A run in a process of its own; it is killed if it has not ended by the end of the context."""
        root = str(Path(__file__).parents[4])
        process = subprocess.Popen(
            self.command(*options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root, "JAVA_TOOL_OPTIONS": QUICK_JAVA},
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


def without_positions(outputs: Outputs) -> dict[str | None, list[list[dict[str, Any]]]]:
    """The sequences of each device, where positions cannot be the same; what is of no device, in any order."""
    return {device: [[_placeless(line) for line in lines] for lines in of] for device, of in _sorted(outputs).items()}


def _sorted(outputs: Outputs) -> Outputs:
    of_none = outputs.get(None, DeviceOutputs([], [], []))
    by_content = sorted(of_none.rejected, key=lambda line: json.loads(line)["sha256"])
    return {**outputs, None: DeviceOutputs([], [], by_content)}


def _placeless(line: bytes) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(line)
    del values["position"]
    return values
