"""Messages of a type of the user's own: where their fields stand, what is missing, what is refused."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc
from hypothesis import given
from hypothesis import strategies as st

from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout, TimeUnit
from dataflows.pipeline.proto_message import MessageType
from dataflows.pipeline.schema import SchemaError
from window_core import Event, EventError, Sensors

PROTO = """
syntax = "proto3";
package plant.v1;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

message Reading {
  message Clock { sint64 s = 1; string text = 2; google.protobuf.Timestamp stamp = 3; }
  string asset = 1;
  Clock at = 2;
  double celsius = 3;
  fixed32 bar = 4;
  optional float door = 5;
  repeated float history = 6;
  map<string, float> more = 7;
  bool is_open = 8;
  oneof kind { int32 valve = 9; Reading inner = 10; }
  google.protobuf.DoubleValue humidity = 11;
}
message Other { string asset = 1; }
"""

SENSORS = Sensors.of(["celsius", "bar", "door?"])
PATHS = {"device_id": "asset", "time": "at.s"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("proto")
    (folder / "plant.proto").write_text(PROTO)
    include = Path(protoc.__file__).parent / "_proto"
    made = folder / "set"
    command = ["protoc", f"-I{folder}", f"-I{include}", "--include_imports", f"--descriptor_set_out={made}"]
    assert protoc.main([*command, "plant.proto"]) == 0
    return made.read_bytes()


def layout(sensors: Sensors = SENSORS, time_unit: TimeUnit = "s", **paths: str) -> EventLayout:
    return EventLayout(sensors, {**PATHS, **paths}, time_unit)


def message_of(files: bytes, **values: Any) -> Any:
    return MessageType.named(files, "Reading").message_class()(**values)


def event_of(files: bytes, of: EventLayout, message: Any) -> Event:
    value = message if isinstance(message, bytes) else message.SerializeToString()
    return EventCodec(of, MessageType.named(files, "Reading")).event(value, b"d1", "protobuf", 5)


def refused(files: bytes, of: EventLayout, message: Any) -> tuple[str, str | None]:
    with pytest.raises(EventError) as error:
        event_of(files, of, message)
    return error.value.error, error.value.field


def test_fields_stand_where_the_layout_says_also_in_messages_within(files: bytes) -> None:
    message = message_of(files, asset="d1", at={"s": 7}, celsius=1.5, bar=2, door=0.5)
    assert event_of(files, layout(), message) == Event("d1", 7_000, SENSORS.row([1.5, 2, 0.5]))


def test_what_is_not_set_is_zero_but_missing_where_one_can_tell(files: bytes) -> None:
    message = message_of(files, asset="d1", at={})
    assert event_of(files, layout(), message) == Event("d1", 0, SENSORS.row([0, 0, None]))
    message.door = 0
    assert event_of(files, layout(), message) == Event("d1", 0, SENSORS.row([0, 0, 0]))
    assert refused(files, layout(), message_of(files, asset="d1")) == ("not_an_event", "at.s")
    assert refused(files, layout(celsius="door"), message_of(files, asset="d1", at={})) == ("not_an_event", "door")
    of_one = layout(Sensors.of(["celsius", "valve"]))
    assert refused(files, of_one, message_of(files, asset="d1", at={})) == ("not_an_event", "valve")


def test_a_wrapper_is_its_value_and_missing_where_it_is_not_set(files: bytes) -> None:
    of_wrapper = layout(Sensors.of(["humidity?"]))
    for value, reading in (({"value": 0.5}, 0.5), ({}, 0.0), (None, None)):
        message = message_of(files, asset="d1", at={}, humidity=value)
        assert event_of(files, of_wrapper, message).row == Sensors.of(["humidity?"]).row([reading])


def test_messages_of_one_device_need_not_name_it(files: bytes) -> None:
    of_one = EventLayout(Sensors.of(["celsius"]), {"time": "at.s"}, "s", device_id="d1")
    assert event_of(files, of_one, message_of(files, at={"s": 7}, celsius=1)).device_id == "d1"


def test_an_instant_of_protobuf_needs_no_unit(files: bytes) -> None:
    stamp = {"seconds": 7, "nanos": 1_999_999}
    message = message_of(files, asset="d1", at={"stamp": stamp})
    assert event_of(files, layout(time="at.stamp"), message).time_ms == 7_001
    assert event_of(files, layout(time="at.stamp", time_unit="iso"), message).time_ms == 7_001
    before = message_of(files, asset="d1", at={"stamp": {"seconds": -1}})
    assert refused(files, layout(time="at.stamp"), before) == ("time", "at.stamp")
    assert refused(files, layout(time="at.stamp"), message_of(files, asset="d1", at={})) == ("not_an_event", "at.stamp")


def test_a_time_may_be_a_text(files: bytes) -> None:
    message = message_of(files, asset="d1", at={"text": "1970-01-01T00:00:07Z"})
    assert event_of(files, layout(time="at.text", time_unit="iso"), message).time_ms == 7_000
    assert refused(files, layout(time="at.text"), message) == ("wrong_type", "at.text")


def test_what_is_wrong_with_a_message_is_said_of_its_own_fields(files: bytes) -> None:
    good = {"asset": "d1", "at": {"s": 7}}
    assert refused(files, layout(), message_of(files, **{**good, "asset": ""})) == ("device_id", "asset")
    assert refused(files, layout(), message_of(files, **{**good, "asset": "d2"})) == ("key", None)
    assert refused(files, layout(), message_of(files, **good, celsius=float("nan"))) == ("sensor", "celsius")
    assert refused(files, layout(celsius="is_open"), message_of(files, **good)) == ("wrong_type", "is_open")
    assert refused(files, layout(device_id="bar"), message_of(files, **good)) == ("wrong_type", "bar")


@pytest.mark.parametrize(
    "value", [b"\xff", b"\x0a\x05d", b"\x0a\x01\xff", b"\x00", b"{}", b"\x52\x02" * 300 + b"\x52\x00"]
)
def test_what_is_no_message_is_no_event(files: bytes, value: bytes) -> None:
    assert refused(files, layout(), value) == ("not_an_event", None)


@given(st.data())
def test_any_bytes_are_an_event_or_an_event_error(files: bytes, data: st.DataObject) -> None:
    whole = message_of(files, asset="d1", at={"s": 7, "stamp": {"seconds": 7}}, celsius=1.5, inner={"asset": "x"})
    start = whole.SerializeToString()
    cut = data.draw(st.integers(0, len(start)))
    value = start[:cut] + data.draw(st.binary(max_size=30)) + start[data.draw(st.integers(cut, len(start))) :]
    of = layout(time=data.draw(st.sampled_from(["at.s", "at.stamp", "inner.at.s"])))
    try:
        found = EventCodec(of, MessageType.named(files, "Reading"), ignores_key=True).event(value, None, "protobuf")
    except EventError:
        return
    assert len(found.row) == 4 * SENSORS.width


@pytest.mark.parametrize("path", ["nowhere", "at", "at.nowhere", "asset.s", "history", "more", "more.value", "inner"])
def test_a_field_that_is_no_single_value_is_refused_and_the_others_are_named(files: bytes, path: str) -> None:
    with pytest.raises(SchemaError) as error:
        MessageType.named(files, "Reading").decoder(layout(time=path)).check()
    assert str(error.value).startswith(
        f"plant.v1.Reading has no single value {path}; it has asset, at.s, at.text, at.stamp, celsius, bar, door, "
        "is_open, valve, inner.asset, inner.at.s,"
    )
    MessageType.named(files, "Reading").decoder(layout(time="inner.at.stamp", celsius="door")).check()


def test_a_message_is_found_by_the_end_of_its_name(files: bytes) -> None:
    for name in ("plant.v1.Reading.Clock", "Reading.Clock", "Clock"):
        assert MessageType.named(files, name).name == "plant.v1.Reading.Clock"
    with pytest.raises(SchemaError) as error:
        MessageType.named(files, "eading")
    assert str(error.value) == (
        "there is no message eading; there are plant.v1.Reading, plant.v1.Reading.Clock, plant.v1.Other"
    )
    twice = FileDescriptorSet.FromString(files)
    twice.file[-1].message_type[1].nested_type.add(name="Clock")
    with pytest.raises(
        SchemaError, match=r"^several messages are named Clock: plant.v1.Reading.Clock, plant.v1.Other.Clock$"
    ):
        MessageType.named(twice.SerializeToString(), "Clock")


def test_a_set_of_files_that_is_none_or_is_not_whole_is_refused(files: bytes) -> None:
    for data, says in ((b"\xff", "it is no set of file descriptors"), (b"", "it has no file in it")):
        with pytest.raises(SchemaError, match=says):
            MessageType.named(data, "Reading")
    without_imports = FileDescriptorSet.FromString(files)
    del without_imports.file[0]
    with pytest.raises(SchemaError, match=r"google/protobuf/timestamp\.proto"):
        MessageType.named(without_imports.SerializeToString(), "Reading").descriptor()
