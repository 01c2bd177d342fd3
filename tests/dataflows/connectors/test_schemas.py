"""The file of a schema is looked at before anything starts, and each error is one line that names it."""

from pathlib import Path
from typing import Any

import pytest

from dataflows.connectors import proto_files
from dataflows.connectors.schemas import opened_schema
from dataflows.pipeline.avro_record import AvroSchema
from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.proto_message import MessageType
from dataflows.settings import BrokerSettings, LogSettings
from runtime.errors import SettingsError

AVSC = """
{"type": "record", "name": "Reading", "fields": [
  {"name": "device_id", "type": "string"},
  {"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
  {"name": "sensor1", "type": "float"}, {"name": "sensor2", "type": "float"},
  {"name": "sensor3", "type": "float"}, {"name": "sensor4", "type": "float"}
]}
"""
TOPIC = "kafka://localhost:9092/events"
FIELDS = ("time=at.s",)
PROTO = """
syntax = "proto3";
import "parts/clock.proto";
message Reading {
  string device_id = 1; Clock at = 2; float sensor1 = 3; float sensor2 = 4; float sensor3 = 5; float sensor4 = 6;
}
"""
CLOCK = 'syntax = "proto3"; message Clock { int64 s = 1; }'
VALUE = b"\x0a\x02d1\x12\x02\x08\x07"


def opened(proto: Path, message: str = "Reading", **more: Any) -> Any:
    values = {"fields": FIELDS, "time_unit": "s", **more}
    return schema_of(format="protobuf", proto=str(proto), message=message, **values)


def schema_of(**values: Any) -> Any:
    return opened_schema(LogSettings(input=TOPIC, **values), BrokerSettings(), pytest.fail)


@pytest.fixture
def proto(tmp_path: Path) -> Path:
    folder = tmp_path / "with: colon"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "clock.proto").write_text(CLOCK)
    file = folder / "-reading.proto"
    file.write_text(PROTO)
    return file


def test_a_proto_file_is_compiled_with_what_lies_beside_it(
    proto: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(proto.parent)
    for path in (proto, Path(proto.name)):
        found = opened(path)
        layout = LogSettings(fields=FIELDS, time_unit="s").layout
        assert EventCodec(layout, found).event(VALUE, b"d1", "protobuf").time_ms == 7_000
    assert isinstance(found, MessageType)
    compiled = tmp_path / "reading.binpb"
    compiled.write_bytes(found.files)
    assert opened(compiled) == found


def test_without_a_file_there_is_no_schema() -> None:
    assert schema_of() is None
    assert schema_of(format="protobuf") is None


def test_what_is_wrong_with_a_proto_file_is_one_line(
    proto: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(**more: Any) -> str:
        with pytest.raises(SettingsError) as refused:
            opened(**{"proto": proto, **more})
        line = str(refused.value).replace(str(proto), "FILE")
        assert "\n" not in line
        return line

    assert says(message="Clocks") == "--proto FILE: there is no message Clocks; there are Clock, Reading"
    assert says(fields=("time=at",)) == (
        "--proto FILE: Reading has no single value at; it has device_id, at.s, sensor1, sensor2, sensor3, sensor4; "
        "see --fields"
    )
    assert says(proto=tmp_path / "none.proto") == f"--proto {tmp_path}/none.proto: No such file or directory"
    assert says(proto=tmp_path) == f"--proto {tmp_path}: Is a directory"
    text = tmp_path / "text.binpb"
    text.write_text(PROTO)
    assert says(proto=text) == f"--proto {text}: it is no set of file descriptors"
    proto.write_text(PROTO.replace("float sensor1", "flot sensor1"))
    assert says() == '--proto FILE: it does not compile: -reading.proto:5:39: "flot" is not defined.'
    (proto.parent / "parts" / "clock.proto").unlink()
    assert says() == "--proto FILE: it does not compile: parts/clock.proto: File not found."
    monkeypatch.setattr(proto_files, "find_spec", lambda _: None)
    assert says().endswith("is not installed; give what protoc --include_imports --descriptor_set_out=FILE makes of it")


def test_an_avro_schema_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "reading.avsc"

    def says(**more: Any) -> str:
        with pytest.raises(SettingsError) as refused:
            schema_of(format="avro", schema=str(file), **more)
        return str(refused.value).replace(str(file), "FILE")

    assert says() == "--schema FILE: No such file or directory"
    file.write_bytes(b"\xff")
    assert says() == "--schema FILE: it is not a text file"
    file.write_text("{}")
    assert says().startswith("--schema FILE: it is no schema of Avro: ")
    file.write_text(AVSC)
    assert schema_of(format="avro", schema=str(file)) == AvroSchema(AVSC)
    assert says(fields=("time=at",)) == (
        "--schema FILE: there is no single value at; there are device_id, sensor1, sensor2, sensor3, sensor4, time; "
        "see --fields"
    )
