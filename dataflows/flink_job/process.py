"""The adapter between Flink and ``Device``: decodes, calls devices, asks the services, answers. It holds no rule."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from pyflink.datastream import ProcessFunction, RuntimeContext

from dataflows.flink_job.frames import Message, RecordFrame, WakeUp, decoded_batch, encoded_answer
from dataflows.flink_job.held_devices import HeldDevices
from dataflows.flink_job.python_worker import first_records_of, process_metrics
from dataflows.flink_job.report import report_now, stop_file_of
from dataflows.pipeline.device import LocatedOutput
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.prediction_step import PredictionStep
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import LoggedEvent, OutputRecord
from dataflows.pipeline.schema import Schema
from dataflows.services.client import ServiceClient, Services
from dataflows.settings import RunSettings
from runtime.busy_process import OBJECTS_OF_BATCHES, prepare_for_load

__all__ = ["PipelineFunction"]

_MAX_WATERMARK_MS: Final = (1 << 63) - 1
"""Flink's end of time: a bounded input has ended, or a job is drained."""


class PipelineFunction(ProcessFunction):
    """The devices of one subtask, from their records to the records to write.

    The services are asked about a batch while the next one fills, so several calls may be in flight; a flush waits for
    all of them.
    """

    def __init__(self, settings: RunSettings, schema: Schema | None = None) -> None:
        """
        Args:
            settings: of the run.
            schema: of the values of a topic, if they have one; task managers need no file of it.
        """
        self._settings = settings
        self._schema = schema

    def open(self, runtime_context: RuntimeContext) -> None:
        prepare_for_load(OBJECTS_OF_BATCHES)
        assert self._settings.calls.features is not None
        assert self._settings.calls.inference is not None
        self._metrics = process_metrics(self._settings)
        services = Services(self._settings.calls.features, self._settings.calls.inference)
        self._client = ServiceClient(services, self._settings, self._metrics)
        self._step = PredictionStep(self._client, self._settings.log.layout.sensors, self._metrics)
        self._threads = ThreadPoolExecutor(self._settings.calls.calls_in_flight, thread_name_prefix="batch")
        self._in_flight: deque[Future[list[OutputRecord]]] = deque()
        log = self._settings.log
        self._finishes = log.has_end and stop_file_of(self._settings) is None
        # At Flink's end of time a timer beyond ours would never rest; where another run reads on, it is that run's.
        last_timer_ms = log.last_instant_ms if self._finishes else None
        self._devices = HeldDevices(self._settings.window.spec, self._metrics, last_timer_ms)
        self._readers: dict[int, PartitionReader] = {}
        self._first_records = first_records_of(self._settings)

    def process_element(self, value: bytes, ctx: ProcessFunction.Context) -> Iterator[bytes]:
        batch = decoded_batch(value)
        located: list[LocatedOutput] = []
        answer: list[Message] = []
        for entry, snapshot in batch.entries:
            if snapshot is not None:
                self._devices.receive(snapshot)
            located += self._outputs(entry, answer)
        for reader in self._readers.values():
            reader.count()
        if located:
            self._in_flight.append(self._threads.submit(self._step.records, located))
        answer += self._devices.messages(batch.is_save)
        most = 0 if batch.is_flush else self._settings.calls.calls_in_flight
        while self._in_flight and (len(self._in_flight) > most or self._in_flight[0].done()):
            answer += self._in_flight.popleft().result()
        if batch.is_save:
            report_now(self._metrics)
        if answer:
            yield encoded_answer(answer)

    def close(self) -> None:
        self._client.close()
        self._threads.shutdown(cancel_futures=True)

    def _outputs(self, entry: RecordFrame | WakeUp, answer: list[Message]) -> list[LocatedOutput]:
        """The outputs of a device for a record or for its clock; an INVALID record goes to the answer at once."""
        if isinstance(entry, WakeUp):
            now_ms = self._now_ms(entry.now_ms)
            return [] if now_ms is None else self._devices.take(entry.device_id, now_ms)
        found = self._read(entry)
        if isinstance(found, LoggedEvent):
            return self._devices.take(found.event.device_id, found)
        if found is not None:
            answer.append(found)
        return []

    def _read(self, record: RecordFrame) -> LoggedEvent | OutputRecord | None:
        """The event of a record, or its rejection; nothing for a heartbeat, which comes only if it is to be counted."""
        metrics, partition = self._metrics, record.partition
        if record.is_clamped:
            metrics.clamped.labels(str(partition)).inc()
        if record.has_jumped:
            metrics.jumps.labels(str(partition)).inc()
        if record.is_rejected:
            metrics.records.inc()
            metrics.rejections.labels("INVALID").inc()
            return OutputRecord("rejections", "", record.value or b"")
        reader = self._readers.get(partition)
        if reader is None:
            reader = self._readers[partition] = self._new_reader(partition)
        return reader.read(record)

    def _new_reader(self, partition: int) -> PartitionReader:
        log = self._settings.log
        if log.key == "ignore":  # then each event comes in our own form, under its device id: see decoding.py
            return PartitionReader(partition, "json", self._metrics, layout=EventLayout(log.layout.sensors))
        return PartitionReader(
            partition,
            log.event_format,
            self._metrics,
            layout=log.layout,
            schema=self._schema,
            first_records=self._first_records,
        )

    def _now_ms(self, watermark_ms: int) -> int | None:
        """The arrival watermark, up to where the clock may run; of a drained job none: no record stands behind it."""
        end_ms = self._settings.log.last_instant_ms
        if watermark_ms == _MAX_WATERMARK_MS:
            return end_ms if self._finishes else None
        return watermark_ms if end_ms is None else min(watermark_ms, end_ms)
