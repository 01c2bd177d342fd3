"""The function that gives records the key that they lack, where the keys of a topic are not those of its devices.

It stands between the source and the devices, with ``--key ignore`` only: what the job is keyed by is in the values, and
only Python reads these. What it makes of a record is what ``latecomer run`` makes of a line of a file: an event in our
own form under its device id, or a rejection that is written already. The arrival and its marks stay as Java gave them.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from pyflink.datastream import ProcessFunction, RuntimeContext

from dataflows.flink_job.frames import RecordFrame, decoded_frame, encoded_frame
from dataflows.flink_job.python_worker import first_records_of, process_metrics
from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import OutputRecord
from dataflows.pipeline.schema import Schema
from dataflows.settings import RunSettings

__all__ = ["DecodingFunction"]

_NO_DEVICE: Final = b""
"""The key of a rejection of no device."""


class DecodingFunction(ProcessFunction):
    """The records of some partitions, each under the key of its device."""

    def __init__(self, settings: RunSettings, schema: Schema | None) -> None:
        """
        Args:
            settings: of the run.
            schema: of the values, if they have one.
        """
        self._settings = settings
        self._schema = schema

    def open(self, runtime_context: RuntimeContext) -> None:
        self._metrics = process_metrics(self._settings)  # the devices count what was read, and this adds the causes
        self._readers: dict[int, PartitionReader] = {}
        self._first_records = first_records_of(self._settings)
        self._encoded = EventCodec(EventLayout(self._settings.log.layout.sensors)).encoded

    def process_element(self, value: bytes, ctx: ProcessFunction.Context) -> Iterator[bytes]:
        frame = decoded_frame(value)
        found = self._reader(frame.partition).read(frame)
        if found is None:  # a heartbeat that is to be counted
            yield value
        elif isinstance(found, OutputRecord):
            yield encoded_frame(_with(frame, key=_NO_DEVICE, value=found.value, is_rejected=True))
        else:
            yield encoded_frame(_with(frame, key=found.event.device_id.encode(), value=self._encoded(found.event)))

    def _reader(self, partition: int) -> PartitionReader:
        reader = self._readers.get(partition)
        if reader is None:
            log = self._settings.log
            reader = self._readers[partition] = PartitionReader(
                partition,
                log.event_format,
                self._metrics,
                layout=log.layout,
                schema=self._schema,
                ignores_key=True,
                first_records=self._first_records,
            )
        return reader


def _with(frame: RecordFrame, **changed: object) -> RecordFrame:
    return msgspec.structs.replace(frame, **changed)
