"""A partition of a log: what each record is, when it arrived, and which are read at all."""

import json
from collections.abc import Iterable
from random import Random

import pytest

from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader, RecordFormat
from dataflows.pipeline.record import LoggedEvent, Record
from window_core import MAX_TIME_MS

DAY_MS = 86_400_000


def line(time_ms: int, arrival_ms: int | None = None) -> bytes:
    arrival = {} if arrival_ms is None else {"arrival": arrival_ms}
    readings = dict.fromkeys(("sensor1", "sensor2", "sensor3", "sensor4"), 1)
    return json.dumps({"device_id": "d", "time": time_ms, **readings, **arrival}).encode()


class Partition:
    """A reader with what it counts."""

    def __init__(self, record_format: RecordFormat = "line", until_ms: int | None = None, **more: bool) -> None:
        self.metrics = Metrics()
        self.reader = PartitionReader(3, record_format, self.metrics, until_ms, **more)

    def of_lines(self, *lines: bytes) -> list[int | str | None]:
        return self.arrivals(Record(0, number, None, None, value) for number, value in enumerate(lines))

    def of_topic(self, *stamps_ms: int, key: bytes | None = b"d", value: bytes | None = None) -> list[int | str | None]:
        """Records with these timestamps: valid events, unless a value is given."""
        first, value = self.reader.next_offset, line(1) if value is None else value
        return self.arrivals(Record(3, number, ms, key, value) for number, ms in enumerate(stamps_ms, first))

    def heartbeat(self, stamp_ms: int) -> None:
        assert self.arrivals([Record(3, self.reader.next_offset, stamp_ms, None, None)]) in ([None], [])

    def arrivals(self, records: Iterable[Record]) -> list[int | str | None]:
        """The arrival of each event; of a rejection, its arrival as text; ``None`` for what is skipped."""
        found: list[int | str | None] = []
        for record in records:
            read = self.reader.read(record)
            if self.reader.has_ended:
                break
            if read is None or isinstance(read, LoggedEvent):
                found.append(read and read.arrival_ms)
            else:
                found.append(str(json.loads(read.value)["arrival_ms"]))
        self.reader.count()
        return found

    def counted(self, name: str) -> int:
        return self.metrics.total(f"latecomer_{name}_total")


def test_a_line_without_an_arrival_arrived_at_its_time_or_with_the_largest_so_far() -> None:
    file = Partition()
    assert file.of_lines(line(5), line(3), line(9), line(1, 20), line(12)) == [5, 5, 9, 20, 20]
    assert (file.reader.clock_ms, file.counted("arrivals_clamped")) == (20, 0)


def test_an_arrival_that_goes_back_is_clamped_to_the_clock_of_the_partition_and_counted() -> None:
    file = Partition()
    assert file.of_lines(line(5, 100), line(5, 40), line(5), line(5, 99), line(5, 100)) == [100] * 5
    assert file.counted("arrivals_clamped") == 2
    topic = Partition("json")
    assert topic.of_topic(7, 6, 8, 8, 0) == [7, 7, 8, 8, 8]
    assert topic.metrics.value("latecomer_arrivals_clamped_total", partition="3") == 2


def test_an_invalid_line_arrived_with_the_largest_so_far_or_at_no_known_time() -> None:
    file = Partition()
    found = file.of_lines(b"{", line(5, 7), b"{", line(-1, 900), line(5, 6), line(1, -1), line(1, MAX_TIME_MS + 1))
    assert found == ["None", 7, "7", "7", 7, "7", "7"]
    assert file.reader.clock_ms == 7


@pytest.mark.parametrize("stamp_ms", [-1, -(2**62), MAX_TIME_MS + 1, 1_587_920_555_000_000])
def test_a_timestamp_that_is_no_time_makes_its_record_invalid_and_moves_no_clock(stamp_ms: int) -> None:
    topic = Partition("json")
    assert topic.of_topic(stamp_ms, 5, stamp_ms, 4) == [str(stamp_ms), 5, str(stamp_ms), 5]
    topic.heartbeat(stamp_ms)
    assert topic.reader.clock_ms == 5
    assert topic.counted("arrivals_clamped") == 1
    assert topic.metrics.value("latecomer_rejections_total", reason="INVALID") == 2


def test_the_ends_of_time_are_times() -> None:
    topic = Partition("json")
    assert topic.of_topic(0, MAX_TIME_MS) == [0, MAX_TIME_MS]


def test_an_invalid_record_of_a_topic_moves_the_clock_by_its_timestamp_and_is_clamped_as_others() -> None:
    topic = Partition("json")
    assert topic.of_topic(5, value=b"{") == ["5"]
    assert topic.of_topic(4) == [5]
    assert topic.of_topic(9, 3, key=b"another") == ["9", "9"]
    assert topic.of_topic(8) == [9]


def test_a_heartbeat_moves_the_clock_and_is_no_record() -> None:
    topic = Partition("json")
    topic.heartbeat(7)
    topic.heartbeat(6)
    assert (topic.reader.clock_ms, topic.reader.next_offset) == (7, 2)
    assert (topic.counted("records"), topic.counted("arrivals_clamped")) == (0, 1)


