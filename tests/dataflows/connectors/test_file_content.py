"""Files of each format, packed or not, are the same lines; a damaged one is one line of text."""

import gzip
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.parquet as parquet_file
import pytest
import zstandard

from dataflows.connectors.file_content import FileFormat, Unpacker, check_content, format_of, opened_content
from dataflows.pipeline.event_codec import EventCodec
from dataflows.pipeline.event_layout import EventLayout, TimeUnit
from dataflows.pipeline.first_records import InputError
from window_core import EventError, Sensors

LINES = b"".join(b'{"device_id":"d","time":%d}\n' % number for number in range(50_000))
CHECKED = zstandard.ZstdCompressor(write_checksum=True)  # as the zstd command writes it
SENSORS = Sensors.of(["celsius", "door?"])
INSTANT = datetime(2026, 3, 1, 8, 0, 0, 123_999, tzinfo=UTC)


def content(path: Path, file_format: FileFormat = "json", layout: EventLayout | None = None) -> bytes:
    with opened_content(str(path), file_format, layout or EventLayout()) as lines:
        return lines.read()


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        ("a.jsonl", "json"), ("a.csv", "csv"), ("a.CSV.GZ", "csv"), ("a.tsv.zst", "tsv"), ("a.parquet", "parquet"),
        ("csv", "json"), ("a.csv.bak", "json"), ("-", "json"),
    ],
)  # fmt: skip
def test_the_format_is_that_of_the_suffix(name: str, file_format: FileFormat) -> None:
    assert format_of(name, None) == file_format
    assert format_of(name, "tsv") == "tsv"


def test_packed_files_are_their_content_whatever_their_name(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    for packed in (
        LINES,
        gzip.compress(LINES),
        gzip.compress(LINES[:700]) + gzip.compress(LINES[700:]),
        zstandard.compress(LINES),
        zstandard.compress(LINES[:700]) + zstandard.compress(LINES[700:]),
    ):
        file.write_bytes(packed)
        assert content(file) == LINES


@pytest.mark.parametrize("packed", [gzip.compress(LINES), CHECKED.compress(LINES)], ids=["gzip", "zstd"])
@pytest.mark.parametrize("fault", ["cut", "flipped"])
def test_a_damaged_file_is_said_to_be(tmp_path: Path, packed: bytes, fault: str) -> None:
    middle = len(packed) // 2
    flipped = packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle : middle + 64]) + packed[middle + 64 :]
    file = tmp_path / "events.jsonl"
    file.write_bytes(packed[:-6] if fault == "cut" else flipped)
    with pytest.raises(InputError, match=r"events\.jsonl is damaged or cut: "):
        content(file)


@pytest.mark.parametrize("data", [LINES[:700], b"{", b""])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, CHECKED.compress], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("size", [1, 3, 700])
def test_a_stream_is_unpacked_as_it_comes(data: bytes, pack: Callable[[bytes], bytes], size: int) -> None:
    packed = pack(data) + pack(data)
    unpacker = Unpacker("-")
    pieces = [packed[first : first + size] for first in range(0, len(packed), size)]
    assert b"".join(unpacker.unpacked(piece) for piece in [*pieces, b""]) == data + data
    if pack is not bytes:
        unpacker = Unpacker("-")
        with pytest.raises(InputError, match=r"^--input - is damaged or cut: it has no end$"):
            [unpacker.unpacked(packed[:-1]), unpacker.unpacked(b"")]


