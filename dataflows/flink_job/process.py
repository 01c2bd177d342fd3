"""The adapter between Flink and ``Device``: decodes, calls devices, asks the services, answers. It holds no rule."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from typing import Final, cast

from pyflink.datastream import ProcessFunction, RuntimeContext

from dataflows.flink_job.frames import Message, RecordFrame, WakeUp, decoded_batch, encoded_answer
from dataflows.flink_job.held_devices import HeldDevices
from dataflows.flink_job.python_worker import first_records_of, process_metrics
from dataflows.flink_job.report import report_now, stop_file_of
from dataflows.pipeline.device import DeviceInput, LocatedOutput
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.prediction_step import PredictionStep
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import LoggedEvent, OutputRecord
from dataflows.pipeline.schema import Schema
from dataflows.services.client import ServiceClient, Services
from dataflows.settings import RunSettings
from runtime.busy_process import OBJECTS_OF_BATCHES, prepare_for_load
from runtime.grpc_environment import prepare_grpc
from runtime.opened_traces import opened_traces
from runtime.traces import RUN_IN_TRACES

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
        prepare_grpc()
        assert self._settings.calls.features is not None
        assert self._settings.calls.inference is not None
        self._metrics = process_metrics(self._settings)
        services = Services(self._settings.calls.features, self._settings.calls.inference)
        self._traces = opened_traces(self._settings.traces, RUN_IN_TRACES, self._metrics.warn_of_traces)
        self._client = ServiceClient(services, self._settings, self._metrics, self._traces)
        self._step = PredictionStep(self._client, self._settings.log.layout.sensors, self._metrics, self._traces)
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
        entries = list(batch.entries)
        for (entry, snapshot), told in zip(entries, self._told(entry for entry, _ in entries), strict=True):
            if snapshot is not None:
                self._devices.receive(snapshot)
            if isinstance(told, LoggedEvent):
                located += self._devices.take(told.event.device_id, told)
            elif isinstance(told, OutputRecord):
                answer.append(told)
            elif told is not None:
                assert isinstance(entry, WakeUp)
                located += self._devices.take(entry.device_id, told)
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
        self._traces.close()

    def _told(self, entries: Iterable[RecordFrame | WakeUp]) -> Iterator[DeviceInput | OutputRecord | None]:
        """What each entry tells: an event, an instant of the clock, or the rejection of an INVALID record.

        Nothing for a heartbeat, which comes only if it is to be counted.
        """
        for partition, some in groupby(entries, _unmarked_partition):
            if partition is None:
                yield from map(self._told_alone, some)
            else:
                yield from self._reader(partition).read_many(cast(Iterator[RecordFrame], some))

    def _told_alone(self, entry: RecordFrame | WakeUp) -> DeviceInput | OutputRecord | None:
        if isinstance(entry, WakeUp):
            return self._now_ms(entry.now_ms)
        metrics, partition = self._metrics, entry.partition
        if entry.is_clamped:
            metrics.clamped.labels(str(partition)).inc()
        if entry.has_jumped:
            metrics.jumps.labels(str(partition)).inc()
        if entry.is_rejected:
            metrics.records.inc()
            metrics.rejections.labels("INVALID").inc()
            return OutputRecord("rejections", "", entry.value or b"")
        return self._reader(partition).read(entry)

    def _reader(self, partition: int) -> PartitionReader:
        reader = self._readers.get(partition)
        if reader is None:
            reader = self._readers[partition] = self._new_reader(partition)
        return reader

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


def _unmarked_partition(entry: RecordFrame | WakeUp) -> int | None:
    """That of a record of which nothing is to be counted but that it was read."""
    if type(entry) is not RecordFrame or entry.is_clamped or entry.has_jumped or entry.is_rejected:
        return None
    return entry.partition
