"""A state in a file: what was written is read, equal states are equal bytes, and any flipped bit is found."""

from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.connectors.file_mark import FileMark
from dataflows.saved_state import portable_file
from dataflows.saved_state.origin import Origin, Place, Position, SavedDevice, WrittenFile
from dataflows.saved_state.portable_file import read_devices, read_origin, write_portable_file
from tests.events import demo_event
from window_core import DeviceWindow, SnapshotError, WindowSpec, snapshot

SPEC: Final = WindowSpec(interval_ms=1_000, tick_ms=100)
TOPIC: Final = Origin(
    Place("raw-events", "T8fO2s4gQ3u8hM7cZC3p2A"),
    "temperature,pressure?",
    SPEC,
    (Position(17, 1_587_920_555_000), Position(0, None)),
    {},
)
FILE: Final = Origin(
    Place(path="/data/events.jsonl", mark=FileMark(100, 20, 7)),
    "sensor1",
    None,
    (Position(3, None),),
    {"predictions": WrittenFile("/data/p.jsonl", FileMark(5, 5, 1))},
)


def saved(device_id: str, partition: int = 0, events: int = 1) -> SavedDevice:
    window = DeviceWindow(SPEC, device_id)
    for number in range(events):
        window.on_event(demo_event(device_id, 5_000 + number, 1.0, 2.0, 3.0, 4.0), 5_000 + number)
    return SavedDevice(device_id, partition, window.snapshot())


@pytest.mark.parametrize("origin", [TOPIC, FILE])
def test_what_was_written_is_read(tmp_path: Path, origin: Origin) -> None:
    devices = [saved("a"), saved("ä", 1, events=300), saved("水")]
    assert write_portable_file(tmp_path / "state", origin, devices) == 3
    assert read_origin(tmp_path / "state", "it") == origin
    assert list(read_devices(tmp_path / "state", "it")) == devices
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_a_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        write_portable_file(tmp_path / "state", TOPIC, [])
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert (tmp_path / "state").read_bytes() == b"mine"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("written") / "state"
    write_portable_file(file, TOPIC, [saved("a"), saved("b", 1)])
    return file


@given(data=st.data())
def test_any_flipped_bit_and_any_cut_is_found(written: Path, data: st.DataObject) -> None:
    whole = bytearray(written.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del whole[at:]
    damaged = written.with_name("damaged")
    damaged.write_bytes(whole)
    with pytest.raises(SnapshotError, match=r"^it (is damaged|has version|is no file)"):
        read_origin(damaged, "it")


def test_bytes_behind_the_end_are_found(written: Path) -> None:
    longer = written.with_name("longer")
    longer.write_bytes(written.read_bytes() + b"\0")
    with pytest.raises(SnapshotError, match="it is damaged"):
        read_origin(longer, "it")


def test_a_newer_file_and_newer_windows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(portable_file, "_VERSION", 2)
        write_portable_file(tmp_path / "file", TOPIC, [])
    with pytest.raises(SnapshotError, match="it has version 2, this program reads version 1: use the release that"):
        read_origin(tmp_path / "file", "it")
    with monkeypatch.context() as newer:
        newer.setattr(snapshot, "SNAPSHOT_VERSION", 3)
        devices = [saved("a")]
    write_portable_file(tmp_path / "windows", TOPIC, devices)
    with pytest.raises(SnapshotError, match="it: device a: the snapshot has version 3"):
        list(read_devices(tmp_path / "windows", "it"))
