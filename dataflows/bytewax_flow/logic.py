"""The adapter between Bytewax and ``Device``: passes items to the device, and its outputs on. It holds no rule."""

from collections.abc import Iterable

from bytewax.operators import StatefulBatchLogic

from dataflows.bytewax_flow.sealed import sealed, unsealed
from dataflows.pipeline.device import Device, DeviceInput, LocatedOutput
from dataflows.pipeline.metrics import Metrics
from window_core import WindowSpec

__all__ = ["DeviceLogic"]


class DeviceLogic(StatefulBatchLogic[DeviceInput, LocatedOutput, bytes]):
    """One device in a Bytewax flow; its state is the core's own snapshot, sealed."""

    def __init__(self, spec: WindowSpec, metrics: Metrics, state: bytes | None) -> None:
        self._device = Device(spec, metrics, None if state is None else unsealed(state))

    def on_batch(self, values: list[DeviceInput]) -> tuple[Iterable[LocatedOutput], bool]:
        outputs = [output for told in values for output in self._device.take(told)]
        return outputs, self._device.next_wakeup_ms() is None

    def snapshot(self) -> bytes:
        return sealed(self._device.snapshot())
