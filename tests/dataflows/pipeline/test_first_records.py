"""A log whose first thousand records hold no event is told, with what they look like and the option that may fit."""

import json
from typing import Any

import pytest

from dataflows.pipeline.event_layout import EventLayout, TimeUnit
from dataflows.pipeline.first_records import FirstRecords, InputError
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader, RecordFormat
from dataflows.pipeline.record import Record

EVENT = {"device_id": "d", "time": 5, "sensor1": 1, "sensor2": 2, "sensor3": 3, "sensor4": 4}


def reader(first: FirstRecords, record_format: RecordFormat = "line", time_unit: TimeUnit = "ms") -> PartitionReader:
    return PartitionReader(0, record_format, Metrics(), layout=EventLayout(time_unit=time_unit), first_records=first)


def read(one: PartitionReader, values: list[bytes], key: bytes | None = None) -> None:
    for offset, value in enumerate(values):
        one.read(Record(0, offset, None if key is None else 9, key, value))


def told(values: list[bytes], record_format: RecordFormat = "line", key: bytes | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read(reader(FirstRecords("--input x"), record_format), values, key)
    beginning, _, hint = str(caught.value).partition("; ")
    assert beginning == "--input x: no event among the first 1,000 records"
    return hint


def lines(**changes: Any) -> list[bytes]:
    return [json.dumps({**EVENT, **changes}).encode()] * 1_000


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        (
            [b'{"asset":"d","ts":5,"t1":1}'] * 1_000,
            "the first is not_an_event in device_id: there are asset, ts, t1; say where each field stands, as in "
            "--fields device_id=…",
        ),
        ([b"{}"] * 1_000, "there are no fields; say where each field stands, as in --fields device_id=…"),
        ([b"device_id,time,sensor1"] * 1_000, "it begins 'device_id,time,sensor1'; a table? --format csv"),
        ([b"\xff\xfe\x00\x1b"] * 1_000, "the first is not_an_event: it begins "),
        (
            lines(time="2026-03-01T08:00:00"),
            'the first is wrong_type in time: time is "2026-03-01T08:00:00"; a time? --time-unit iso, and --time-zone '
            "if it names none",
        ),
        (lines(time=1_587_920_555_000_000), "time is 1587920555000000; --time-unit us?"),
        (lines(time=1_587_920_555_000_000_000), "time is 1587920555000000000; --time-unit ns?"),
        (lines(sensor2="21.5"), 'the first is wrong_type in sensor2: sensor2 is "21.5"; a number? --lenient'),
        (lines(sensor2="high"), 'the first is wrong_type in sensor2: sensor2 is "high"'),
        ([b"[", *[b"{}"] * 999], "it begins '['; an event is one line: jq -c '.[]' makes lines of an array"),
    ],
)
def test_the_hint_says_what_the_first_record_looks_like(values: list[bytes], hint: str) -> None:
    assert hint in told(values)


def test_fields_that_stand_elsewhere_are_told_by_what_was_given_and_by_what_is_there() -> None:
    paths = {"time": "at.ms", "sensor1": "s.t"}
    one = PartitionReader(
        0, "line", Metrics(), layout=EventLayout(paths=paths), first_records=FirstRecords("--input x", paths)
    )
    value = json.dumps({**EVENT, "at": {"s": 5, "zone": {}}}).encode()
    with pytest.raises(InputError) as caught:
        read(one, [value] * 1_000)
    there = "device_id, time, sensor1, sensor2, sensor3, sensor4, at.s, at.zone"
    assert str(caught.value).endswith(
        f"not_an_event in at.ms: there are {there}; --fields time=at.ms names none of them"
    )


def test_a_table_is_told_by_its_columns_and_a_topic_by_its_key() -> None:
    assert "there are asset, ts; say where each" in told([b"asset,ts", *[b"d,5"] * 1_000], "csv")
    header = b"device_id;time;sensor1;sensor2;sensor3;sensor4"
    for row, says in (
        (b"d;5;1,5;2;3;4", 'sensor1 is "1,5"; a decimal comma? --lenient reads it in a table separated by semicolons'),
        (b"d;2026-03-01 08:00:00;1;2;3;4", "a time? --time-unit iso, and --time-zone if it names none"),
        (b"d;1587920555000000;1;2;3;4", "time is 1587920555000000; --time-unit us?"),
        (b"d;5;1;2;3", "sensor4 is empty, or not there"),
        (b"d;5;1;2;3;4;5", "it begins 'd;5;1;2;3;4;5'"),
    ):
        assert told([header, *[row] * 1_000], "csv").endswith(says)
    twice = header.replace(b"sensor3", b"sensor1")
    assert "there are device_id, time, sensor1 (twice), sensor2" in told([twice, *[b"d;5;1;2;3;4"] * 1_000], "csv")
    assert told(lines(), "json", b"another") == "the first is key: the key of the record is not the device id"


def test_one_event_among_them_in_any_partition_is_enough() -> None:
    first = FirstRecords("--input x")
    one, another = reader(first), reader(first)
    read(one, [b"{}"] * 999)
    read(another, [json.dumps(EVENT).encode()])
    read(one, [b"{}"] * 2_000)


def test_an_event_in_another_partition_ends_the_look_before_it_began() -> None:
    first = FirstRecords("--input x")
    one, another = reader(first), reader(first)
    read(another, [json.dumps(EVENT).encode()])
    read(one, [b"{}"] * 2_000)


def test_a_run_that_resumes_does_not_look() -> None:
    one = reader(FirstRecords("--input x"))
    one.resume(5, 9)
    read(one, [b"{}"] * 2_000)
