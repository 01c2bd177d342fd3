"""Stored bytes: their layout is fixed, damage is found, and they are as small as promised."""

import sys
from dataclasses import replace
from struct import pack
from zlib import crc32

import pytest

from tests.events import demo_event
from window_core import Columns, DeviceWindow, Event, Sensors, SnapshotError, WindowSpec

SPEC = WindowSpec(interval_ms=10_000, tick_ms=10_000)

# Written by hand from the layout. Changing it takes a new version: state that is stored has to be read, or refused.
GOLDEN = bytes.fromhex(
    "4c43574e 0200 04 0300"  # magic, version 2, sensors, bytes of the device id
    "204e000000000000"  # session_ms 20000
    "2752000000000000"  # accepted_ms 21031
    "1d53000000000000"  # ticked_ms 21277
    "0300000000000000"  # seq 3
    "02000000"  # events
    "61c39f"  # "aß"
    "9a3a000000000000 204e000000000000"  # times 15002, 20000
    "0000803f 00000040 00004040 00008040"  # 1.0, 2.0, 3.0, 4.0
    "000000bf 00000080 01000000 ffff7f7f"  # -0.5, -0.0, the smallest subnormal, the largest float32
)
GOLDEN += pack("<I", crc32(GOLDEN))


def golden_window() -> DeviceWindow:
    window = DeviceWindow(SPEC, "aß")
    smallest, largest = float.fromhex("0x1p-149"), float.fromhex("0x1.fffffep+127")
    window.on_event(demo_event("aß", 20_000, -0.5, -0.0, smallest, largest), 20_000)
    window.on_event(demo_event("aß", 15_002, 1.0, 2.0, 3.0, 4.0), 21_031)
    return window


def full_window(device_id: str = "pump-7", events: int = 300) -> DeviceWindow:
    """The window of the demo: readings two minutes apart, and older ones evicted by newer ones."""
    window = DeviceWindow(WindowSpec(interval_ms=120_000 * (events - 1)), device_id)
    for number in range(3 * events):
        time_ms = 1_587_920_555_000 + 120_000 * number
        window.on_event(demo_event(device_id, time_ms, 1.5, 2.5, 3.5, 4.5), time_ms)
    return window


def test_the_layout_is_fixed() -> None:
    window = golden_window()
    [tick] = window.on_clock(21_277)
    assert (tick.cause, tick.evaluation_id) == ("tick", "aß/20000/2")
    assert window.snapshot().hex() == GOLDEN.hex()


def test_stored_bytes_of_version_2_are_restored() -> None:
    window = DeviceWindow.restore(SPEC, GOLDEN)
    window.check()
    assert window.device_id == "aß"
    assert window.snapshot() == GOLDEN
    [*_, evaluation] = window.on_event(demo_event("aß", 20_001, 1.0, 1.0, 1.0, 1.0), 26_000)
    assert evaluation.evaluation_id == "aß/20000/3"
    assert evaluation.window()[0].tolist() == [15_002, 20_000, 20_001]


def test_a_device_without_state_has_a_snapshot() -> None:
    snapshot = DeviceWindow(SPEC, "a").snapshot()
    assert len(snapshot) == 50
    restored = DeviceWindow.restore(SPEC, snapshot)
    assert restored.next_wakeup_ms() is None
    assert restored.snapshot() == snapshot


def test_equal_states_give_equal_bytes_whatever_led_to_them() -> None:
    events = [demo_event("a", time_ms, float(time_ms), 0.0, 0.0, 0.0) for time_ms in (10_000, 12_000, 14_000)]
    snapshots = set()
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        window = DeviceWindow(SPEC, "a")
        for place in order:
            window.on_event(events[place], 15_000)
        snapshots.add(window.snapshot())
    [snapshot] = snapshots
    assert DeviceWindow.restore(replace(SPEC, tick_ms=0), snapshot).snapshot() == snapshot


@pytest.mark.parametrize("place", range(len(GOLDEN)))
def test_a_changed_byte_is_found(place: int) -> None:
    for flip in (0x01, 0x80, 0xFF):
        damaged = bytearray(GOLDEN)
        damaged[place] ^= flip
        with pytest.raises(SnapshotError):
            DeviceWindow.restore(SPEC, bytes(damaged))