def test_positions_count_blank_lines_which_are_no_records() -> None:
    file = Partition()
    lines = [b"", line(1), b" \t\r", b"{", line(2)]
    found = [file.reader.read(Record(0, number, None, None, value)) for number, value in enumerate(lines)]
    assert [isinstance(read, LoggedEvent) and read.position for read in found if read] == ["0/1", False, "0/4"]
    assert b'"position":"0/3"' in found[3].value  # type: ignore[union-attr]
    file.reader.count()
    assert (file.counted("records"), file.counted("rejections")) == (3, 1)
    assert file.reader.next_offset == 5


def test_a_record_behind_until_ends_the_partition_and_leaves_no_trace() -> None:
    file = Partition(until_ms=10)
    assert file.of_lines(line(5, 10), b"{", line(5, 11), b"{", line(5, 9)) == [10, "10"]
    assert (file.reader.has_ended, file.reader.next_offset, file.reader.clock_ms) == (True, 2, 10)
    assert (file.counted("records"), file.counted("arrivals_clamped")) == (2, 0)


def test_until_goes_by_the_clamped_arrival() -> None:
    topic = Partition("json", until_ms=10)
    topic.reader.clock_ms = 11  # of a run before
    assert topic.of_topic(10) == []
    assert (topic.reader.has_ended, topic.reader.next_offset) == (True, 0)


def test_a_heartbeat_behind_until_ends_the_partition_too() -> None:
    topic = Partition("json", until_ms=10)
    topic.heartbeat(11)
    assert (topic.reader.has_ended, topic.reader.clock_ms) == (True, None)


def test_what_one_run_leaves_the_next_one_reads() -> None:
    lines = [line(5, 10), line(5, 30), line(5, 11), line(5, 31), line(5, 8)]
    whole = Partition().of_lines(*lines)
    parts: list[int | str | None] = []
    start, clock_ms = 0, None
    for until_ms in (10, 29, 30, None):
        part = Partition(until_ms=until_ms)
        part.reader.resume(start, clock_ms)
        parts += part.arrivals(Record(0, number, None, None, lines[number]) for number in range(start, len(lines)))
        start, clock_ms = part.reader.next_offset, part.reader.clock_ms
    assert parts == whole == [10, 30, 30, 31, 31]


@pytest.mark.parametrize(
    ("lines", "jumps"),
    [
        ([line(0), line(DAY_MS)], 1),
        ([line(0), line(DAY_MS - 1)], 0),
        ([line(0), line(0, DAY_MS)], 0),
        ([line(MAX_TIME_MS)], 0),
        ([line(0), line(DAY_MS), line(1), line(2 * DAY_MS)], 2),
    ],
)
def test_a_jump_of_a_day_by_a_line_without_an_arrival_is_counted(lines: list[bytes], jumps: int) -> None:
    file = Partition()
    file.of_lines(*lines)
    assert file.counted("arrival_jumps") == jumps


@pytest.mark.parametrize("has_producers_clock", [False, True])
def test_a_jump_of_a_day_by_a_timestamp_is_counted_where_it_is_a_producers(has_producers_clock: bool) -> None:
    topic = Partition("json", has_producers_clock=has_producers_clock)
    topic.of_topic(DAY_MS, 2 * DAY_MS, 3 * DAY_MS - 1, 1, -1, MAX_TIME_MS + 1, 4 * DAY_MS)
    assert topic.counted("arrival_jumps") == (2 if has_producers_clock else 0)


def test_a_time_that_may_be_in_seconds_is_one_warning() -> None:
    file = Partition()
    file.of_lines(line(2_678_400_000))
    assert file.metrics.warnings == {}
    file.of_lines(line(1_587_920_555), line(1_587_920_556))
    assert file.metrics.warnings["January 1970"].startswith(
        "the time of 0/0, 1587920555, lies in January 1970: times are in ms; if these are seconds, "
    )


def test_times_without_arrivals_that_go_back_by_hours_are_a_warning() -> None:
    file = Partition()
    file.of_lines(line(DAY_MS), line(DAY_MS - 7_199_999), line(1, DAY_MS))
    assert "sorted by device" not in file.metrics.warnings
    file.of_lines(line(DAY_MS - 7_200_000))
    assert "go back by hours, first at 0/0" in file.metrics.warnings["sorted by device"]


def test_a_blank_line_and_a_header_are_counted() -> None:
    file = Partition()
    file.of_lines(line(1), b"  ")
    assert file.reader.next_offset == 2
    table = Partition("csv")
    table.of_lines(b"device_id,time,sensor1,sensor2,sensor3,sensor4")
    assert table.reader.next_offset == 1


def test_a_table_that_is_resumed_behind_its_header_is_told_it() -> None:
    table = Partition("csv")
    table.reader.resume(3, 7)
    table.reader.read_header(b"time,device_id,sensor4,sensor3,sensor2,sensor1")
    assert table.arrivals([Record(0, 3, None, None, b"9,d,4,3,2,1")]) == [9]
    assert (table.reader.next_offset, table.counted("arrivals_clamped")) == (4, 0)


