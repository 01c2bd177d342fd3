"""The wiring: log, windows, services, outputs. It holds no rule."""

from collections.abc import Iterable
from functools import partial
from typing import Any, TypeGuard, cast

import bytewax.operators as op
from bytewax.dataflow import Dataflow, Stream
from bytewax.inputs import FixedPartitionedSource
from bytewax.outputs import FixedPartitionedSink

from dataflows.bytewax_flow.logic import DeviceLogic
from dataflows.bytewax_flow.partition import SourceItem
from dataflows.bytewax_flow.sealed import SealedSink, SealedSource
from dataflows.pipeline.device import DeviceInput, LocatedOutput
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.prediction_step import PredictionStep
from dataflows.pipeline.record import OutputRecord
from window_core import WindowSpec

__all__ = ["latecomer_flow"]


def latecomer_flow(
    source: FixedPartitionedSource[SourceItem, Any],
    sink: FixedPartitionedSink[OutputRecord, Any],
    step: PredictionStep,
    spec: WindowSpec,
    metrics: Metrics,
) -> Dataflow:
    """The dataflow from a log to predictions and rejections.

    Args:
        source: what it reads: for each device its events and the instants of its clock in one order, and rejections.
        sink: where it writes; it takes the topic and the record.
        step: what it does with the outputs of the windows.
        spec: the numbers of the windows.
        metrics: what it counts.
    """

    def called(located: list[tuple[str, LocatedOutput]]) -> Iterable[OutputRecord]:
        return step.records([output for _, output in located])

    flow = Dataflow("latecomer")
    items = op.input("log", flow, SealedSource(source))
    kinds = op.branch("kinds", items, _is_for_device)
    windows = op.stateful_batch("windows", kinds.trues, partial(DeviceLogic, spec, metrics))
    records = op.flat_map_batch("services", windows, called)
    both = op.merge("records", records, cast(Stream[OutputRecord], kinds.falses))
    op.output("outputs", op.map("topics", both, _addressed), SealedSink(sink))
    return flow


def _is_for_device(item: SourceItem) -> TypeGuard[tuple[str, DeviceInput]]:
    return type(item) is tuple


def _addressed(record: OutputRecord) -> tuple[str, OutputRecord]:
    return record.kind, record
