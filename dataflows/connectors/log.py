"""The log of a run, a file or a topic: what the command line and both engines need of it.

Each engine has its own reader for each kind of log, chosen by the type of the log (``functools.singledispatch``).
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from dataflows.connectors.file_content import FILE_FORMATS, check_content, format_of
from dataflows.connectors.file_log import FileLog
from dataflows.connectors.kafka.client import read_properties
from dataflows.connectors.kafka.log import opened_target, opened_topic
from dataflows.connectors.locations import STANDARD, Locations, is_kafka
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import Record
from dataflows.pipeline.schema import Schema
from dataflows.settings import RunSettings

__all__ = ["Log", "opened_log"]


class Log(Protocol):
    """Partitions of records, each in a fixed order."""

    @property
    def partitions(self) -> int:
        """How many there are; each is a log with a clock of its own."""

    @property
    def schema(self) -> Schema | None:
        """The schema of the values of a topic, if they have one."""

    def reader(self, number: int) -> PartitionReader:
        """A reader of a partition, from where it is read without a state."""

    def records(self, number: int) -> Iterator[Record]:
        """The records of a partition, from where it is read without a state to the end of a bounded log."""

    def end_ms(self, clock_ms: int | None) -> int | None:
        """The instant up to which the clock of a bounded partition runs, once its last arrival is known."""

    def identity(self) -> dict[str, str]:
        """The identity that a state of this log is bound to."""

    def with_end(self, settings: RunSettings) -> RunSettings:
        """The settings with the end of a bounded log, for another process: the end is looked up once."""


def opened_log(settings: RunSettings, locations: Locations, metrics: Metrics, say: Callable[[str], None]) -> Log:
    """The log of a run. Every topic is checked now, those of the outputs included; an unavailable broker is waited for.

    Raises:
        SettingsError: a topic does not exist, the properties or the schema are wrong, or authentication failed.
        BrokerError: a broker stays unavailable.
        InputError: a file is of another format.
    """
    read_properties(settings.broker.kafka_properties)  # wrong ones are an error, also where nothing is a topic
    for flag, text in (("--output", locations.predictions), ("--rejections", locations.rejections)):
        if is_kafka(text):
            opened_target(flag, text, settings, say)
    if is_kafka(locations.input):
        return opened_topic(settings, locations.input, metrics, say)
    file_format = format_of(locations.input, next((one for one in FILE_FORMATS if one == settings.log.format), None))
    file = FileLog(locations.input, metrics, settings.log.until_ms, settings.log.layout, file_format)
    if not locations.makes_sample and locations.input != STANDARD:
        check_content(locations.input, file_format)
        if not file.is_plain:
            with file.content() as content:
                content.read(1)
    return file
