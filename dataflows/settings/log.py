"""Which log a run reads, and how far."""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dataflows.pipeline.event_layout import OTHER_FIELDS, EventLayout, TimeUnit
from runtime.errors import SettingsError
from runtime.settings import setting
from window_core import DEMO_SENSORS, MAX_DEVICE_ID_BYTES, MAX_TIME_MS, Sensors, SensorsError

__all__ = ["KAFKA_SCHEME", "BrokerSettings", "EventFormat", "LogSettings", "check_sensors"]

KAFKA_SCHEME: Final = "kafka://"
"""How the location of a topic begins."""

EventFormat = Literal["json", "protobuf"]
"""Of a record of a topic."""

InputFormat = Literal["json", "protobuf", "avro", "csv", "tsv", "parquet"]

_TOPIC_FORMATS: Final = ("json", "protobuf", "avro")

_SOURCE_RECORDS_MAX: Final = 1_000_000
"""The Kafka client gives no more at once."""

_OFFSETS: Final = re.compile(r"[0-9]{1,18}(,[0-9]{1,18})*")


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """How Kafka brokers are reached, for the input and the outputs alike."""

    kafka_properties: str | None = setting(
        None, "File with security.protocol, sasl.* and ssl.* properties, in librdkafka's names.", shows="FILE"
    )
    wait_for_broker_ms: int = setting(
        30_000,
        "How long to wait for a broker that does not answer at the start, and for a schema registry at any time.",
        flag="--wait-for-broker",
        kind="duration",
    )


