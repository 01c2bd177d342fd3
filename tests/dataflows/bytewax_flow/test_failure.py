"""What the runtime says of a panic is not heard, nor anything behind it, until the end of the flow."""

import os
import sqlite3
import sys
from pathlib import Path

import pytest

from dataflows.bytewax_flow.failure import disk_error, without_panics

PANIC = "thread '<unnamed>' panicked at src/recovery.rs:626:22:\nstack backtrace:\n   0: rust_begin_unwind\n"


def say(text: str) -> None:
    os.write(2, text.encode())


def test_what_is_said_from_a_panic_on_is_not_heard_until_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    with without_panics():
        say("before\n")
        say(PANIC + "not heard\n")
    say("after\n")
    assert capfd.readouterr().err == "before\nafter\n"


def test_who_writes_to_the_terminal_itself_is_heard_at_once_and_not_after_a_panic(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with os.fdopen(2, "w", closefd=False) as own:
        monkeypatch.setattr(sys, "stderr", own)
        with without_panics():
            print("heard", file=sys.stderr)
            assert capfd.readouterr().err == "heard\n"
        with without_panics() as silence:
            silence()
            print("not heard", file=sys.stderr)
        assert sys.stderr is own
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt])
def test_standard_error_is_open_again_whatever_happens(
    capfd: pytest.CaptureFixture[str], raised: type[BaseException]
) -> None:
    def fail() -> None:
        say(PANIC)
        raise raised

    with pytest.raises(raised), without_panics():
        fail()
    say("heard")
    assert capfd.readouterr().err == "heard"


@pytest.mark.parametrize(
    ("code", "says"), [(13, "No space left on device"), (0x130A, "disk I/O error"), (1555, "disk I/O error")]
)
def test_what_bytewax_could_not_write_is_the_disks_error(tmp_path: Path, code: int, says: str) -> None:
    words = f'SqliteFailure(Error {{ code: X, extended_code: {code} }}, Some("disk I/O error"))'
    found = disk_error(RuntimeError(f"called `Result::unwrap()` on an `Err` value: {words}"), tmp_path)
    assert found is not None
    assert (found.filename, found.strerror) == (str(tmp_path), says)


def test_damage_is_no_error_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "database").write_bytes(b"no database" * 100)
    with sqlite3.connect(tmp_path / "database") as connection, pytest.raises(sqlite3.DatabaseError) as caught:
        connection.execute("SELECT * FROM sqlite_master")
    connection.close()
    assert disk_error(caught.value, tmp_path) is None
    assert disk_error(RuntimeError("anything else"), tmp_path) is None
