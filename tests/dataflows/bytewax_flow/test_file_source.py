"""The source: lines of any length in chunks of any size, and a state that can be taken after each chunk."""

import gzip
from codecs import BOM_UTF8
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import zstandard
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dataflows.bytewax_flow import file_source
from dataflows.bytewax_flow.file_source import FileSource
from dataflows.bytewax_flow.partition import SourceItem
from dataflows.connectors.file_content import format_of
from dataflows.connectors.file_log import FileLog
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.record import OutputRecord
from tests.dataflows.logs import DrawnLog, drawn_logs
from window_core import SnapshotError, WindowSpec

SHARED = settings(suppress_health_check=[*HealthCheck])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("source") / "events.jsonl"


def source(path: Path, spec: WindowSpec | None = None, until_ms: int | None = None) -> FileSource:
    return FileSource(FileLog(str(path), Metrics(), until_ms, format=format_of(str(path), None)), spec or SPEC)


def opened(path: Path, spec: WindowSpec, until_ms: int | None = None, state: bytes | None = None) -> Any:
    return source(path, spec, until_ms).build_part("log", "file", state)


def read(
    path: Path, spec: WindowSpec, until_ms: int | None, chunk_bytes: int, *, restarts: bool = False
) -> list[SourceItem]:
    """Every item of the source, with a restart from its state after each batch if so asked."""
    items: list[SourceItem] = []
    part = opened(path, spec, until_ms)
    with patch.object(file_source, "_CHUNK_BYTES", chunk_bytes):
        while True:
            try:
                items += part.next_batch()
            except StopIteration:
                part.close()
                return items
            # Inside a line, a restart with the same chunks would come to the same place for ever.
            if restarts and not part._has_ended and b"".join(part._begun) == b"":
                state = part.snapshot()
                part.close()
                part = opened(path, spec, until_ms, state)


@given(drawn_logs(), st.integers(1, 80))
@SHARED
def test_a_byte_order_mark_at_the_start_changes_no_record(path: Path, log: DrawnLog, chunk_bytes: int) -> None:
    assume(not log.data.startswith(BOM_UTF8))  # only the first of two is skipped
    path.write_bytes(log.data)
    plain = read(path, log.spec, log.until_ms, 1 << 20)
    path.write_bytes(BOM_UTF8 + log.data)
    marked = read(path, log.spec, log.until_ms, chunk_bytes, restarts=True)
    assert [item for item in marked if not is_watermark(item)] == [item for item in plain if not is_watermark(item)]


@given(drawn_logs(), st.integers(1, 80))
@SHARED
def test_chunks_change_no_item(path: Path, log: DrawnLog, chunk_bytes: int) -> None:
    path.write_bytes(log.data)
    whole = read(path, log.spec, log.until_ms, 1 << 20)
    assert read(path, log.spec, log.until_ms, chunk_bytes) == whole


@given(drawn_logs(), st.integers(1, 200))
@SHARED
def test_a_restart_between_chunks_loses_and_repeats_no_record(path: Path, log: DrawnLog, chunk_bytes: int) -> None:
    path.write_bytes(log.data)
    whole = read(path, log.spec, log.until_ms, 1 << 20)
    restarted = read(path, log.spec, log.until_ms, chunk_bytes, restarts=True)
    assert [item for item in restarted if not is_watermark(item)] == [item for item in whole if not is_watermark(item)]


