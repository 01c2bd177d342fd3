"""The adapter between Bytewax and ``DeviceWindow``: decode, call the core, encode. It holds no rule."""

from collections.abc import Iterable
from typing import TypeAlias

from bytewax.operators import StatefulBatchLogic

from dataflows.bytewax_flow.failure import fails_quietly
from dataflows.bytewax_flow.sealed import sealed, unsealed
from dataflows.metrics import Metrics
from dataflows.records import LoggedEvent
from dataflows.window_step import LocatedOutput, outputs_at, outputs_of, partition_of
from window_core import DeviceWindow, WindowSpec

__all__ = ["WindowInput", "WindowLogic"]

WindowInput: TypeAlias = LoggedEvent | int
"""What a device is told: an event, or an arrival watermark in ms."""


class WindowLogic(StatefulBatchLogic[WindowInput, LocatedOutput, bytes]):
    """One device in a Bytewax flow; its state is the core's own snapshot, sealed."""

    @fails_quietly
    def __init__(self, spec: WindowSpec, metrics: Metrics, state: bytes | None) -> None:
        self._spec = spec
        self._metrics = metrics
        self._partition: str | None = None
        self._window = None if state is None else DeviceWindow.restore(spec, unsealed(state))

    @fails_quietly
    def on_batch(self, values: list[WindowInput]) -> tuple[Iterable[LocatedOutput], bool]:
        outputs: list[LocatedOutput] = []
        for value in values:
            if isinstance(value, int):
                if self._window is not None:
                    outputs += outputs_at(self._window, value)
            else:
                if self._window is None:
                    self._window = DeviceWindow(self._spec, value.event.device_id)
                self._partition = partition_of(value, self._partition, self._metrics)
                outputs += outputs_of(self._window, value, self._metrics)
        return outputs, self._window is None or self._window.next_wakeup_ms() is None

    def snapshot(self) -> bytes:
        assert self._window is not None  # a logic without one was discarded
        return sealed(self._window.snapshot())
