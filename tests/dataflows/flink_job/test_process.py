"""The function that Flink calls, without Flink: a batch goes in, its answer comes out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Event as Flag

import pytest

from dataflows.flink_job.frames import encoded_instant
from dataflows.pipeline.device import Device, LocatedOutput
from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import LoggedEvent, OutputRecord
from dataflows.saved_state.portable_file import PARTITION
from dataflows.settings import RunSettings
from tests.dataflows.flink_job import java_layout as java
from tests.events import demo_event
from window_core import Evaluation, WindowSpec
from window_core.device_window import first_tick_ms

pytest.importorskip("pyflink")

from dataflows.flink_job.process import PipelineFunction

SPEC = WindowSpec()
START_MS = 1_587_920_555_000
TICK_MS = first_tick_ms(SPEC, "a", START_MS)
PREDICTION, REJECTION, HOLD, TIMER, SAVE = range(5)
END_OF_TIME_MS = (1 << 63) - 1


class Services:
    """Answers each evaluation by its id, as soon as it may."""

    def __init__(self) -> None:
        self.may_answer = Flag()
        self.may_answer.set()

    def records(self, located: Sequence[LocatedOutput]) -> list[OutputRecord]:
        self.may_answer.wait()
        return [
            OutputRecord("predictions", output.device_id, output.evaluation_id.encode())
            for output, _ in located
            if isinstance(output, Evaluation)
        ]


@pytest.fixture
def services() -> Services:
    return Services()


def opened(services: Services, until_ms: int | None = None) -> PipelineFunction:
    settings = RunSettings()
    calls = replace(settings.calls, features="127.0.0.1:1", inference="127.0.0.1:1", in_flight=1)
    settings = replace(settings, engine="flink", calls=calls, log=replace(settings.log, until_ms=until_ms))
    function = PipelineFunction(settings)
    function.open(None)
    function._step = services  # type: ignore[assignment]
    return function


@pytest.fixture
def function(services: Services) -> Iterator[PipelineFunction]:
    function = opened(services)
    yield function
    services.may_answer.set()
    function.close()


def event(offset: int, device_id: str = "a", at_ms: int = START_MS) -> tuple[int, bytes, None]:
    value = EventCodec().encoded(demo_event(device_id, at_ms + offset, 1.0, 2.0, 3.0, 4.0))
    return java.RECORD, java.record_frame(at_ms + offset, 0, offset, device_id.encode(), value), None


def answer(
    function: PipelineFunction, purpose: int, *entries: tuple[int, bytes, bytes | None]
) -> list[tuple[int, bytes | None, bytes]]:
    answers = list(function.process_element(java.batch(purpose, entries), None))  # type: ignore[arg-type]
    return [message for answer in answers for message in java.messages(answer)]


def snapshot() -> bytes:
    device = Device(SPEC, Metrics())
    device.take(LoggedEvent(demo_event("a", START_MS, 1.0, 2.0, 3.0, 4.0), START_MS, "0/0"))
    return PARTITION.pack(0) + device.snapshot()


def test_a_flush_is_answered_when_every_call_has_ended(function: PipelineFunction) -> None:
    assert answer(function, java.FLUSH, event(0), event(1)) == [
        (HOLD, b"a", b""),
        (TIMER, b"a", encoded_instant(TICK_MS)),
        (PREDICTION, b"a", f"a/{START_MS}/0".encode()),
        (PREDICTION, b"a", f"a/{START_MS}/1".encode()),
    ]


def test_a_call_may_stay_in_flight_over_the_next_batches_and_its_answer_comes_first(
    function: PipelineFunction, services: Services
) -> None:
    services.may_answer.clear()
    kinds = [kind for kind, _, _ in answer(function, java.CONTINUE, event(0))]
    assert kinds == [HOLD, TIMER]
    assert answer(function, java.CONTINUE) == []
    services.may_answer.set()
    values = [value for _, _, value in answer(function, java.FLUSH, event(1))]
    assert values == [f"a/{START_MS}/{number}".encode() for number in (0, 1)]


def test_a_save_has_the_snapshot_and_every_answer(function: PipelineFunction) -> None:
    messages = answer(function, java.SAVE, event(0))
    assert (SAVE, b"a", snapshot()) in messages
    assert [kind for kind, _, _ in messages] == [HOLD, TIMER, SAVE, PREDICTION]


def test_a_window_that_comes_with_an_invalid_record_is_held(function: PipelineFunction) -> None:
    _, frame, _ = event(1)
    [(kind, key, _)] = answer(function, java.FLUSH, (java.RECORD, frame[:-1], snapshot()))
    assert (kind, key) == (REJECTION, None)
    [*_, (_, _, value)] = answer(function, java.FLUSH, event(2))
    assert value == f"a/{START_MS}/1".encode()


def test_arrivals_that_were_clamped_or_jumped_are_counted_also_those_of_heartbeats(
    function: PipelineFunction,
) -> None:
    _, frame, _ = event(0)
    heartbeat = java.record_frame(START_MS, 7, 1, None, None)
    marked = [bytes([data[0] + mark]) + data[1:] for data, mark in ((frame, java.CLAMPED), (heartbeat, java.JUMPED))]
    messages = answer(function, java.FLUSH, *((java.RECORD, data, None) for data in marked))
    assert [kind for kind, _, _ in messages] == [HOLD, TIMER, PREDICTION]
    metrics = function._metrics
    assert metrics.value("latecomer_arrivals_clamped_total", partition="0") == 1
    assert metrics.value("latecomer_arrival_jumps_total", partition="7") == 1


def test_a_rejection_between_events_is_written_as_it_stands_and_counted(function: PipelineFunction) -> None:
    frame = java.record_frame(START_MS, 0, 1, b"", b'{"reason":"INVALID"}')
    rejected = java.RECORD, bytes([frame[0] + java.REJECTED]) + frame[1:], None
    metrics = function._metrics  # those of the process, which other tests count in, too
    before = metrics.value("latecomer_records_total"), metrics.by_reason()["INVALID"]
    messages = answer(function, java.FLUSH, event(0), rejected, event(2))
    assert (REJECTION, None, b'{"reason":"INVALID"}') in messages
    assert [value for kind, _, value in messages if kind == PREDICTION] == [
        f"a/{START_MS}/{number}".encode() for number in (0, 1)
    ]
    after = metrics.value("latecomer_records_total"), metrics.by_reason()["INVALID"]
    assert after == (before[0] + 3, before[1] + 1)


def test_a_window_that_comes_at_the_end_of_time_is_held_and_told_no_time(function: PipelineFunction) -> None:
    wake_up = java.WAKE_UP, java.wake_up(END_OF_TIME_MS, b"a"), snapshot()
    assert answer(function, java.SAVE, wake_up) == []
    assert answer(function, java.SAVE, event(1))[-1][2] == f"a/{START_MS}/1".encode()


def test_the_clock_of_a_bounded_run_ends_at_until(services: Services) -> None:
    function = opened(services, until_ms=TICK_MS)
    wake_up = java.WAKE_UP, java.wake_up(END_OF_TIME_MS, b"a"), None
    answer(function, java.FLUSH, event(0))
    assert answer(function, java.SAVE, wake_up)[-1] == (PREDICTION, b"a", f"a/{START_MS}/1".encode())
    assert answer(function, java.SAVE, wake_up) == []
    function.close()