@pytest.mark.parametrize("packed", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
@given(log=drawn_logs(), chunk_bytes=st.integers(1, 200))
@SHARED
def test_a_packed_file_is_read_and_resumed_as_its_content(
    path: Path, packed: Callable[[bytes], bytes], log: DrawnLog, chunk_bytes: int
) -> None:
    path.write_bytes(log.data)
    plain = read(path, log.spec, log.until_ms, 1 << 20)
    path.write_bytes(packed(log.data))
    restarted = read(path, log.spec, log.until_ms, chunk_bytes, restarts=True)
    assert [item for item in restarted if not is_watermark(item)] == [item for item in plain if not is_watermark(item)]


def test_a_table_is_resumed_behind_its_header(tmp_path: Path) -> None:
    table = b"sensor4,time,device_id,sensor1,sensor2,sensor3\n" + b"".join(b"4,%d,d,1,2,3\n" % at for at in range(9))
    lines = b"".join(
        b'{"device_id":"d","time":%d,"sensor1":1,"sensor2":2,"sensor3":3,"sensor4":4}\n' % at for at in range(9)
    )
    rows: list[list[str]] = []
    for name, data in (("a.jsonl", b"\n" + lines), ("a.csv", table), ("b.csv", gzip.compress(table))):
        (tmp_path / name).write_bytes(data)
        items = read(tmp_path / name, SPEC, None, 40, restarts=True)
        rows.append([str(item) for item in items if not is_watermark(item)])
    assert rows[0] == rows[1] == rows[2]
    assert len(rows[0]) == 9


def test_a_packed_file_that_grew_goes_on_and_one_that_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(gzip.compress(LINE % 1 + LINE % 2))
    with closing(opened(path, SPEC)) as part:
        part.next_batch()
        state = part.snapshot()
    path.write_bytes(gzip.compress(LINE % 1 + LINE % 2 + LINE % 3))
    source(path).check(state, "s")
    with closing(opened(path, SPEC, state=state)) as part:
        assert [item[1].event.time_ms for item in part.next_batch() if not is_watermark(item)] == [3]
    path.write_bytes(gzip.compress(LINE % 1 + LINE % 4))
    with pytest.raises(SnapshotError, match="was cut, replaced or changed"):
        source(path).check(state, "s")


def is_watermark(item: SourceItem) -> bool:
    return not isinstance(item, OutputRecord) and isinstance(item[1], int)


LINE = b'{"device_id":"d","time":%d,"sensor1":1,"sensor2":1,"sensor3":1,"sensor4":1}\n'
SPEC = WindowSpec(tick_ms=0)


def test_a_state_taken_inside_a_line_begins_with_that_line(path: Path) -> None:
    path.write_bytes(LINE % 1 + LINE % 2)
    with patch.object(file_source, "_CHUNK_BYTES", len(LINE) + 10):
        with closing(opened(path, SPEC)) as part:
            assert len(part.next_batch()) == 1
            state = part.snapshot()
        with closing(opened(path, SPEC, state=state)) as resumed:
            [(_, record)] = resumed.next_batch()
    assert (record.event.time_ms, record.position) == (2, "0/1")


def test_a_source_that_has_ended_gives_nothing_when_it_goes_on(path: Path) -> None:
    path.write_bytes((LINE % 1).removesuffix(b"\n"))
    with closing(opened(path, SPEC)) as part:
        assert part.next_batch() == []
        assert len(part.next_batch()) == 1
        with pytest.raises(StopIteration):
            part.next_batch()
        state = part.snapshot()
    with closing(opened(path, SPEC, state=state)) as resumed:
        assert resumed.next_batch() == []
        with pytest.raises(StopIteration):
            resumed.next_batch()


def after_the_end(path: Path) -> bytes:
    """The state of a source that has read the whole file."""
    with closing(opened(path, SPEC)) as part:
        while not part._has_ended:
            part.next_batch()
        return part.snapshot()


def as_it_is(data: bytes) -> bytes:
    return data


@pytest.mark.parametrize("packed", [as_it_is, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_file_that_has_grown_is_read_from_where_it_ended(
    path: Path, end: bytes, packed: Callable[[bytes], bytes]
) -> None:
    path.write_bytes(packed((LINE % 1).removesuffix(b"\n") + end))
    state = after_the_end(path)
    path.write_bytes(packed(LINE % 1 + LINE % 2))
    source(path).check(state, "folder")
    with closing(opened(path, SPEC, state=state)) as resumed:
        [(_, record)] = resumed.next_batch()
        resumed.next_batch()
        assert (record.event.time_ms, record.position) == (2, "0/1")
        resumed._items.reader.next_offset = 2
        assert resumed.snapshot() == after_the_end(path)


@pytest.mark.parametrize("packed", [as_it_is, gzip.compress, zstandard.compress])
@pytest.mark.parametrize(
    "now",
    [
        LINE % 1,
        LINE % 1 + LINE % 3,
        LINE % 1 + (LINE % 2)[:-2],
        LINE % 1 + (LINE % 2).removesuffix(b"\n") + b" longer\n",
        b"x" + LINE % 1 + LINE % 2,
        b"",
    ],
)
def test_a_file_that_was_cut_replaced_or_changed_is_told_from_the_one_that_was_read(
    path: Path, now: bytes, packed: Callable[[bytes], bytes]
) -> None:
    path.write_bytes(packed((LINE % 1 + LINE % 2).removesuffix(b"\n")))
    state = after_the_end(path)
    source(path).check(state, "folder")
    path.write_bytes(packed(now))
    with pytest.raises(SnapshotError, match=r"--input .* was cut, replaced or changed since --state folder was saved"):
        source(path).check(state, "folder")
    path.unlink()
    with pytest.raises(SnapshotError):
        source(path).check(state, "folder")


def test_of_what_was_never_read_nothing_is_asked(path: Path) -> None:
    path.write_bytes(b"")
    state = after_the_end(path)
    path.write_bytes(LINE % 1)
    source(path).check(state, "folder")
