"""What the records of a partition are to its devices, and how the partition resumes."""

import json
from collections.abc import Iterable, Iterator

import msgspec

from dataflows.bytewax_flow.partition import PartitionItems, PartitionState, SourceItem
from dataflows.pipeline.metrics import Metrics
from dataflows.pipeline.reader import PartitionReader
from dataflows.pipeline.record import LoggedEvent, OutputRecord, Record
from window_core import WindowSpec

SPEC = WindowSpec(interval_ms=1_000, tick_ms=0, idle_after_ms=1_000, forget_after_ms=1_000)
"""A device expires 1,001 ms after its last event, and has no tick before."""


def event(device_id: str, arrival_ms: int, offset: int = 0) -> Record:
    readings = dict.fromkeys(("sensor1", "sensor2", "sensor3", "sensor4"), 1)
    value = json.dumps({"device_id": device_id, "time": arrival_ms, **readings}).encode()
    return Record(0, offset, arrival_ms, device_id.encode(), value)


def heartbeat(arrival_ms: int) -> Record:
    return Record(0, 0, arrival_ms, None, None)


def broken(arrival_ms: int) -> Record:
    return Record(0, 0, arrival_ms, b"a", b"{")


def numbered(records: Iterable[Record]) -> Iterator[Record]:
    for offset, record in enumerate(records):
        yield msgspec.structs.replace(record, offset=offset)


class Partition:
    def __init__(self, until_ms: int | None = None) -> None:
        self.metrics = Metrics()
        self.items = PartitionItems(PartitionReader(0, "json", self.metrics, until_ms), SPEC)

    def of(self, *records: Record) -> list[str]:
        return [told(item) for item in self.items.of(numbered(records))]


def told(item: SourceItem) -> str:
    """An event as its device and place, an instant as its device and time, a rejection as its reason."""
    if isinstance(item, OutputRecord):
        return str(json.loads(item.value)["reason"])
    device_id, what = item
    return f"{device_id} {what.position}" if isinstance(what, LoggedEvent) else f"{device_id} at {what}"


def test_events_go_to_their_devices_in_the_order_of_the_log() -> None:
    assert Partition().of(event("a", 5), event("b", 6), event("a", 7)) == ["a 0/0", "b 0/1", "a 0/2"]


def test_what_is_due_comes_before_the_record_that_passes_it() -> None:
    assert Partition().of(event("a", 5), event("b", 1_006)) == ["a 0/0", "b 0/1"]
    assert Partition().of(event("a", 5), event("b", 1_007)) == ["a 0/0", "a at 1006", "b 0/1"]


def test_a_heartbeat_is_nothing_but_the_time() -> None:
    assert Partition().of(event("a", 5), heartbeat(9), heartbeat(1_007)) == ["a 0/0", "a at 1006"]


def test_what_is_no_event_is_a_rejection_behind_what_its_arrival_makes_due() -> None:
    assert Partition().of(event("a", 5), broken(1_007)) == ["a 0/0", "a at 1006", "INVALID"]
    assert Partition().of(broken(-1)) == ["INVALID"]  # no clock yet


def test_a_record_behind_until_ends_the_partition_and_tells_no_device_the_time() -> None:
    partition = Partition(until_ms=1_000)
    assert partition.of(event("a", 5), event("b", 1_007), event("a", 6)) == ["a 0/0"]
    assert partition.items.reader.has_ended
    assert partition.metrics.value("latecomer_records_total") == 1


def test_the_end_of_a_bounded_log_tells_the_last_instant_where_it_is_known() -> None:
    partition = Partition()
    partition.of(event("a", 5), event("b", 500))
    assert partition.items.at_end(None) == []
    assert partition.items.at_end(1_005) == []
    assert partition.items.at_end(1_006) == [("a", 1_006)]


def test_records_are_counted_once_a_batch() -> None:
    partition = Partition()
    partition.of(event("a", 5), broken(6), heartbeat(7))
    assert partition.metrics.value("latecomer_records_total") == 2
    assert partition.metrics.by_reason()["INVALID"] == 1


def by_device(items: list[str]) -> dict[str, list[str]]:
    """What each device is told; which of two devices is told first may differ from run to run."""
    devices: dict[str, list[str]] = {}
    for item in items:
        devices.setdefault(item[0], []).append(item[2:])
    return devices


def test_a_partition_resumes_where_it_was_from_the_bytes_of_its_state() -> None:
    records = [event("a", 5), event("b", 900), heartbeat(950), event("a", 940), event("b", 1_999), event("c", 5_000)]
    whole = by_device(Partition().of(*records))
    assert whole == {"a": ["0/0", "0/3", "at 1998"], "b": ["0/1", "at 1998", "0/4", "at 4999"], "c": ["0/5"]}
    for cut in range(len(records)):
        first, second = Partition(), Partition()
        before = [told(item) for item in first.items.of(numbered(records[:cut]))]
        stored = msgspec.msgpack.encode(first.items.snapshot())
        second.items.restore(msgspec.msgpack.decode(stored, type=PartitionState))
        assert second.items.reader.next_offset == cut
        assert second.items.reader.clock_ms == first.items.reader.clock_ms
        after = [told(item) for item in second.items.of(list(numbered(records))[cut:])]
        assert by_device(before + after) == whole, cut
