"""Whether a file still holds what it held up to a place, in a few bytes of it."""

import os
from pathlib import Path

import pytest

from dataflows.connectors.file_mark import FileMark
from window_core import SnapshotError

FIRST, SECOND = b"first line\n", b"second line\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lines"
    path.write_bytes(FIRST + SECOND)
    return path


def mark(*lines: bytes) -> FileMark:
    """The place behind the last of these lines, which are the file up to there."""
    return FileMark.behind(lines[-1], sum(map(len, lines)))


@pytest.mark.parametrize("lines", [(FIRST,), (FIRST, SECOND)])
def test_a_file_that_is_as_it_was_holds_its_lines(file: Path, lines: tuple[bytes, ...]) -> None:
    assert mark(*lines).is_in(str(file))


def test_what_has_been_added_since_is_no_matter(file: Path) -> None:
    place = mark(FIRST, SECOND)
    with file.open("ab") as more:
        more.write(b"third line\nand half of a four")
    assert place.is_in(str(file))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        FIRST,
        FIRST + SECOND[:-1],
        FIRST + b"Second line\n",
        SECOND + FIRST,
        FIRST + b"inserted\n" + SECOND,
        FIRST + SECOND.replace(b"\n", b" "),
    ],
)
def test_a_file_that_was_cut_or_changed_is_told(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert not mark(FIRST, SECOND).is_in(str(file))


def test_a_file_that_is_gone_holds_nothing_but_its_beginning(tmp_path: Path) -> None:
    path = str(tmp_path / "gone")
    assert FileMark().is_in(path)
    assert not mark(FIRST).is_in(path)


def test_the_beginning_of_any_file_is_in_it(file: Path) -> None:
    assert FileMark().is_in(str(file))
    file.write_bytes(b"")
    assert FileMark().is_in(str(file))


@pytest.mark.parametrize(
    ("behind", "is_in"), [(b"", True), (b"\n", True), (b"\nnext\n", True), (b" goes on", False), (b"x\n", False)]
)
def test_a_last_line_without_an_end_may_get_one_but_not_become_a_longer_line(
    file: Path, behind: bytes, is_in: bool
) -> None:
    place = mark(FIRST, b"no end")
    file.write_bytes(FIRST + b"no end" + behind)
    assert place.is_in(str(file)) is is_in


def test_what_cannot_be_read_again_is_not_looked_at(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert mark(FIRST).is_in(str(pipe))  # and does not wait for somebody who writes
    assert mark(FIRST).is_in(os.devnull)


def test_a_changed_file_is_an_error_that_names_the_option_the_state_and_the_place(file: Path) -> None:
    place = mark(FIRST, SECOND)
    place.check(f"--input {file}", "state")
    file.write_bytes(FIRST)
    with pytest.raises(SnapshotError) as refused:
        place.check(f"--input {file}", "state")
    line = str(refused.value)
    assert line.startswith(f"--input {file} ")
    assert "--state state" in line
    assert "byte 23" in line


def test_a_path_with_spaces_is_checked_whole(tmp_path: Path) -> None:
    path = tmp_path / "my own lines"
    path.write_bytes(FIRST)
    mark(FIRST).check(f"--output {path}", "state")
