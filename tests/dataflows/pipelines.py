"""The shipped Bytewax flow, run in this process over the bytes of a file."""

from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dataflows.bytewax_flow import file_source
from dataflows.bytewax_flow.run import run_on_bytewax
from dataflows.connectors.file_log import FileLog
from dataflows.connectors.locations import Locations
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.metrics import Metrics
from dataflows.services.client import Services
from dataflows.settings import RunSettings
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from tests.plain_model import plain_model
from tests.reference import Outputs, read_outputs
from window_core import DEMO_SENSORS, Sensors, WindowSpec

__all__ = ["Pipelines"]


class Pipelines:
    """Runs over files in one folder, with the same two services for the same sensors."""

    def __init__(self, stack: ExitStack, services: Services, folder: Path) -> None:
        self._stack = stack
        self._services = {DEMO_SENSORS: services}
        self._folder = folder
        self.metrics = Metrics()

    def run(
        self,
        data: bytes,
        spec: WindowSpec,
        until_ms: int | None = None,
        *,
        chunk_bytes: int = 256 * 1024,
        sensors: Sensors = DEMO_SENSORS,
        **calls: Any,
    ) -> Outputs:
        """What the flow writes. ``calls`` are settings of the calls: ``rpc``, ``batch_windows``, ``in_flight``."""
        numbers = {field.name: getattr(spec, field.name) for field in fields(spec)}
        calls = {"timeout_ms": 60_000, **calls}
        services = self._services_for(sensors)
        settings = RunSettings.of(
            until_ms=until_ms, sensors=sensors.declared,
            features=services.features, inference=services.inference, **numbers, **calls,
        )  # fmt: skip
        log = self._folder / "events.jsonl"
        log.write_bytes(data)
        predictions, rejections = self._folder / "predictions.jsonl", self._folder / "rejections.jsonl"
        self.metrics = Metrics()
        locations = Locations(str(log), str(predictions), str(rejections), False)
        with patch.object(file_source, "_CHUNK_BYTES", chunk_bytes):
            source = FileLog(locations.input, self.metrics, until_ms, EventLayout(sensors))
            run_on_bytewax(settings, locations, services, self.metrics, source)
        return read_outputs(predictions, rejections)

    def _services_for(self, sensors: Sensors) -> Services:
        """Those of the demo, or others with a model made up for these sensors."""
        if sensors not in self._services:
            model = self._folder / f"model-{len(self._services)}.json"
            model.write_text(plain_model(sensors).artifact)
            features = start(ServerSettings.of("features", port=0, sensors=sensors.declared))
            self._stack.callback(features.stop, 0.0)
            inference = start(ServerSettings.of("inference", port=0, model=str(model)))
            self._stack.callback(inference.stop, 0.0)
            self._services[sensors] = Services(features.address, inference.address)
        return self._services[sensors]
