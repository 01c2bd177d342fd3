"""The contract of the border on Python's side: what Flink is told of each device, in which order, and when."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import unpack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.flink_job.held_devices import HeldDevices
from dataflows.pipeline.device import Device, LocatedOutput
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import LoggedEvent
from dataflows.saved_state.portable_file import PARTITION
from tests.events import demo_event
from window_core import Evaluation, WindowSpec
from window_core.device_window import first_tick_ms

SPEC = WindowSpec(interval_ms=1_000, tick_ms=100, idle_after_ms=300, forget_after_ms=1_000)


def logged(device_id: str, time_ms: int, arrival_ms: int | None = None, partition: int = 0) -> LoggedEvent:
    event = demo_event(device_id, time_ms, 1.0, 2.0, 3.0, 4.0)
    return LoggedEvent(event, time_ms if arrival_ms is None else arrival_ms, f"{partition}/{time_ms}")


def made(most: int = 100, until_ms: int | None = None) -> HeldDevices:
    return HeldDevices(SPEC, Metrics(), until_ms, most)


def snapshot_of(device_id: str, *times_ms: int) -> bytes:
    device = Device(SPEC, Metrics())
    for time_ms in times_ms:
        device.take(logged(device_id, time_ms))
    return PARTITION.pack(0) + device.snapshot()


def told(devices: HeldDevices, is_save: bool = False) -> list[tuple[str, str]]:
    return [(message.kind, message.key) for message in devices.messages(is_save)]


def timers(devices: HeldDevices) -> list[int]:
    return [unpack(">q", message.value)[0] for message in devices.messages(False) if message.kind == "timer"]


def test_a_device_that_begins_is_held_and_has_its_timer_set() -> None:
    devices = made()
    devices.take("a", logged("a", 5_000))
    assert told(devices) == [("hold", "a"), ("timer", "a")]


def test_a_handed_device_is_held_without_a_word() -> None:
    devices = made()
    devices.receive(snapshot_of("a", 5_000))
    assert told(devices, is_save=True) == []
    [(output, _)] = devices.take("a", logged("a", 5_001))
    assert isinstance(output, Evaluation)
    assert output.events == 2
    assert told(devices) == [("timer", "a")]


def test_a_device_keeps_its_partition_and_one_of_an_earlier_version_gets_it_with_its_next_event() -> None:
    devices = made()
    bare = snapshot_of("a", 5_000)[PARTITION.size :]
    devices.receive(bare)
    devices.take("a", first_tick_ms(SPEC, "a", 5_000))
    [saved] = [message.value for message in devices.messages(True) if message.kind == "save"]
    assert saved.startswith(bare[:4])
    devices.take("a", logged("a", 5_200, partition=3))
    [saved] = [message.value for message in devices.messages(True) if message.kind == "save"]
    assert PARTITION.unpack_from(saved) == (3,)
    again = made()
    again.receive(saved)
    again.take("a", first_tick_ms(SPEC, "a", 5_200))
    [saved] = [message.value for message in again.messages(True) if message.kind == "save"]
    assert PARTITION.unpack_from(saved) == (3,)


def test_a_timer_is_set_again_once_it_has_fired_and_not_before() -> None:
    devices = made()
    first_ms = first_tick_ms(SPEC, "a", 5_000)
    devices.take("a", logged("a", 5_000))
    assert timers(devices) == [first_ms]
    devices.take("a", logged("a", 5_000, 5_001))
    assert timers(devices) == []
    devices.take("a", first_ms)
    assert timers(devices) == [first_ms + SPEC.tick_ms]
    devices.take("a", first_ms)  # an older timer of it
    assert timers(devices) == [first_ms + SPEC.tick_ms]


def test_no_timer_is_set_beyond_the_end_of_the_run() -> None:
    first_ms = first_tick_ms(SPEC, "a", 5_000)
    at_the_end, behind = made(until_ms=first_ms), made(until_ms=first_ms - 1)
    for devices in (at_the_end, behind):
        devices.take("a", logged("a", 5_000))
    assert told(at_the_end) == [("hold", "a"), ("timer", "a")]
    assert told(behind) == [("hold", "a")]


def test_a_device_is_forgotten_when_it_expires_and_not_a_millisecond_earlier() -> None:
    devices = made()
    devices.take("a", logged("a", 5_000))
    devices.take("a", 5_000 + SPEC.forget_after_ms)
    assert ("forget", "a") not in told(devices)
    devices.take("a", 5_000 + SPEC.forget_after_ms + 1)
    assert told(devices) == [("forget", "a")]
    assert told(devices, is_save=True) == []


def test_a_device_that_expires_and_speaks_again_in_one_batch_is_held_again() -> None:
    devices = made()
    devices.take("a", logged("a", 5_000))
    devices.messages(False)
    devices.take("a", 6_001)
    devices.take("a", logged("a", 6_001))
    assert told(devices) == [("forget", "a"), ("hold", "a"), ("timer", "a")]


def test_flink_is_told_nothing_of_a_device_that_does_not_begin() -> None:
    devices = made()
    devices.take("a", logged("a", SPEC.max_ahead_ms + 5_001, 5_000))
    devices.take("b", 5_000)
    assert told(devices, is_save=True) == []


def test_each_save_has_the_snapshots_of_what_changed_since_the_last_one() -> None:
    devices = made()
    devices.take("a", logged("a", 5_000))
    devices.take("b", logged("b", 5_000))
    devices.messages(False)
    messages = devices.messages(True)
    assert [(message.kind, message.key) for message in messages] == [("save", "a"), ("save", "b")]
    assert messages[0].value == snapshot_of("a", 5_000)
    assert told(devices, is_save=True) == []
    devices.take("b", logged("b", 5_001))
    assert told(devices, is_save=True) == [("save", "b")]


def test_the_least_recently_used_device_is_released_with_its_snapshot() -> None:
    devices = made(most=2)
    for device_id, time_ms in (("a", 5_000), ("b", 5_000), ("a", 5_001), ("c", 5_000)):
        devices.take(device_id, logged(device_id, time_ms))
    [*_, message] = devices.messages(False)
    assert (message.kind, message.key, message.value) == ("release", "b", snapshot_of("b", 5_000))


def test_a_released_device_has_its_timer_set_again_when_it_comes_back() -> None:
    devices = made(most=0)
    devices.take("a", logged("a", 5_000))
    [*_, released] = devices.messages(False)
    devices.receive(released.value)
    devices.take("a", logged("a", 5_000, 5_001))
    assert told(devices) == [("timer", "a"), ("release", "a")]


def test_a_snapshot_of_a_device_that_is_held_is_a_breach_of_the_contract() -> None:
    devices = made()
    devices.take("a", logged("a", 5_000))
    with pytest.raises(AssertionError):
        devices.receive(snapshot_of("a", 5_000))


@dataclass
class Flink:
    """What the Java part does with the messages, in a few lines."""

    snapshots: dict[str, bytes] = field(default_factory=dict)
    timers: set[tuple[int, str]] = field(default_factory=set)
    held: set[str] = field(default_factory=set)

    def handed(self, device_id: str) -> bytes | None:
        if device_id in self.held or device_id not in self.snapshots:
            return None
        self.held.add(device_id)
        return self.snapshots[device_id]

    def due(self, now_ms: int) -> Iterator[str]:
        for timer_ms, device_id in sorted(self.timers):
            if timer_ms <= now_ms:
                self.timers.remove((timer_ms, device_id))
                yield device_id

    def apply(self, devices: HeldDevices, is_save: bool) -> None:
        for message in devices.messages(is_save):
            device_id = message.key
            assert (device_id in self.held) == (message.kind != "hold")
            if message.kind == "hold":
                self.held.add(device_id)
            elif message.kind == "timer":
                self.timers.add((unpack(">q", message.value)[0], device_id))
            else:
                self.snapshots[device_id] = message.value
                if message.kind != "save":
                    self.held.remove(device_id)
                if message.kind == "forget":
                    del self.snapshots[device_id]


steps = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 250), st.integers(-1_200, 100), st.sampled_from(["", "s", "c"])),
    max_size=40,
)


@settings(max_examples=200)
@given(steps, st.integers(0, 3))
def test_whatever_is_released_saved_or_lost_in_a_crash_a_device_gives_what_it_would_give_alone(
    moves: list[tuple[str, int, int, str]], most: int
) -> None:
    """A step: the device that speaks, ms since the last step, the error of its clock; then a save, or also a crash."""
    flink, devices = Flink(), made(most)
    alone = {device_id: Device(SPEC, Metrics()) for device_id in "abc"}
    outputs: dict[str, list[LocatedOutput]] = {device_id: [] for device_id in alone}
    expected: dict[str, list[LocatedOutput]] = {device_id: [] for device_id in alone}
    now_ms = 5_000

    def tell(device_id: str, what: LoggedEvent | int) -> None:
        snapshot = flink.handed(device_id)
        if snapshot is not None:
            devices.receive(snapshot)
        outputs[device_id] += devices.take(device_id, what)
        flink.apply(devices, is_save=False)

    for device_id, step_ms, error_ms, then in moves:
        now_ms += step_ms
        while due := list(flink.due(now_ms - 1)):
            for woken in due:
                tell(woken, now_ms - 1)
        tell(device_id, logged(device_id, now_ms + error_ms, now_ms))
        for other, device in alone.items():
            expected[other] += device.take(now_ms - 1)
        expected[device_id] += alone[device_id].take(logged(device_id, now_ms + error_ms, now_ms))
        if then:
            flink.apply(devices, is_save=True)
        if then == "c":
            devices, flink.held = made(most), set()
    assert [in_words(outputs[key]) for key in alone] == [in_words(expected[key]) for key in alone]
    for other, device in alone.items():
        assert (other in flink.held or other in flink.snapshots) == (device.next_wakeup_ms() is not None)


def in_words(located: list[LocatedOutput]) -> list[object]:
    return [
        (output.evaluation_id, output.cause, output.as_of_ms, [column.tolist() for column in output.window()], position)
        if isinstance(output, Evaluation)
        else (output, position)
        for output, position in located
    ]
