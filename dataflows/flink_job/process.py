"""The adapter between Flink and ``DeviceWindow``: decode, call the core, ask, encode, re-arm. It holds no rule."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from pyflink.common import Types
from pyflink.datastream import ProcessFunction, RuntimeContext

from dataflows.flink_job.frames import (
    Batch,
    DueWakeup,
    Item,
    RecordFrame,
    StateItem,
    decoded_batch,
    encoded_instant,
    encoded_items,
)
from dataflows.flink_job.python_worker import check_mode, process_metrics
from dataflows.flink_job.report import last_report
from dataflows.pipeline.record import OutputRecord
from dataflows.prediction_step import PredictionStep
from dataflows.records import LoggedEvent, decoded_event, encoded_invalid
from dataflows.services.client import ServiceClient, Services
from dataflows.settings import RunSettings
from dataflows.window_step import LocatedOutput, outputs_at, outputs_of
from grpc_services.python.busy_process import OBJECTS_OF_BATCHES, prepare_for_load
from window_core import DeviceWindow, EventError

__all__ = ["BYTES", "PipelineFunction"]

BYTES: Final = Types.PRIMITIVE_ARRAY(Types.BYTE())
"""In a stream these arrive as ``bytes``, without a conversion."""

_MAX_WATERMARK_MS: Final = (1 << 63) - 1
"""Flink's end of time: a bounded input has ended, or a job is drained."""

_WINDOWS_AT_HAND: Final = 20_000
"""Windows kept as objects, so that an event need not take one up from its snapshot: 220 MB at 300 events each. The
least recently used one goes first, and its snapshot back to Flink."""


@dataclass(slots=True)
class _AtHand:
    """A window as an object, the timer that is set for it, and whether Flink's snapshot of it is an old one."""

    window: DeviceWindow
    armed_ms: int | None = None
    is_unsaved: bool = False


