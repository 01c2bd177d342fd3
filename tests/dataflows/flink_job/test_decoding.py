"""Records get the key of their device from their values, and keep everything else."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from dataflows.flink_job.frames import RecordFrame, decoded_frame, encoded_frame
from dataflows.pipeline.event_codec import EventCodec
from dataflows.settings import LogSettings, RunSettings
from tests.dataflows.flink_job import java_layout as java
from tests.events import demo_event

pytest.importorskip("pyflink")

from dataflows.flink_job.decoding import DecodingFunction

START_MS = 1_587_920_555_000
EVENT = demo_event("pump-7", START_MS, 1.0, 2.0, 3.0, 4.0)
THEIRS = b'{"asset":"pump-7","at":1587920555,"sensor1":1,"sensor2":2,"sensor3":3,"sensor4":4,"more":[]}'


def decoded(frame: RecordFrame | bytes) -> RecordFrame:
    log = LogSettings(input="kafka://a:1/t", key="ignore", fields=("device_id=asset", "time=at"), time_unit="s")
    function = DecodingFunction(replace(RunSettings(), log=log), None)
    function.open(None)
    value = frame if isinstance(frame, bytes) else encoded_frame(frame)
    context: Any = None
    [found] = function.process_element(value, context)
    return decoded_frame(found)


def test_an_event_goes_on_in_our_own_form_under_its_device_id() -> None:
    frame = RecordFrame(3, 17, START_MS + 5, b"plant 1", THEIRS, is_clamped=True, has_jumped=True)
    expected = structs.replace(frame, key=b"pump-7", value=EventCodec().encoded(EVENT))
    assert decoded(frame) == expected
    assert decoded(structs.replace(frame, key=None)) == expected


@pytest.mark.parametrize("key", [None, b"pump-7"])
def test_what_is_no_event_goes_on_as_its_rejection(key: bytes | None) -> None:
    frame = decoded(RecordFrame(3, 17, START_MS, key, b"{", is_clamped=True))
    assert frame.value is not None
    assert frame.value.startswith(b'{"device_id":null,"reason":"INVALID","position":"3/17","arrival_ms":1587920555000,')
    assert frame == RecordFrame(3, 17, START_MS, b"", frame.value, is_rejected=True, is_clamped=True)


def test_a_key_without_a_value_is_a_rejection_and_a_heartbeat_stays_one() -> None:
    assert decoded(java.record_frame(START_MS, 3, 17, b"key", None)).is_rejected
    heartbeat = java.record_frame(START_MS, 3, 17, None, None)
    marked = bytes([heartbeat[0] + java.CLAMPED]) + heartbeat[1:]
    assert decoded(marked) == RecordFrame(3, 17, START_MS, None, None, is_clamped=True)
