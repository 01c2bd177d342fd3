"""``latecomer explain`` tells of an evaluation what a run wrote, and what it is made of."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataflows.pipeline.record import Record
from tests.dataflows.commands import latecomer, latecomer_here, one_line, sample_log

WINDOW = ("--interval", "1h", "--idle-after", "1h")
T = 1_587_920_400_000


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, services: tuple[str, ...]) -> Path:
    """The folder of a run that has ended."""
    folder = tmp_path_factory.mktemp("explain")
    (folder / "events.jsonl").write_bytes(sample_log(devices=3, hours=4, late=0.15))
    finished = latecomer("run", "--input", "events.jsonl", "--output", "p.jsonl", *services, *WINDOW, cwd=folder)
    assert finished.returncode == 0, finished.stderr
    return folder


def lines(folder: Path, name: str = "p.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_bytes().splitlines()]


def explained(folder: Path, *arguments: object) -> dict[str, Any]:
    finished = latecomer_here("explain", *arguments, "--json", "--output", "p.jsonl", cwd=folder)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.parametrize("cause", ["event", "late_event", "tick"])
def test_an_evaluation_is_explained_as_it_was_written(ended: Path, cause: str) -> None:
    written = [line for line in lines(ended) if line["cause"] == cause][15]
    shown = explained(ended, written["evaluation_id"])
    assert (shown["moment"], shown["evaluation_id"], shown["position"]) == (
        cause, written["evaluation_id"], written["position"],
    )  # fmt: skip
    assert shown["prediction"] == {key: written[key] for key in ("model_id", "result")}
    assert {feature["name"]: feature["value"] for feature in shown["features"]} == written["features"]
    assert [shown["window"][key] for key in ("oldest_ms", "newest_ms", "events")] == [
        written[key] for key in ("oldest_ms", "newest_ms", "events")
    ]
    assert all(feature["mean_of"] and feature["farthest"] for feature in shown["features"])
    if cause != "tick":
        assert shown == explained(ended, written["position"])
        assert shown["event"]["time_ms"] == written["event_ms"]
        assert shown["event"]["on_its_way_ms"] == written["as_of_ms"] - written["event_ms"]
        assert shown["event"]["behind_newest_ms"] == written["newest_ms"] - written["event_ms"]


def test_the_services_say_the_same_about_the_window_that_is_written(
    ended: Path, services: tuple[str, ...], tmp_path: Path
) -> None:
    written = next(line for line in lines(ended)[100:] if line["cause"] == "late_event")
    rows = tmp_path / "window.jsonl"
    explained(ended, written["evaluation_id"], "--rows", rows)
    finished = latecomer("ask", services[1], services[3], "--input", rows, "--json", cwd=ended)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["result"] == written["result"]


def test_the_window_of_a_device_at_a_time_is_that_of_its_evaluation(ended: Path) -> None:
    written = [line for line in lines(ended) if line["device_id"] == "device-0001"][40]
    for at in (written["as_of_ms"], _iso(written["as_of_ms"])):
        shown = explained(ended, "device-0001", "--at", at)
        assert shown["prediction"]["result"] == written["result"]
        assert (shown["moment"], shown["as_of_ms"]) == ("instant", written["as_of_ms"])


def _iso(time_ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()


def event(time_ms: int, reading: float, arrival_ms: int, device: str = "d1") -> str:
    sensors = {f"sensor{number}": reading for number in range(1, 5)}
    return json.dumps({"device_id": device, "time": T + time_ms, **sensors, "arrival": T + arrival_ms})


SMALL = [
    event(0, 1.0, 0),
    event(60_000, 2.0, 61_000),
    event(60_000, 2.0, 62_000),  # twice
    event(30_000, 30.0, 63_000),  # late
    event(-3_600_000, 1.0, 64_000),  # too late
    "",
    "no event",
    event(45_000, 9.0, 70_000, "d2"),
    event(120_000, 3.0, 120_000),
    event(40_000, 7.0, 130_000),  # belongs into the window of 0/3
    event(-3_500_000, 7.0, 140_000),  # belongs there, and is too late by then
    event(60_000, 2.0, 150_000),  # a repeat belongs nowhere
]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    (folder / "events.jsonl").write_text("\n".join(SMALL) + "\n")
    return folder


def of_small(small: Path, services: tuple[str, ...], *arguments: object) -> dict[str, Any]:
    return explained(small, *arguments, "--input", "events.jsonl", *services, *WINDOW)


def test_what_came_late_what_was_rejected_and_what_belongs_too_is_told(small: Path, services: tuple[str, ...]) -> None:
    shown = of_small(small, services, "0/3")
    assert [(one["position"], one["behind_newest_ms"]) for one in shown["late"]] == [("0/3", 30_000)]
    assert [(one["position"], one["reason"]) for one in shown["rejected_near"]] == [
        ("0/2", "DUPLICATE"), ("0/4", "TOO_LATE"), ("0/10", "TOO_LATE"), ("0/11", "DUPLICATE"),
    ]  # fmt: skip
    assert [one["position"] for one in shown["belong"]] == ["0/9", "0/10"]
    assert shown["features"][0] == {
        "name": "sensor_1/v1",
        "value": 11.0,
        "mean_of": "sensor1",
        "farthest": [
            {"position": "0/3", "time_ms": T + 30_000, "reading": 30.0, "moves_by": 19 / 3},
            {"position": "0/0", "time_ms": T, "reading": 1.0, "moves_by": -10 / 3},
            {"position": "0/1", "time_ms": T + 60_000, "reading": 2.0, "moves_by": -3.0},
        ],
    }
    later = shown["with_later"]
    assert (later["events"], later["features"]["sensor_1/v1"]) == (5, 9.399999618530273)
    assert later["result"] != shown["prediction"]["result"]


def test_a_rejected_record_is_explained_with_the_window_that_did_not_take_it(
    small: Path, services: tuple[str, ...]
) -> None:
    shown = of_small(small, services, "0/4")
    assert (shown["moment"], shown["rejection"]["reason"], shown["rejection"]["late_by_ms"]) == (
        "rejection", "TOO_LATE", 60_000,
    )  # fmt: skip
    assert (shown["window"]["events"], shown["window"]["newest_ms"]) == (3, T + 60_000)
    invalid = of_small(small, services, "0/6")
    assert (invalid["rejection"]["reason"], invalid["rejection"]["error"]) == ("INVALID", "not_an_event")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("0/5",), "0/5 holds no event: it is a heartbeat, a header, a blank line"),
        (("0/12",), "no record has this position; the nearest record is 0/11"),
        (("7/0",), "its partitions are 0 to 0"),
        (("d1/1587920400000/9",), "the last evaluation of this session is d1/1587920400000/4"),
        (("d1/5/0",), "the nearest sessions and their evaluations: 1587920400000/0 to 4"),
        (("d3/5/0",), "there is no such device; there are d1, d2"),
        (("d2", "--at", T), "the device has no window then"),
    ],
)
def test_what_is_nowhere_is_one_line_that_names_what_is_near(
    small: Path, services: tuple[str, ...], asked: tuple[object, ...], says: str
) -> None:
    options = ("--input", "events.jsonl", "--tick", "0", *services, *WINDOW)
    finished = latecomer_here("explain", *asked, *options, cwd=small)
    assert finished.returncode == 1
    assert says in one_line(finished.stderr)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("d1",), "of a device give the time, too: --at"),
        (("d1", "--at", "noon"), "--at must be ms since the Unix epoch"),
        (("d1", "--at", "2020-04-26T17:02:35"), "--at must be ms since the Unix epoch"),  # where?
        (("0/0", "--rows", "nowhere/rows.jsonl"), "--rows nowhere/rows.jsonl is no file in a folder that exists"),
    ],
)
def test_a_wrong_argument_is_one_line(small: Path, asked: tuple[str, ...], says: str) -> None:
    finished = latecomer_here("explain", *asked, "--input", "events.jsonl", cwd=small)
    assert finished.returncode == 2
    assert says in one_line(finished.stderr)


def test_a_person_sees_the_window_drawn(small: Path, services: tuple[str, ...]) -> None:
    options = ("--input", "events.jsonl", *services, *WINDOW)
    finished = latecomer_here("explain", "0/3", *options, cwd=small)
    said = finished.stdout.decode()
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert "a late event at 0/3, as of 2020-04-26T17:01:03.000Z" in said
    assert "arrived 33s later, 30s behind newest" in said
    [drawn] = [line for line in said.splitlines() if line.startswith("sensor1")]
    assert "1 to 30, mean 11" in drawn
    assert (drawn.count("█"), drawn.count("▁")) == (1, 2)


def test_the_settings_of_another_run_do_not_hold_for_a_log_that_is_named(small: Path, tmp_path: Path) -> None:
    (tmp_path / "latecomer-output").mkdir()
    (tmp_path / "latecomer-output" / "predictions.jsonl.run.toml").write_text('interval = "1ms"\ntick = "0"\n')
    (tmp_path / "its.toml").write_text(f'input = "{small / "events.jsonl"}"\ntick = "1h"\n')
    finished = latecomer_here("explain", "0/3", "--config", "its.toml", "--without-services", "--json", cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert json.loads(finished.stdout)["window"]["events"] == 3


def test_in_a_topic_the_device_is_found_in_its_partition_and_what_is_gone_is_told(
    ended: Path, tmp_path: Path, topics: Any, services: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataflows.connectors.kafka.log import KafkaLog
    from tests.dataflows.connectors.kafka.topics import records_of

    records = KafkaLog.records
    read: list[int] = []

    def noted_records(log: KafkaLog, number: int) -> Iterator[Record]:
        read.append(number)
        return records(log, number)

    monkeypatch.setattr(KafkaLog, "records", noted_records)

    log = topics.made(3)
    topics.fill(log, records_of((ended / "events.jsonl").read_bytes()))
    run = ("--input", log, "--output", "p.jsonl", *services, *WINDOW)
    assert latecomer("run", *run, "--bounded", cwd=tmp_path).returncode == 0
    for device in ("device-0000", "device-0001", "device-0002"):
        of_device = [line for line in lines(tmp_path) if line["device_id"] == device]
        [partition] = {line["position"].split("/")[0] for line in of_device if line["position"]}
        written = of_device[50]
        read.clear()
        shown = explained(tmp_path, written["evaluation_id"])
        assert read == [int(partition)]
        assert shown["prediction"]["result"] == written["result"]
        if written["position"]:
            assert explained(tmp_path, written["position"]) == shown
    one = topics.made(1)
    topics.fill(one, records_of((ended / "events.jsonl").read_bytes()))
    topics.remove_up_to(one, 100)
    finished = latecomer_here("explain", "0/99", "--input", one, *services, cwd=tmp_path)
    assert finished.returncode == 1
    assert f"0/99 is no longer in {one}: its first record there is 0/100" in finished.stderr.decode()
    finished = latecomer_here("explain", "device-0000/5/0", "--input", one, *services, cwd=tmp_path)
    assert "the log begins at 0/100, and what was before is gone" in finished.stderr.decode()
    (tmp_path / "labels.csv").write_text(f"device_id,time\ndevice-0000,{T + 7_200_000}\n")
    finished = latecomer_here("training-set", "--at", "labels.csv", "--output", "t.csv", "--input", one, cwd=tmp_path)
    assert finished.returncode == 0
    assert f"{one} begins at 0/100: what was before is gone" in finished.stderr.decode()
