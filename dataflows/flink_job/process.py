"""The adapter between Flink and ``DeviceWindow``: decode, call the core once, encode, re-arm. It holds no rule."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, OutputTag, ProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

from dataflows.flink_job.frames import decoded_record, device_id_of, encoded_outputs
from dataflows.flink_job.handover import Handover, handover_of, leaves_nothing
from dataflows.flink_job.python_worker import check_mode, process_metrics, report_metrics
from dataflows.prediction_step import OutputRecord, PredictionStep
from dataflows.records import LoggedEvent, decoded_event, encoded_invalid, encoded_rejection
from dataflows.service_client import ServiceClient, Services
from dataflows.settings import RunSettings
from dataflows.window_step import LocatedOutput, outputs_at, outputs_of
from window_core import DeviceWindow, Evaluation, EventError, Reason

__all__ = ["BYTES", "REJECTIONS", "PredictionFunction", "WindowFunction"]

BYTES: Final = Types.PRIMITIVE_ARRAY(Types.BYTE())
"""In a stream these arrive as ``bytes``, without a conversion."""

REJECTIONS: Final = OutputTag("rejections", BYTES)

_MAX_WATERMARK_MS: Final = (1 << 63) - 1
"""Flink's end of time: a bounded input has ended, or a job is drained."""

_WINDOWS_AT_HAND: Final = 20_000
"""Windows kept as objects beside their stored bytes, so that an event need not take one up again: 220 MB at 300 events
each. The least recently used one goes first; nothing is lost with it."""


@dataclass(slots=True)
class _AtHand:
    """A window as an object, and the timer that is set for it."""

    window: DeviceWindow
    armed_ms: int | None = None


class WindowFunction(KeyedProcessFunction):
    """The devices of one subtask. The state of each is the core's own snapshot, its timer the core's next wake-up."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._spec = settings.spec

    def open(self, runtime_context: RuntimeContext) -> None:
        check_mode(runtime_context)
        # A pickle of bytes is a plain copy; a state of primitive arrays would be converted byte by byte.
        self._state = runtime_context.get_state(ValueStateDescriptor("window", Types.PICKLED_BYTE_ARRAY()))
        self._metrics = process_metrics(self._settings)
        self._at_hand: OrderedDict[str, _AtHand] = OrderedDict()
        self._handover = Handover(self._settings.batch_windows)

    def process_element(self, value: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        record = decoded_record(value)
        if self._settings.until_ms is not None and record.arrival_ms > self._settings.until_ms:
            return
        self._metrics.records.inc()
        self._metrics.arrived(record.position.partition("/")[0], record.arrival_ms)
        if record.is_rejected:
            yield self._rejection("INVALID", "", record.value or b"")
            return
        try:
            if record.value is None:
                raise EventError("not_an_event")
            event = decoded_event(record.value, record.key, self._settings.format, record.arrival_ms)
        except EventError as error:
            invalid = encoded_invalid(error, record.value or b"", record.position, record.arrival_ms)
            yield self._rejection("INVALID", "", invalid)
            return
        logged = LoggedEvent(event, record.arrival_ms, record.position)
        at_hand = self._taken_up(event.device_id) or _AtHand(DeviceWindow(self._spec, event.device_id))
        yield from self._done(at_hand, outputs_of(at_hand.window, logged, self._metrics), ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        until_ms = self._settings.until_ms
        if until_ms is None and ctx.timer_service().current_watermark() == _MAX_WATERMARK_MS:
            return  # a drained job: no record stands behind this instant
        if until_ms is not None and timestamp > until_ms:
            return
        at_hand = self._taken_up(device_id_of(ctx.get_current_key()))
        if at_hand is not None:
            at_hand.armed_ms = None
            yield from self._done(at_hand, outputs_at(at_hand.window, timestamp), ctx)

    def close(self) -> None:
        report_metrics(self._metrics)

    def _taken_up(self, device_id: str) -> _AtHand | None:
        """The window of a device, if it has state."""
        at_hand = self._at_hand.get(device_id)
        if at_hand is None:
            stored = self._state.value()
            return None if stored is None else _AtHand(DeviceWindow.restore(self._spec, stored))
        return at_hand

    def _done(self, at_hand: _AtHand, located: list[LocatedOutput], ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Hand the outputs on, store the state if it changed, set the timer if it moved."""
        window = at_hand.window
        has_changed = False
        for entry in located:
            output, position = entry
            if isinstance(output, Evaluation):
                has_changed = True
                signal = self._handover.put(entry)
                if signal is not None:
                    yield signal
            else:
                assert position is not None
                yield self._rejection(output.reason, output.event.device_id, encoded_rejection(output, position))
        wakeup_ms = window.next_wakeup_ms()
        if wakeup_ms is None:
            self._at_hand.pop(window.device_id, None)
            self._state.clear()
            return
        if has_changed:
            self._state.update(window.snapshot())
        if wakeup_ms != at_hand.armed_ms:
            ctx.timer_service().register_event_time_timer(wakeup_ms)
            at_hand.armed_ms = wakeup_ms
        self._at_hand[window.device_id] = at_hand
        self._at_hand.move_to_end(window.device_id)
        if len(self._at_hand) > _WINDOWS_AT_HAND:
            self._at_hand.popitem(last=False)

    def _rejection(self, reason: Reason, device_id: str, value: bytes) -> tuple[OutputTag, bytes]:
        self._metrics.rejections.labels(reason).inc()
        return REJECTIONS, encoded_outputs([OutputRecord("rejections", device_id, value)])


class PredictionFunction(ProcessFunction):
    """Asks the services about batches of evaluations, several under way at once, and hands the answers on in order."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        check_mode(runtime_context)
        assert self._settings.features is not None
        assert self._settings.inference is not None
        self._metrics = process_metrics(self._settings)
        services = Services(self._settings.features, self._settings.inference)
        self._client = ServiceClient(services, self._settings, self._metrics)
        self._step = PredictionStep(self._client, self._metrics)
        self._threads = ThreadPoolExecutor(self._settings.calls_in_flight, thread_name_prefix="batch")
        self._under_way: deque[Future[list[OutputRecord]]] = deque()
        self._handover: Handover | None = None

    def process_element(self, value: bytes, ctx: ProcessFunction.Context) -> Iterator[bytes]:
        self._handover = handover_of(value)
        batch = self._handover.take()
        if batch:
            self._under_way.append(self._threads.submit(self._step.records, batch))
        left = 0 if leaves_nothing(value) else self._settings.calls_in_flight
        while self._under_way and (len(self._under_way) > left or self._under_way[0].done()):
            yield encoded_outputs(self._under_way.popleft().result())

    def close(self) -> None:
        self._client.close()
        self._threads.shutdown(cancel_futures=True)
        if self._handover is not None:
            self._handover.close()
        report_metrics(self._metrics)