def check_sensors(declared: tuple[str, ...], event_format: InputFormat | None = None) -> Sensors:
    """The sensors that events in a format have.

    Raises:
        SettingsError: they are no sensors, or no such event can have them.
    """
    try:
        sensors = Sensors.of(declared)
    except SensorsError as error:
        raise SettingsError(f"--sensors: {error}") from None
    if taken := [name for name in OTHER_FIELDS if name in sensors.names]:
        raise SettingsError(f"--sensors: an event has a field {taken[0]} that is no sensor")
    if event_format == "protobuf" and sensors != DEMO_SENSORS:
        raise SettingsError(
            f"--format protobuf: a RawEvent message has the sensors {DEMO_SENSORS}, and no others; --proto names others"
        )
    return sensors


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The input: a file, standard input or a topic."""

    input: str | None = setting(
        None,
        "Events: a file, - for standard input, or kafka://HOST:PORT[,HOST:PORT]/TOPIC. Default: a generated sample.",
        shows="FILE|-|kafka://...",
    )
    format: InputFormat | None = setting(
        None,
        "Encoding of the input: json, protobuf or avro in a topic; json, csv, tsv or parquet in a file, which may be "
        "compressed by gzip or zstd. Default: what the suffix of a file says, else json.",
        kind="choice",
        choices=get_args(InputFormat),
    )
    proto: str | None = setting(
        None,
        "With --format protobuf: .proto file of the messages, or a set of file descriptors that protoc has made of it. "
        "Default: the RawEvent messages of the demo.",
        shows="FILE",
    )
    message: str | None = setting(None, "With --proto: the message that is an event, such as plant.v1.Reading.")
    schema: str | None = setting(None, "With --format avro: .avsc file of the records.", shows="FILE")
    schema_registry: str | None = setting(
        None,
        "Schema registry of a topic whose values begin with the id of their schema; its API is Confluent's, "
        "which Apicurio has under /apis/ccompat/v7.",
        shows="URL",
    )
    registry_properties: str | None = setting(
        None,
        "File with the registry's basic.auth.user.info=USER:PASSWORD or bearer.auth.token, ssl.ca.location, "
        "ssl.certificate.location and ssl.key.location.",
        shows="FILE",
    )
    sensors: tuple[str, ...] = setting(
        DEMO_SENSORS.declared,
        "Readings of an event, up to 64, in the order in which a window holds them. One with a question mark behind "
        "its name may be null or absent in an event.",
        kind="names",
        shows="NAME[?][,...]",
    )
    fields: tuple[str, ...] = setting(
        (),
        "Where your events have other names for device_id, time, arrival or a sensor: those names. A path with dots "
        "leads into nested objects.",
        kind="names",
        shows="NAME=FIELD[,...]",
    )
    device_id: str | None = setting(
        None, "Device id of every event, for the file or topic of one device, which does not name it.", shows="ID"
    )
    time_unit: TimeUnit = setting(
        "ms", "Unit of times and arrivals: a number since the Unix epoch, or iso for a text of ISO 8601.",
        kind="choice", choices=get_args(TimeUnit),
    )  # fmt: skip
    time_zone: str | None = setting(
        None, "With --time-unit iso: time zone of texts without one, such as Europe/Berlin. Default: they are INVALID.",
        shows="ZONE",
    )  # fmt: skip
    lenient: bool = setting(
        False, "Accept numbers written as JSON texts, and decimal commas in a table with semicolons.", kind="switch"
    )
    key: Literal["device-id", "ignore"] = setting(
        "device-id",
        "What the keys of a topic's records are: device-id, or ignore where the topic is keyed by something else. All "
        "records of a device must still be in one partition.",
        kind="choice",
        choices=("device-id", "ignore"),
    )
    start: Literal["earliest", "latest"] = setting(
        "earliest", "Where a run without a saved state begins to read a topic.", flag="--from", kind="choice",
        choices=("earliest", "latest"),
    )  # fmt: skip
    bounded: bool = setting(
        False, "Read what the topic holds at the start of the run, then stop. A file is always bounded.", kind="switch"
    )
    until_ms: int | None = setting(
        None,
        "Last arrival that a bounded run reads, and up to which its clock runs, in ms since the Unix epoch. "
        "Default: the largest arrival in the log.",
        flag="--until",
        kind="integer",
        shows="MS",
    )
    end_offsets: str | None = setting(
        None,
        "With --bounded: the end offset of each partition, from partition 0 on. Default: the ends at the start.",
        shows="N[,N...]",
    )
    end_clock_ms: int | None = setting(
        None,
        "With --end-offsets: instant up to which the clock runs at the end, in ms since the Unix epoch. "
        "Default: --until, or the largest arrival below the ends.",
        flag="--end-clock",
        kind="integer",
        shows="MS",
    )
    heartbeat_ms: int | None = setting(
        None,
        "Write a heartbeat to each partition of the input topic this often, so that silent devices tick in time.",
        flag="--heartbeat",
        kind="duration",
    )
    group: str | None = setting(
        None,
        "Consumer group under which a run commits how far it has read, for Kafka's own tools. It is never read back: a "
        "run resumes from its state.",
        shows="NAME",
    )
    source_records: int = setting(1_000, "Largest number of records taken from a partition at once.", kind="integer")
    source_wait_ms: int = setting(
        5, "Pause before polling a partition again that had no new records.", flag="--source-wait", kind="duration"
    )

    def __post_init__(self) -> None:
        for flag, value in (
            ("--source-records", self.source_records),
            ("--source-wait", self.source_wait_ms),
            ("--heartbeat", self.heartbeat_ms),
        ):
            if value is not None and value < 1:
                raise SettingsError(f"{flag} must be above 0")
        if self.source_records > _SOURCE_RECORDS_MAX:
            raise SettingsError(f"--source-records must be at most {_SOURCE_RECORDS_MAX}")
        for flag, instant_ms in (("--until", self.until_ms), ("--end-clock", self.end_clock_ms)):
            if instant_ms is not None and not 0 <= instant_ms <= MAX_TIME_MS:
                raise SettingsError(
                    f"{flag} must be ms since the Unix epoch, from 0 to {MAX_TIME_MS}, not {instant_ms}"
                )
        if self.end_offsets is not None:
            if not (self.is_topic and self.bounded):
                raise SettingsError("--end-offsets is for Kafka with --bounded")
            if not _OFFSETS.fullmatch(self.end_offsets):
                raise SettingsError(f"--end-offsets must be a number for each partition, not {self.end_offsets!r}")
        elif self.end_clock_ms is not None:
            raise SettingsError("--end-clock needs --end-offsets")
        self._check_layout()
        if self.is_topic:
            self._check_topic()
        else:
            self._check_file()

    @property
    def layout(self) -> EventLayout:
        """Which readings an event has, where its fields stand, and what its times are."""
        zone = None if self.time_zone is None else ZoneInfo(self.time_zone)
        paths = dict(field.split("=", 1) for field in self.fields)
        return EventLayout(Sensors.of(self.sensors), paths, self.time_unit, zone, self.lenient, self.device_id)

    @property
    def event_format(self) -> EventFormat:
        """Of a record of a topic, unless its values have a schema."""
        return "protobuf" if self.format == "protobuf" else "json"

    @property
    def is_topic(self) -> bool:
        return self.input is not None and self.input.startswith(KAFKA_SCHEME)

    @property
    def has_end(self) -> bool:
        """Whether the run ends on its own."""
        return self.bounded or not self.is_topic

    @property
    def last_instant_ms(self) -> int | None:
        """The instant up to which the clock of a bounded log runs; ``None``: none was given."""
        return self.until_ms if self.end_clock_ms is None else self.end_clock_ms

    def _check_layout(self) -> None:
        self._check_schema()
        is_raw_event = self.format == "protobuf" and self.proto is None and self.schema_registry is None
        own = EventLayout(check_sensors(self.sensors, "protobuf" if is_raw_event else None)).own_fields
        names = [field.partition("=")[0] for field in self.fields]
        for field, name in zip(self.fields, names, strict=True):
            if name not in own or not field.partition("=")[2]:
                raise SettingsError(f"--fields must be NAME=FIELD, NAME one of {', '.join(own)}, not {field!r}")
            if names.count(name) > 1:
                raise SettingsError(f"--fields names {name} twice")
        if self.device_id is not None:
            if "device_id" in names:
                raise SettingsError("--device-id cannot be used with device_id in --fields")
            if not 0 < len(self.device_id.encode(errors="replace")) <= MAX_DEVICE_ID_BYTES:
                raise SettingsError(f"--device-id must be 1 to {MAX_DEVICE_ID_BYTES} bytes of UTF-8")
        if is_raw_event and (self.fields or self.time_unit != "ms" or self.lenient or self.device_id is not None):
            raise SettingsError(
                "--fields, --time-unit, --lenient and --device-id are not for --format protobuf without --proto: a "
                "RawEvent message is as it is"
            )
        if self.time_zone is not None:
            if self.time_unit != "iso":
                raise SettingsError("--time-zone needs --time-unit iso")
            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise SettingsError(f"--time-zone {self.time_zone}: there is no such time zone") from None

    def _check_schema(self) -> None:
        for flag, value, needed in (("--proto", self.proto, "protobuf"), ("--schema", self.schema, "avro")):
            if value is not None and self.format != needed:
                raise SettingsError(f"{flag} needs --format {needed}")
        if (self.proto is None) != (self.message is None):
            given, needed = ("--message", "--proto") if self.proto is None else ("--proto", "--message")
            raise SettingsError(f"{given} needs {needed}")
        if self.schema_registry is None:
            if self.format == "avro" and self.schema is None:
                raise SettingsError("--format avro needs --schema or --schema-registry")
            if self.registry_properties is not None:
                raise SettingsError("--registry-properties needs --schema-registry")
            return
        for flag, value in (("--proto", self.proto), ("--schema", self.schema)):
            if value is not None:
                raise SettingsError(f"{flag} cannot be used with --schema-registry: each value names its own schema")
        try:
            parts = urlsplit(self.schema_registry)
            is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
        except ValueError:
            is_url = False
        if not is_url:
            raise SettingsError("--schema-registry must be http://... or https://...")
        if "@" in parts.netloc:  # whoever lists processes would see it
            raise SettingsError(
                "--schema-registry must have no user in it: write basic.auth.user.info=USER:PASSWORD into a file, and "
                "name it by --registry-properties"
            )

    def _check_topic(self) -> None:
        if self.format not in (None, *_TOPIC_FORMATS):
            raise SettingsError(f"--format {self.format} is for files; a record of a topic is json, protobuf or avro")
        if not self.bounded:
            if self.until_ms is not None:
                raise SettingsError("--until needs --bounded where the input is Kafka")
            return
        if self.heartbeat_ms is not None:
            raise SettingsError("--heartbeat cannot be used with --bounded: what it writes would not be read")
        if self.start == "latest":
            raise SettingsError("--from latest cannot be used with --bounded: nothing would be read")

    def _check_file(self) -> None:
        if self.schema_registry is not None:
            raise SettingsError("--schema-registry is for Kafka; a line of a file names its fields itself")
        if self.format in ("protobuf", "avro"):
            raise SettingsError(f"--format {self.format} is for Kafka; a file holds json, csv, tsv or parquet")
        if self.format == "parquet" and self.input == "-":
            raise SettingsError("--format parquet needs a file: Parquet is read from its end, standard input is not")
        if self.start == "latest":
            raise SettingsError("--from latest is for Kafka; a file is read from its beginning")
        if self.heartbeat_ms is not None:
            raise SettingsError("--heartbeat is for Kafka; a file has its own clock")
        if self.group is not None:
            raise SettingsError("--group is for Kafka; a file has no consumer groups")
        if self.key != "device-id":
            raise SettingsError(f"--key {self.key} is for Kafka; a line of a file has no key")
