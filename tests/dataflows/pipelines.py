"""The shipped Bytewax flow, run in this process over the bytes of a file."""

from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dataflows.bytewax_flow import file_source
from dataflows.bytewax_flow.run import run_on_bytewax
from dataflows.connectors.file_log import FileLog
from dataflows.connectors.locations import Locations
from dataflows.pipeline.metrics import Metrics
from dataflows.services.client import Services
from dataflows.settings import RunSettings
from tests.reference import Outputs, read_outputs
from window_core import WindowSpec

__all__ = ["Pipelines"]


class Pipelines:
    """Runs over files in one folder, with the same two services."""

    def __init__(self, services: Services, folder: Path) -> None:
        self._services = services
        self._folder = folder
        self.metrics = Metrics()

    def run(
        self,
        data: bytes,
        spec: WindowSpec,
        until_ms: int | None = None,
        *,
        chunk_bytes: int = 256 * 1024,
        parallelism: int = 1,
        **calls: Any,
    ) -> Outputs:
        """What the flow writes. ``calls`` are settings of the calls: ``rpc``, ``batch_windows``, ``in_flight``."""
        numbers = {field.name: getattr(spec, field.name) for field in fields(spec)}
        calls = {"timeout_ms": 60_000, **calls}
        settings = RunSettings.of(until_ms=until_ms, parallelism=parallelism, **numbers, **calls)
        log = self._folder / "events.jsonl"
        log.write_bytes(data)
        predictions, rejections = self._folder / "predictions.jsonl", self._folder / "rejections.jsonl"
        self.metrics = Metrics()
        locations = Locations(str(log), str(predictions), str(rejections), False)
        with patch.object(file_source, "_CHUNK_BYTES", chunk_bytes):
            run_on_bytewax(
                settings, locations, self._services, self.metrics, FileLog(locations.input, self.metrics, until_ms)
            )
        return read_outputs(predictions, rejections)