@pytest.mark.parametrize("size", range(len(GOLDEN)))
def test_missing_bytes_are_found(size: int) -> None:
    with pytest.raises(SnapshotError):
        DeviceWindow.restore(SPEC, GOLDEN[:size])


@pytest.mark.parametrize("more", [b"\x00", GOLDEN])
def test_further_bytes_are_found(more: bytes) -> None:
    with pytest.raises(SnapshotError, match="damaged"):
        DeviceWindow.restore(SPEC, GOLDEN + more)


def test_other_bytes_are_no_snapshot() -> None:
    with pytest.raises(SnapshotError, match="not the snapshot of a window"):
        DeviceWindow.restore(SPEC, b"{}" * 100)


@pytest.mark.parametrize("version", [0, 1, 3])
def test_an_unknown_version_says_what_to_do(version: int) -> None:
    other = bytearray(GOLDEN[:-4])
    other[4] = version
    other += pack("<I", crc32(other))
    said = f"has version {version}, this program reads version 2: start it with the release"
    with pytest.raises(SnapshotError, match=said):
        DeviceWindow.restore(SPEC, bytes(other))


@pytest.mark.parametrize("declared", [["a"], ["a?"], ["a", "b?", "c"], [f"s{number}" for number in range(64)]])
def test_the_number_of_sensors_is_stored_and_absent_readings_are_one_nan(declared: list[str]) -> None:
    sensors = Sensors.of(declared)
    window = DeviceWindow(SPEC, "a")
    row = sensors.row([None if optional else 1.5 for optional in sensors.optional])
    window.on_event(Event("a", 20_000, row), 20_000)
    snapshot = window.snapshot()
    assert snapshot[6] == sensors.width
    assert snapshot[46:-4] == pack("<q", 20_000) + b"".join(
        bytes.fromhex("0000c07f" if optional else "0000c03f") for optional in sensors.optional
    )
    restored = DeviceWindow.restore(SPEC, snapshot)
    restored.check()
    assert restored.snapshot() == snapshot
    [again] = restored.on_event(Event("a", 20_000, row), 20_000)
    assert again.reason == "DUPLICATE"  # equal bit for bit, although a NaN does not equal itself


@pytest.mark.parametrize("width", [3, 5, 0, 255])
def test_another_number_of_sensors_than_the_rows_have_is_damage(width: int) -> None:
    other = bytearray(GOLDEN[:-4])
    other[6] = width
    with pytest.raises(SnapshotError, match="damaged"):
        DeviceWindow.restore(SPEC, bytes(other) + pack("<I", crc32(other)))


def test_300_events_take_at_most_7_400_bytes_and_the_id() -> None:
    assert len(full_window("pump-7").snapshot()) <= 7_400 + len("pump-7")
    assert len(full_window("x" * 256).snapshot()) <= 7_400 + 256


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("restored", [False, True])
def test_300_events_take_at_most_twice_their_snapshot_in_memory(late: bool, restored: bool) -> None:
    window = full_window()
    if late:
        window.on_event(demo_event("pump-7", 1_587_920_555_000 + 120_000 * 700 + 1, 1.0, 1.0, 1.0, 1.0), 0)
    if restored:
        window = DeviceWindow.restore(WindowSpec(interval_ms=36_000_000), window.snapshot())
    [evaluation] = window.on_event(demo_event("pump-7", 1_587_920_555_000 + 120_000 * 900, 1.0, 1.0, 1.0, 1.0), 0)
    evaluation.window()  # what reading makes, is counted too
    assert evaluation.events >= 300
    assert memory_of(window) <= 2 * len(window.snapshot())


def memory_of(window: DeviceWindow) -> int:
    """Bytes of all objects that belong to one device: not the spec and the id, which a fleet and its engine share."""
    parts = [window, *(getattr(window, name) for name in DeviceWindow.__slots__ if name not in ("_spec", "_device_id"))]
    columns = window._columns
    parts += [columns, *(getattr(columns, name) for name in Columns.__slots__ if name != "device_id"), *columns.views]
    return sum(sys.getsizeof(part) for part in {id(part): part for part in parts}.values())