@pytest.mark.parametrize("until_ms", [None, 40, 50])
def test_a_record_that_is_passed_over_moves_the_clock_as_one_that_is_read(until_ms: int | None) -> None:
    read, passed = (Partition("json", until_ms).reader for _ in range(2))
    for offset, stamp_ms in enumerate((20, -1, 50, 10, MAX_TIME_MS + 1, 50, 51)):
        for value in (line(1), b"no event", None):
            record = Record(3, offset, stamp_ms, b"d", value)
            read.read(record)
            passed.read(record.as_heartbeat())
            assert (passed.clock_ms, passed.next_offset, passed.has_ended) == (
                read.clock_ms, read.next_offset, read.has_ended,
            )  # fmt: skip
        if read.has_ended:
            break


PLAIN = line(10**12, 10**12 + 5)
ODD_LINES = (
    PLAIN[:-1],  # an object that goes on in the next line,
    b'"more":1}',
    PLAIN + b"," + PLAIN,  # and two in one line, so that there are as many as lines
    PLAIN[:-1] + b',"more":[{"more":1}',
    b'{"more":2}]}',
    PLAIN[:-1] + b',"more":"{"}',
    PLAIN[:-1] + b',"more":"\xff"}',
    PLAIN[:-1] + b',"more":"\\ud800"}',
    PLAIN[:-1] + b',"more":' + 201 * b"[" + 201 * b"]" + b"}",
    b" " + PLAIN + b"\r",
    b"  ",
    b"",
    line(10**12),
    line(1, 10**12),
    line(-1, 10**12),
    line(MAX_TIME_MS + 1, 10**12),
    line(10**12, -1),
    line(10**12, MAX_TIME_MS + 1),
    line(10**12, 10**12 - 9),
    line(10**12, 10**12 + 3 * DAY_MS),
    PLAIN.replace(b'"d"', b'""'),
    PLAIN.replace(b'"d"', b'"e"'),
    PLAIN.replace(b'"d"', b'"%b"' % (256 * b"x")),
    PLAIN.replace(b'"d"', b'"%b"' % (257 * b"x")),
    PLAIN.replace(b'"d"', '"Größe ☃ 𝄞"'.encode()),
    *(
        PLAIN.replace(b'"sensor4": 1', b'"sensor4": ' + one)
        for one in (b"1e39", b"1e400", b"NaN", b"true", b"-0", b"9")
    ),
    *(PLAIN.replace(b"1000000000005", one) for one in (b"1e12", b"1.5", b"true", b'"5"', b"null", 30 * b"9")),
)
"""Each makes the lines beside it ones that are read alone, or has to be read as they are."""


@pytest.mark.parametrize("until_ms", [None, 10**12 + 4, 10**12 + DAY_MS])
@pytest.mark.parametrize("record_format", ["line", "json"])
@pytest.mark.parametrize("more", [{}, {"has_producers_clock": True}, {"ignores_key": True}])
def test_many_records_are_what_each_of_them_is(
    record_format: RecordFormat, until_ms: int | None, more: dict[str, bool]
) -> None:
    random = Random(f"{record_format}{until_ms}{more}")
    for _ in range(400):
        each, many = (Partition(record_format, until_ms, **more) for _ in range(2))
        for number in range(3):
            values = random.choices((PLAIN, *random.choices(ODD_LINES, k=random.randint(0, 3))), k=random.randint(1, 5))
            records = [
                Record(3, 10 * number + offset, random.choice((10**12, 10**12 + 5, -1)), b"d", value)
                for offset, value in enumerate(values)
            ]
            found: list[object] = []
            for record in records:
                one = each.reader.read(record)
                if each.reader.has_ended:
                    break
                found.append(one)
            assert [*many.reader.read_many(records)] == found
            if each.reader.has_ended:
                break
        for name in ("clock_ms", "next_offset", "has_ended"):
            assert getattr(many.reader, name) == getattr(each.reader, name)
        each.reader.count()
        many.reader.count()
        assert many.metrics.report() == each.metrics.report()


def test_columns_are_the_events_of_many_records() -> None:
    lines = [PLAIN, line(10**12, 10**12 - 1), PLAIN.replace(b'"d"', b'"e"')]
    for values in (lines, [*lines, b"no event"], [b"no event"]):
        records = [Record(3, number, None, None, value) for number, value in enumerate(values)]
        events = [one for one in Partition().reader.read_many(records) if isinstance(one, LoggedEvent)]
        [columns] = Partition().reader.read_columns(records)
        assert columns.events() == [one.event for one in events]
        assert list(columns.arrivals_ms) == [one.arrival_ms for one in events]


def test_plain_records_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Partition().reader
    monkeypatch.setattr(reader, "read", None)
    records = [Record(3, number, None, None, PLAIN) for number in range(9)]
    assert [one.position for one in reader.read_many(records)] == [f"3/{number}" for number in range(9)]
