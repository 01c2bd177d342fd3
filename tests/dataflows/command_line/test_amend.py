"""Amendments beside a live run, and after a process that makes them was killed."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.dataflows.commands import latecomer, latecomer_here, one_line, sample_log, started

if TYPE_CHECKING:
    from confluent_kafka import Message

    from tests.dataflows.connectors.kafka.topics import Topics

WINDOW = ("--interval", "1h", "--idle-after", "1h")


@pytest.fixture(scope="module")
def records() -> list[Any]:
    """A fleet that is often late."""
    from tests.dataflows.connectors.kafka.topics import records_of

    return records_of(sample_log(devices=3, hours=3, late=0.1))


def let_time_pass(topics: "Topics", log: str, records: list[Any]) -> None:
    """Heartbeats that move the clock of each partition an hour on."""
    for partition in (0, 1):
        topics.fill(log, [(None, None, records[-1][2] + 3_600_000)], partition)


def amended(lines: list[bytes]) -> dict[str, bytes]:
    """By evaluation, the amendment that has missed most."""
    found: dict[str, bytes] = {}
    for line in lines:
        one = json.loads(line)
        key = one["evaluation_id"]
        if key not in found or len(json.loads(found[key])["because"]) < len(one["because"]):
            found[key] = line
    return found


def revised(log: str, same: tuple[str, ...], folder: Path) -> dict[str, bytes]:
    """What ``revise`` tells of the whole log."""
    finished = latecomer("revise", "--input", log, "--output", "revised.jsonl", *same, cwd=folder)
    assert finished.returncode == 0, finished.stderr
    lines = (folder / "revised.jsonl").read_bytes().splitlines()
    return {json.loads(line)["evaluation_id"]: line for line in lines}


def whole(expected: dict[str, bytes]) -> "Callable[[list[Message]], bool]":
    return lambda messages: amended([message.value() or b"" for message in messages]) == expected


@pytest.mark.parametrize(("engine", "processes"), [("bytewax", "1"), ("bytewax", "2"), ("flink", "1")])
def test_a_run_amends_while_it_goes_on_what_revise_tells_afterwards(
    engine: str, processes: str, tmp_path: Path, topics: "Topics", records: list[Any], services: tuple[str, ...],
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    if engine == "flink":
        request.getfixturevalue("has_flink")
    log, output, rejections, amendments = (topics.made(2), *(topics.made() for _ in range(3)))
    topics.fill(log, records)
    let_time_pass(topics, log, records)
    same = (*WINDOW, *services)
    expected = revised(log, same, tmp_path)
    assert len(expected) > 20
    run = ("run", "--engine", engine, "--input", log, "--output", output, "--rejections", rejections, *same)
    more = ("--quiet", "--parallelism", processes, "--amend", amendments)
    with started(*run, *more, cwd=tmp_path) as process:
        found = topics.records(amendments, whole(expected))
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert len({message.value() for message in found}) == len(found)
    assert all(json.loads(message.value() or b"")["device_id"].encode() == message.key() for message in found)


def test_stopped_or_killed_it_loses_no_amendment_and_a_file_has_each_once(
    tmp_path: Path, topics: "Topics", records: list[Any], services: tuple[str, ...]
) -> None:
    log, same = topics.made(2), (*WINDOW, *services)
    follow = ("revise", "--follow", "--input", log, "--output", "a.jsonl", "--state", "a.state", *same)
    file = tmp_path / "a.jsonl"
    third = len(records) // 3
    for end, part in (
        (signal.SIGTERM, records[:third]),  # which saves the state
        (signal.SIGKILL, records[third : 2 * third]),  # which leaves lines that the state does not know
    ):
        before = file.stat().st_size if file.exists() else 0
        topics.fill(log, part)
        with started(*follow, cwd=tmp_path) as process:
            while not file.exists() or file.stat().st_size <= before:
                assert process.poll() is None
            process.send_signal(end)
            process.communicate()
    topics.fill(log, records[2 * third :])
    let_time_pass(topics, log, records)
    expected = revised(log, same, tmp_path)
    with started(*follow, "--json", cwd=tmp_path) as process:
        while amended(file.read_bytes().rpartition(b"\n")[0].splitlines()).keys() != expected.keys():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate()
    assert process.returncode == 0
    lines = file.read_bytes().splitlines()
    assert len(set(lines)) == len(lines)
    assert amended(lines) == expected
    assert 0 < json.loads(out)["amendments"] < len(lines)  # the rest was there, and is known to be


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "--amend", "a.jsonl"), "amendments follow a topic"),
        (("run", "--amend-every", "0"), "--amend-every must be above 0"),
        (("revise", "--follow", "--input", "events.jsonl"), "amendments follow a topic"),
        (("revise", "--state", "s"), "--state needs --follow"),
        (("revise", "--follow", "--too-late"), "--too-late cannot be used with --follow"),
        (("revise", "--follow", "--every", "0"), "--every must be above 0"),
        (("revise", "--follow", "--input", "kafka://a:1/t", "--output", "a.parquet"), "not to a.parquet"),
        (("revise", "--follow", "--input", "kafka://a:1/t", "--output", "kafka://a:1/t"), "it is the input"),
        (("revise", "--follow", "--input", "kafka://a:1/t", "--every", "8d"), "too rare: a device expires after 7d"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_one_line(tmp_path: Path, small_log: None, arguments: tuple[str, ...], says: str) -> None:
    finished = latecomer_here(*arguments, cwd=tmp_path)
    assert says in one_line(finished.stderr)
    assert finished.returncode == 2