def test_gzip_may_be_padded_with_zeros(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(gzip.compress(LINES) + bytes(512))
    assert content(tmp_path / "events.jsonl") == LINES


@pytest.mark.parametrize(
    ("beginning", "says"),
    [
        ("{".encode("utf-16"), "is UTF-16: write it as UTF-8"),
        ("{".encode("utf-16-le"), "is UTF-16: write it as UTF-8"),
        ("{".encode("utf-16-be"), "is UTF-16: write it as UTF-8"),
        (b"PAR1\x15", "is Parquet: give a file, since it is read from its end"),
    ],
)
def test_a_pipe_of_another_format_is_told_once_it_is_read(tmp_path: Path, beginning: bytes, says: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_content(str(pipe), "json")
    with ThreadPoolExecutor(1) as other:
        other.submit(pipe.write_bytes, beginning)
        with pytest.raises(InputError, match=f"pipe {says}$"):
            content(pipe)
        other.submit(pipe.write_bytes, gzip.compress(LINES[:700]))
        assert content(pipe) == LINES[:700]
    with pytest.raises(InputError, match="pipe: Parquet is read from its end"):
        check_content(str(pipe), "parquet")


def parquet(folder: Path, columns: dict[str, object]) -> Path:
    file = folder / "events.parquet"
    pl.DataFrame(columns).write_parquet(file)
    return file


def test_the_rows_of_parquet_are_lines_of_json(tmp_path: Path) -> None:
    rows = 45_000  # more than are read at once
    columns = {"device_id": ["d"] * rows, "time": range(rows), "celsius": [0.1] * rows, "door": [None] * rows}
    file = parquet(tmp_path, columns)
    lines = content(file, "parquet", EventLayout(SENSORS)).splitlines()
    assert len(lines) == rows
    event, arrival_ms = EventCodec(EventLayout(SENSORS)).line(lines[-1])
    assert (event.device_id, event.time_ms, arrival_ms) == ("d", rows - 1, None)


@pytest.mark.parametrize("unit", ["ms", "s", "us", "ns", "iso"])
def test_timestamps_of_parquet_are_times_in_every_unit(tmp_path: Path, unit: TimeUnit) -> None:
    file = parquet(tmp_path, {"device_id": ["d"], "time": [INSTANT], "celsius": [1], "arrival": [INSTANT]})
    layout = EventLayout(SENSORS, time_unit=unit)
    event, arrival_ms = EventCodec(layout).line(content(file, "parquet", layout))
    assert event.time_ms == arrival_ms == 1_772_352_000_123


def test_a_timestamp_without_a_zone_needs_one(tmp_path: Path) -> None:
    file = parquet(tmp_path, {"device_id": ["d"], "time": [INSTANT.replace(tzinfo=None)], "celsius": [1]})
    with pytest.raises(InputError, match="column time names no zone: give --time-unit iso --time-zone UTC, say"):
        content(file, "parquet", EventLayout(SENSORS))
    layout = EventLayout(SENSORS, time_unit="iso", zone=ZoneInfo("Europe/Berlin"))
    event, _ = EventCodec(layout).line(content(file, "parquet", layout))
    assert event.time_ms == 1_772_352_000_123 - 3_600_000


def found(path: Path, layout: EventLayout) -> list[object]:
    """The events of a Parquet file, each without its bytes, or what is wrong with it."""
    rows: list[object] = []
    for line in content(path, "parquet", layout).splitlines():
        try:
            event, _ = EventCodec(layout).line(line)
            rows.append((event.device_id, event.time_ms, *layout.sensors.readings(event.row)))
        except EventError as error:
            rows.append((error.error, error.field))
    return rows


def test_a_time_that_no_clock_showed_is_read_as_in_other_files(tmp_path: Path) -> None:
    layout = EventLayout(SENSORS, time_unit="iso", zone=ZoneInfo("Europe/Berlin"))
    for local in (datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)):  # noqa: DTZ001 - a clock on a wall
        file = parquet(tmp_path, {"device_id": ["d"], "time": [local], "celsius": [1]})
        typed = found(file, layout)
        columns = {"device_id": ["d"], "time": [local.isoformat()], "celsius": [1]}
        assert str(typed) == str(found(parquet(tmp_path, columns), layout))


def test_columns_of_other_types_are_what_they_hold(tmp_path: Path) -> None:
    table = pa.table(
        {
            "device_id": pa.array([b"d", b"\xff"]),  # texts that their writer did not mark as such
            "at": pa.array([{"ts": INSTANT}] * 2, pa.struct([("ts", pa.timestamp("ns", "Europe/Berlin"))])),
            "celsius": pa.array([Decimal("2.50"), Decimal("0.10")]),
            "door": pa.array([1, 0]).dictionary_encode(),
            "picture": pa.array([b"\xff\xd8", None]),
            "raw": pa.array([{"bytes": b"\xff"}] * 2),
        }
    )
    file = tmp_path / "events.parquet"
    parquet_file.write_table(table, file)
    layout = EventLayout(SENSORS, {"time": "at.ts"})
    assert found(file, layout) == [("d", 1_772_352_000_123, 2.5, 1.0), ("wrong_type", "device_id")]
    parquet_file.write_table(table.set_column(0, "device_id", pa.array(["d", "e"]).dictionary_encode()), file)
    assert [row[0] for row in found(file, layout)] == ["d", "e"]  # type: ignore[index]


def test_what_is_not_finite_is_not_absent(tmp_path: Path) -> None:
    nan, inf = float("nan"), float("inf")
    columns = {
        "device_id": ["ü"] * 4,
        "time": [1, 2, 3, 4],
        "celsius": [1.0, nan, 1.0, -inf],
        "door": [nan, 0, inf, None],
    }
    first, *others = found(parquet(tmp_path, columns), EventLayout(SENSORS))
    assert str(first) == "('ü', 1, 1.0, nan)"
    assert others == [("sensor", "celsius"), ("sensor", "door"), ("sensor", "celsius")]


def test_a_damaged_parquet_file_is_said_to_be(tmp_path: Path) -> None:
    file = parquet(tmp_path, {"time": range(9)})
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"cannot be read as Parquet: .* must end with PAR1"):
        content(file, "parquet")
    file.write_bytes(LINES)
    with pytest.raises(InputError, match="is no Parquet file"):
        check_content(str(file), "parquet")


def test_a_file_at_which_polars_panics_is_said_to_be_unreadable() -> None:
    damaged = Path(__file__).with_name("damaged.parquet")  # a place of a column lies behind its end
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        content(damaged, "parquet")