class PipelineFunction(ProcessFunction):
    """The devices of one subtask, from their records to the records to write.

    Flink keeps of each device the core's own snapshot and its next wake-up. The services are asked about a batch while
    the next one fills, so several calls may be under way, but none once a batch that leaves nothing was worked on.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._spec = settings.window.spec

    def open(self, runtime_context: RuntimeContext) -> None:
        check_mode(runtime_context)
        prepare_for_load(OBJECTS_OF_BATCHES)
        assert self._settings.calls.features is not None
        assert self._settings.calls.inference is not None
        self._metrics = process_metrics(self._settings)
        services = Services(self._settings.calls.features, self._settings.calls.inference)
        self._client = ServiceClient(services, self._settings, self._metrics)
        self._step = PredictionStep(self._client, self._metrics)
        self._threads = ThreadPoolExecutor(self._settings.calls.calls_in_flight, thread_name_prefix="batch")
        self._under_way: deque[Future[list[OutputRecord]]] = deque()
        self._at_hand: OrderedDict[str, _AtHand] = OrderedDict()
        self._records = 0
        self._arrivals_ms: dict[int, int] = {}

    def process_element(self, value: bytes, ctx: ProcessFunction.Context) -> Iterator[bytes]:
        batch = decoded_batch(value)
        items: list[Item] = []
        located = [output for entry, state in batch.entries for output in self._told(entry, state, items)]
        self._count_records()
        if located:
            self._under_way.append(self._threads.submit(self._step.records, located))
        self._hand_back(batch, items)
        left = 0 if batch.leaves_nothing else self._settings.calls.calls_in_flight
        while self._under_way and (len(self._under_way) > left or self._under_way[0].done()):
            items += self._under_way.popleft().result()
        if items:
            yield encoded_items(batch.number, items)

    def close(self) -> None:
        self._client.close()
        self._threads.shutdown(cancel_futures=True)
        last_report(self._metrics)

    def _count_records(self) -> None:
        """Count what a batch held, all at once: the counter has a lock."""
        self._metrics.records.inc(self._records)
        for partition, arrival_ms in self._arrivals_ms.items():
            self._metrics.arrived(str(partition), arrival_ms)
        self._records = 0
        self._arrivals_ms.clear()

    def _told(self, entry: RecordFrame | DueWakeup, state: bytes | None, items: list[Item]) -> list[LocatedOutput]:
        """What a device makes of a record or of its clock; what is known of it at once goes to ``items``."""
        if isinstance(entry, DueWakeup):
            at_hand, now_ms = self._taken_up(entry.device_id, state), self._now_ms(entry.now_ms)
            if at_hand is None or now_ms is None:
                return []
            at_hand.armed_ms = None
            return self._done(at_hand, outputs_at(at_hand.window, now_ms), items)
        if self._settings.log.until_ms is not None and entry.arrival_ms > self._settings.log.until_ms:
            return []
        self._records += 1
        self._arrivals_ms[entry.partition] = entry.arrival_ms
        logged = self._event(entry, items)
        if logged is None:
            return []
        device_id = logged.event.device_id
        at_hand = self._taken_up(device_id, state) or _AtHand(DeviceWindow(self._spec, device_id))
        return self._done(at_hand, outputs_of(at_hand.window, logged, self._metrics), items)

    def _event(self, record: RecordFrame, items: list[Item]) -> LoggedEvent | None:
        """The event of a record, unless it is none."""
        if record.is_rejected:
            invalid = record.value or b""
        else:
            try:
                if record.value is None:
                    raise EventError("not_an_event")
                event = decoded_event(record.value, record.key, self._settings.log.format, record.arrival_ms)
                return LoggedEvent(event, record.arrival_ms, record.position)
            except EventError as error:
                invalid = encoded_invalid(error, record.value or b"", record.position, record.arrival_ms)
        self._metrics.rejections.labels("INVALID").inc()
        items.append(OutputRecord("rejections", "", invalid))
        return None

    def _now_ms(self, watermark_ms: int) -> int | None:
        """The arrival watermark, up to where the clock may run; of a drained job none: no record stands behind it."""
        until_ms = self._settings.log.until_ms
        if until_ms is None:
            return None if watermark_ms == _MAX_WATERMARK_MS else watermark_ms
        return min(watermark_ms, until_ms)

    def _taken_up(self, device_id: str, state: bytes | None) -> _AtHand | None:
        """The window of a device, if it has one."""
        at_hand = self._at_hand.get(device_id)
        if at_hand is None and state is not None:
            return _AtHand(DeviceWindow.restore(self._spec, state))
        return at_hand

    def _done(self, at_hand: _AtHand, located: list[LocatedOutput], items: list[Item]) -> list[LocatedOutput]:
        """Keep the window, and set its timer if it moved; at Flink's end of time one beyond ours would never rest."""
        window, until_ms = at_hand.window, self._settings.log.until_ms
        device_id = window.device_id
        wakeup_ms = window.next_wakeup_ms()
        if wakeup_ms is None:
            self._at_hand.pop(device_id, None)
            items.append(StateItem("forget", device_id))
            return located
        if located:
            at_hand.is_unsaved = True
        if wakeup_ms != at_hand.armed_ms and (until_ms is None or wakeup_ms <= until_ms):
            items.append(StateItem("arm", device_id, encoded_instant(wakeup_ms)))
            at_hand.armed_ms = wakeup_ms
        self._at_hand[device_id] = at_hand
        self._at_hand.move_to_end(device_id)
        return located

    def _hand_back(self, batch: Batch, items: list[Item]) -> None:
        """Give Flink the snapshots that it is to have now, and those of windows that are too many."""
        if batch.is_saved:
            for device_id, at_hand in self._at_hand.items():
                if at_hand.is_unsaved:
                    items.append(StateItem("save", device_id, at_hand.window.snapshot()))
                    at_hand.is_unsaved = False
        while len(self._at_hand) > _WINDOWS_AT_HAND:
            device_id, at_hand = self._at_hand.popitem(last=False)
            items.append(StateItem("release", device_id, at_hand.window.snapshot()))
