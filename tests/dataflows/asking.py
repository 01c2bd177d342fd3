"""A client between two servers that misbehave as they are told, and what it asks about."""

from contextlib import ExitStack, closing
from random import Random
from typing import Any

import pytest

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Answer
from dataflows.services.client import ServiceClient, Services
from dataflows.settings import RunSettings
from runtime.traces import NO_TRACES, Traces
from tests.dataflows.misbehaving import Misbehaving, Rule, misbehaving
from tests.events import demo_event
from window_core import DeviceWindow, Evaluation, WindowSpec

__all__ = ["EVALUATIONS", "RPC", "SERVICE", "Bench", "as_it_should", "told"]


def some_evaluations(number: int) -> list[Evaluation]:
    """Of windows that grow: 1 to ``number`` events."""
    random = Random(number)
    window = DeviceWindow(WindowSpec(tick_ms=0), "d")
    outputs = [
        output
        for time_ms in range(number)
        for output in window.on_event(demo_event("d", time_ms, float(time_ms), random.randrange(9), 1.0, -2.0), time_ms)
    ]
    return [output for output in outputs if isinstance(output, Evaluation)]


EVALUATIONS = some_evaluations(24)

RPC = pytest.mark.parametrize("rpc", ["batch", "stream", "unary"])
SERVICE = pytest.mark.parametrize("service", ["features", "inference"])


def told(service: str, rule: Rule) -> dict[str, Rule]:
    """A rule for one of the two."""
    return {service: rule}


def as_it_should(name: str, request: object, number: int) -> None:
    """The rule of a service that behaves."""


class Bench:
    """A client between servers that misbehave, and what happened."""

    def __init__(self, stack: ExitStack, features: str, inference: str) -> None:
        self._stack = stack
        self._real = features, inference
        self.metrics = Metrics()
        self.traces: Traces = NO_TRACES
        self.features: Misbehaving
        self.inference: Misbehaving

    def client(self, features: Rule = as_it_should, inference: Rule = as_it_should, **changes: Any) -> ServiceClient:
        """A client with small batches, between two servers with these rules."""
        self.features = self._stack.enter_context(misbehaving(self._real[0], features))
        self.inference = self._stack.enter_context(misbehaving(self._real[1], inference))
        settings = RunSettings.of(
            **{"rpc": "batch", "batch_windows": 8, "pause_ms": 1, "timeout_ms": 30_000, **changes}
        )
        services = Services(self.features.address, self.inference.address)
        return self._stack.enter_context(closing(ServiceClient(services, settings, self.metrics, self.traces)))

    def asked(self, features: Rule = as_it_should, inference: Rule = as_it_should, **changes: Any) -> list[Answer]:
        return self.client(features, inference, **changes).answers(EVALUATIONS)
