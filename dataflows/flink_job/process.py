"""The adapter between Flink and ``Device``: decode, tell the device, ask the services, answer. It holds no rule."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from pyflink.datastream import ProcessFunction, RuntimeContext

from dataflows.flink_job.frames import Message, RecordFrame, WakeUp, decoded_batch, encoded_answer
from dataflows.flink_job.held_devices import HeldDevices
from dataflows.flink_job.python_worker import process_metrics
from dataflows.flink_job.report import last_report
from dataflows.pipeline.device import LocatedOutput
from dataflows.pipeline.record import OutputRecord
from dataflows.prediction_step import PredictionStep
from dataflows.records import LoggedEvent, decoded_event, encoded_invalid
from dataflows.services.client import ServiceClient, Services
from dataflows.settings import RunSettings
from grpc_services.python.busy_process import OBJECTS_OF_BATCHES, prepare_for_load
from window_core import EventError

__all__ = ["PipelineFunction"]

_MAX_WATERMARK_MS: Final = (1 << 63) - 1
"""Flink's end of time: a bounded input has ended, or a job is drained."""


class PipelineFunction(ProcessFunction):
    """The devices of one subtask, from their records to the records to write.

    The services are asked about a batch while the next one fills, so several calls may be in flight; a flush waits for
    all of them.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        prepare_for_load(OBJECTS_OF_BATCHES)
        assert self._settings.calls.features is not None
        assert self._settings.calls.inference is not None
        self._metrics = process_metrics(self._settings)
        services = Services(self._settings.calls.features, self._settings.calls.inference)
        self._client = ServiceClient(services, self._settings, self._metrics)
        self._step = PredictionStep(self._client, self._metrics)
        self._threads = ThreadPoolExecutor(self._settings.calls.calls_in_flight, thread_name_prefix="batch")
        self._in_flight: deque[Future[list[OutputRecord]]] = deque()
        self._devices = HeldDevices(self._settings.window.spec, self._metrics, self._settings.log.until_ms)
        self._records = 0
        self._arrivals_ms: dict[int, int] = {}

    def process_element(self, value: bytes, ctx: ProcessFunction.Context) -> Iterator[bytes]:
        batch = decoded_batch(value)
        located: list[LocatedOutput] = []
        answer: list[Message] = []
        for entry, snapshot in batch.entries:
            if snapshot is not None:
                self._devices.receive(snapshot)
            located += self._outputs(entry, answer)
        self._count_records()
        if located:
            self._in_flight.append(self._threads.submit(self._step.records, located))
        answer += self._devices.messages(batch.is_save)
        most = 0 if batch.is_flush else self._settings.calls.calls_in_flight
        while self._in_flight and (len(self._in_flight) > most or self._in_flight[0].done()):
            answer += self._in_flight.popleft().result()
        if answer:
            yield encoded_answer(answer)

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

    def _outputs(self, entry: RecordFrame | WakeUp, answer: list[Message]) -> list[LocatedOutput]:
        """What a device makes of a record or of its clock; an INVALID record goes to the answer at once."""
        if isinstance(entry, WakeUp):
            now_ms = self._now_ms(entry.now_ms)
            return [] if now_ms is None else self._devices.take(entry.device_id, now_ms)
        if self._settings.log.until_ms is not None and entry.arrival_ms > self._settings.log.until_ms:
            return []
        self._records += 1
        self._arrivals_ms[entry.partition] = entry.arrival_ms
        logged = self._event(entry, answer)
        return [] if logged is None else self._devices.take(logged.event.device_id, logged)

    def _event(self, record: RecordFrame, answer: list[Message]) -> LoggedEvent | None:
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
        answer.append(OutputRecord("rejections", "", invalid))
        return None

    def _now_ms(self, watermark_ms: int) -> int | None:
        """The arrival watermark, up to where the clock may run; of a drained job none: no record stands behind it."""
        until_ms = self._settings.log.until_ms
        if until_ms is None:
            return None if watermark_ms == _MAX_WATERMARK_MS else watermark_ms
        return min(watermark_ms, until_ms)
