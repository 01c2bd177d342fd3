"""What Flink keeps of a device is gone with the device: a fleet whose devices come and go does not fill its state."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from dataflows.pipeline.event_codec import EventCodec
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.logs import SPEC, SPEC_OPTIONS, START_MS
from tests.dataflows.connectors.kafka.topics import Record, Topics, values_of
from tests.dataflows.flink.flink_runs import Sink
from tests.events import demo_event

pytestmark = pytest.mark.usefixtures("has_flink")

GIVE_UP_S = 30

SILENT, TALKING = "device-silent", "device-talking"

FORGOTTEN_MS = START_MS + SPEC.forget_after_ms + 1


def spoken(device_id: str, at_ms: int) -> Record:
    return device_id.encode(), EventCodec().encoded(demo_event(device_id, at_ms, 1.0, 2.0, 3.0, 4.0)), at_ms


def saved(state: Path) -> bytes:
    """What the newest checkpoint of windows on the heap holds; nothing while it is being replaced by the next one."""
    whole = sorted(state.glob("checkpoints/*/chk-*/_metadata"), key=lambda path: int(path.parent.name[4:]))
    if not whole:
        return b""
    with suppress(FileNotFoundError):
        return b"".join(path.read_bytes() for path in sorted(whole[-1].parent.iterdir()))
    return b""


def wait_until(state: Path, is_right: Callable[[bytes], bool]) -> None:
    give_up_s = monotonic() + GIVE_UP_S
    while not is_right(saved(state)):
        assert monotonic() < give_up_s, "its checkpoints hold something else"
        sleep(0.05)


def test_no_state_is_kept_of_a_device_that_is_forgotten(
    topics: Topics, kafka_pipelines: KafkaPipelines, tmp_path: Path
) -> None:
    log, sink, state = topics.made(), Sink.made(topics), tmp_path / "state"
    options = ["--engine", "flink", "--input", log, *sink.options, *SPEC_OPTIONS, "--state", str(state)]
    with kafka_pipelines.started(*options, "--epoch", "200ms"):
        topics.fill(log, [spoken(SILENT, START_MS), spoken(TALKING, START_MS)])
        sink.appeared(2)
        wait_until(state, lambda held: SILENT.encode() in held and TALKING.encode() in held)
        topics.fill(log, [spoken(TALKING, FORGOTTEN_MS), (None, None, FORGOTTEN_MS + 1)])
        wait_until(state, lambda held: SILENT.encode() not in held and TALKING.encode() in held)
        topics.fill(log, [spoken(SILENT, FORGOTTEN_MS + 1)])
        wait_until(state, lambda held: SILENT.encode() in held)
    [again] = [
        line for line in values_of(topics.records(sink.output)) if f'"{SILENT}/{FORGOTTEN_MS + 1}/0"'.encode() in line
    ]
    assert b'"events":1,' in again
