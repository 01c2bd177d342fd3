"""A snapshot that was damaged is found before anything of it is loaded."""

import pickle
from typing import Any
from zlib import crc32

import pytest

from dataflows.bytewax_flow.sealed import SealedSink, SealedSource, checked_pickle, loaded_pickle, sealed, unsealed
from window_core import SnapshotError

DATA = [b"", b"a", bytes(range(256)), b"latecomer/1:" * 2, b"x" * 300]


@pytest.mark.parametrize("data", DATA, ids=len)
def test_what_was_sealed_is_given_back(data: bytes) -> None:
    assert unsealed(sealed(data)) == data


@pytest.mark.parametrize("data", DATA, ids=len)
def test_the_pickle_of_what_was_sealed_passes(data: bytes) -> None:
    checked_pickle(pickle.dumps(sealed(data)))


def test_a_flipped_bit_anywhere_is_found() -> None:
    snapshot = sealed(b"a window")
    for place in range(len(snapshot) * 8):
        damaged = bytearray(snapshot)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(SnapshotError):
            unsealed(bytes(damaged))


def test_a_flipped_bit_anywhere_in_its_pickle_is_found() -> None:
    stored = pickle.dumps(sealed(b"a window"))
    for place in range(len(stored) * 8):
        damaged = bytearray(stored)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(SnapshotError):
            checked_pickle(bytes(damaged))


def test_a_snapshot_that_was_cut_or_went_on_is_found() -> None:
    snapshot = sealed(b"a window")
    stored = pickle.dumps(snapshot)
    for cut in range(len(snapshot)):
        with pytest.raises(SnapshotError):
            unsealed(snapshot[:cut])
    for damaged in (b"", stored[:-1], stored[1:], stored + b".", stored + stored):
        with pytest.raises(SnapshotError):
            checked_pickle(damaged)


def test_the_checksum_covers_the_version_before_the_data() -> None:
    with pytest.raises(SnapshotError):
        unsealed(sealed(b"a window").replace(b"/1:", b"/2:"))


def test_bytes_of_another_version_are_refused_also_with_a_right_checksum() -> None:
    data = sealed(b"a window")[:-4].replace(b"/1:", b"/2:")
    with pytest.raises(SnapshotError):
        unsealed(data + crc32(data).to_bytes(4, "big"))


class Trap:
    """Runs when it is loaded."""

    sprung = False

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return spring, ()


def spring() -> None:
    Trap.sprung = True


@pytest.mark.parametrize("value", [Trap(), b"a window", [sealed(b"a")], (sealed(b"a"), Trap()), None])
def test_any_other_pickle_is_refused_and_not_loaded(value: object) -> None:
    with pytest.raises(SnapshotError):
        checked_pickle(pickle.dumps(value))
    assert not Trap.sprung


class Part:
    """A partition of a source or a sink, with this state; it notes what is done with it."""

    def __init__(self, state: Any) -> None:
        self.state, self.calls = state, []

    def snapshot(self) -> Any:
        return self.state

    def next_batch(self) -> list[int]:
        return [1, 2]

    def next_awake(self) -> None:
        return None

    def write_batch(self, items: list[Any]) -> None:
        self.calls.append(items)

    def close(self) -> None:
        self.calls.append("close")


class Ends:
    """A source and a sink of two parts, which begin with the number of their part."""

    def list_parts(self) -> list[str]:
        return ["p0", "p1"]

    def part_fn(self, item_key: str) -> int:
        return len(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: Any) -> Part:
        return Part([step_id, for_part, resume_state])


@pytest.mark.parametrize("kind", [SealedSource, SealedSink])
def test_a_part_resumes_from_the_state_that_it_gave(kind: Any) -> None:
    ends = kind(Ends())
    assert ends.list_parts() == ["p0", "p1"]
    first = ends.build_part("step", "p1", None).snapshot()
    assert unsealed(first)
    assert loaded_pickle(pickle.dumps(first)) == ["step", "p1", None]
    again = ends.build_part("step", "p1", first).snapshot()
    assert loaded_pickle(pickle.dumps(again)) == ["step", "p1", ["step", "p1", None]]


@pytest.mark.parametrize("kind", [SealedSource, SealedSink])
def test_a_part_does_not_resume_from_a_damaged_state(kind: Any) -> None:
    snapshot = kind(Ends()).build_part("step", "p1", None).snapshot()
    with pytest.raises(SnapshotError):
        kind(Ends()).build_part("step", "p1", snapshot[:-1] + bytes([snapshot[-1] ^ 1]))


def test_everything_else_is_passed_on() -> None:
    source = SealedSource(Ends()).build_part("step", "p0", None)  # type: ignore[arg-type]
    assert (list(source.next_batch()), source.next_awake()) == ([1, 2], None)
    sink = SealedSink(Ends())  # type: ignore[arg-type]
    assert sink.part_fn("abc") == 3
    part = sink.build_part("step", "p0", None)
    part.write_batch([7])
    part.close()
    source.close()
    assert part._part.calls == [[7], "close"]  # type: ignore[attr-defined]
    assert source._part.calls == ["close"]  # type: ignore[attr-defined]
