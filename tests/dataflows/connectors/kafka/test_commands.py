"""The commands that work on topics: a broker, a fleet, heartbeats, a run with metrics."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Message

from dataflows.kafka_broker.broker import Broker
from dataflows.kafka_broker.topics import TRIAL_TOPICS, make_topics
from dataflows.pipeline.event_codec import EventCodec
from dataflows.simulated_fleet import SimulatedFleet
from tests.dataflows.connectors.kafka.kafka_pipelines import KafkaPipelines
from tests.dataflows.connectors.kafka.test_processes import processes_of
from tests.dataflows.connectors.kafka.topics import Topics
from tests.events import demo_event

ROOT = str(Path(__file__).parents[4])


def ran(*options: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": ROOT}
    command = [sys.executable, "-m", "dataflows.command_line", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)


@contextmanager
def started(*options: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "PYTHONPATH": ROOT}
    command = [sys.executable, "-m", "dataflows.command_line", *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_fleet_goes_to_a_topic_keyed_by_device(topics: Topics) -> None:
    fleet = SimulatedFleet(devices=7, duration_ms=1_200_000)
    expected = list(fleet.logged_events())
    for event_format in ("json", "protobuf"):
        log = topics.made(3)
        options = ["--devices", "7", "--duration", "20m", "--format", event_format, "--rate", "10000"]
        result = ran("produce", "--output", log, *options)
        assert (result.returncode, result.stdout) == (0, ""), result.stderr
        assert f"{len(expected)} events in {log}" in result.stderr
        found = topics.records(log)
        decoded = [
            (EventCodec().event(message.value() or b"", message.key(), event_format), message.timestamp()[1])
            for message in found
        ]
        assert sorted(decoded, key=repr) == sorted(expected, key=repr)
        assert len({message.partition() for message in found}) > 1


def test_a_rate_is_for_kafka() -> None:
    result = ran("produce", "--rate", "5", "--output", os.devnull)
    assert (result.returncode, result.stderr) == (2, "latecomer: --rate and --format protobuf are for Kafka\n")


def test_a_fleet_that_lives_now_ends_with_the_clock_of_this_machine(topics: Topics) -> None:
    log = topics.made(2)
    start_ms = time.time() * 1_000
    result = ran("produce", "--output", log, "--live", "--speed", "3600", "--duration", "1h", "--wrong-clock", "0")
    end_ms = time.time() * 1_000
    found = topics.records(log)
    assert result.returncode == 0, result.stderr
    assert f"{len(found):,} events in {log}" in result.stderr
    assert end_ms - start_ms >= 990  # an hour in a second, but for the delays of the last events
    assert len(found) > 1_000
    arrivals = [message.timestamp()[1] for message in found]
    times = [json.loads(message.value() or b"")["time"] for message in found]
    assert start_ms - 3_600_000 < min(times) < start_ms - 3_000_000
    assert end_ms - 600_000 < max(arrivals) <= end_ms
    assert all(taken <= arrival for taken, arrival in zip(times, arrivals, strict=True))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_fleet_that_lives_now_is_ended_in_order(topics: Topics, number: signal.Signals) -> None:
    log = topics.made()
    with started("produce", "--output", log, "--live", "--every", "100ms") as process:
        topics.records(log, lambda messages: len(messages) >= 20)
        process.send_signal(number)
        said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, f"{len(topics.records(log)):,} events in {log}\n")


def test_a_fleet_of_another_time_on_a_topic_of_the_brokers_clock_is_warned_of(topics: Topics) -> None:
    log = topics.made(message_timestamp_type="LogAppendTime")
    cases = {
        (): True,
        ("--live",): False,
        ("--live", "--speed", "2"): True,
        ("--wrong-clock", "0"): False,
    }
    for options, warns in cases.items():
        result = ran("produce", "--output", log, "--events", "5", "--every", "50ms", *options)
        assert result.returncode == 0, result.stderr
        assert ("most of its events come TOO_LATE" in result.stderr) == warns


def test_the_walk_of_the_page_rejects_nothing_but_what_the_fleet_does_wrong(topics: Topics) -> None:
    page = (Path(ROOT) / "docs" / "kafka-and-flink.md").read_text()
    block = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1]
    make_topics(topics.address, TRIAL_TOPICS, 4)
    produce, run, _on_flink = block.replace("localhost:9092", topics.address).splitlines()
    for line in (produce, run):
        result = ran(*line.split()[1:])
        assert result.returncode == 0, result.stderr
    records = int(re.findall(r"records +([0-9,]+) in", result.stdout)[0].replace(",", ""))
    too_late = int(re.findall(r"TOO_LATE ([0-9,]+)", result.stdout)[0].replace(",", ""))
    assert 0 < too_late < 0.006 * records  # --too-late is 0.5 % of all events


def test_a_topic_of_events_that_is_missing_is_to_be_made_with_the_clock_it_needs(topics: Topics) -> None:
    missing = f"kafka://{topics.address}/missing"
    nowhere = ["--output", os.devnull, "--rejections", os.devnull]
    for command in (["produce", "--output", missing], ["heartbeat", missing], ["run", "--input", missing, *nowhere]):
        result = ran(*command)
        assert (result.returncode, result.stdout) == (2, "")
        [line] = result.stderr.splitlines()
        clock = "CreateTime --config retention.ms=-1" if command[0] == "produce" else "LogAppendTime"
        assert line.endswith(f"--create --topic missing --partitions 4 --config message.timestamp.type={clock}")


def test_heartbeats_go_to_each_partition_until_told_to_stop(broker: Broker, topics: Topics) -> None:
    log = topics.made(3)
    with started("heartbeat", log, "--every", "20ms") as process:
        assert process.stdout is not None
        assert "these heartbeats carry the clock of this machine" in process.stdout.readline()
        beats = topics.records(log, lambda messages: len(messages) >= 12)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert {message.partition() for message in beats} == {0, 1, 2}
    assert all(message.key() is None and message.value() is None for message in beats)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_with_heartbeats_ticks_silent_devices_and_serves_its_metrics(
    processes: int, topics: Topics, kafka_pipelines: KafkaPipelines
) -> None:
    log, output = topics.made(2, message_timestamp_type="LogAppendTime"), topics.made()
    for partition, device in enumerate("ab"):
        event = EventCodec().encoded(demo_event(device, 1_000, 1.0, 2.0, 3.0, 4.0))
        topics.fill(log, [(device.encode(), event, 0)], partition)
    options = ["--input", log, "--output", output, "--rejections", topics.made(), "--tick", "100ms"]
    options += ["--parallelism", str(processes), "--heartbeat", "30ms", "--metrics-port", "0"]
    with kafka_pipelines.started(*options) as process:
        processes_of(process, 0 if processes == 1 else processes)
        found = topics.records(
            output, lambda messages: all(devices_of(messages)[device] >= 4 for device in (b"a", b"b"))
        )
        beats = beats_within(1_000, topics, log)
        assert process.stderr is not None
        address = re.search(r"http://\S+", process.stderr.readline())
        assert address is not None
        while 'latecomer_evaluations_total{cause="tick"}' not in (metrics := served(address[0])):
            assert process.poll() is None  # several processes report five times a second
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    for device in (b"a", b"b"):
        causes = [json.loads(message.value() or b"")["cause"] for message in found if message.key() == device]
        assert causes[0] == "event"
        assert set(causes[1:]) == {"tick"}
    assert "latecomer_records_total 2.0" in metrics
    assert all(f'latecomer_arrival_seconds{{partition="{partition}"}}' in metrics for partition in (0, 1))
    assert 0 < beats < 100  # one process writes them, 67 to both partitions; two would write 133


def beats_within(duration_ms: int, topics: Topics, log: str) -> int:
    """How many records a log gets from now on, by the clock of its broker."""
    since_ms = max(message.timestamp()[1] for message in topics.records(log))
    records = topics.records(log, lambda found: any(one.timestamp()[1] > since_ms + duration_ms for one in found))
    return sum(0 < message.timestamp()[1] - since_ms <= duration_ms for message in records)


def devices_of(messages: list[Message]) -> Counter[bytes | None]:
    """How many records there are of each."""
    return Counter(message.key() for message in messages)


def served(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def test_a_broker_of_ones_own_has_the_topics_and_leaves_nothing_behind(topics: Topics) -> None:
    with started("broker", "--partitions", "2", "--stop-with-input") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.fullmatch(
            r"broker: listening on (127\.0\.0\.1:\d+), "
            r"topics raw-events, predictions, rejections, amendments, live-events\n",
            line,
        )
        assert address is not None, line
        own = Topics(address[1])
        own.fill(f"kafka://{address[1]}/raw-events", [(b"a", b"{}", 5)])
        [message] = own.records(f"kafka://{address[1]}/raw-events")
        assert message.timestamp() == (1, 5)  # CreateTime: the fleet's own
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
    taken = ran("broker", "--port", topics.address.rpartition(":")[2])
    assert taken.returncode == 1
    assert taken.stderr.startswith("latecomer: the broker cannot listen on 127.0.0.1:")


def test_what_a_broker_lacks_is_said_in_one_line(tmp_path: Path) -> None:
    for java, error in (
        (None, "latecomer: a Kafka broker needs Java 17 or newer, and there is none in JAVA_HOME"),
        ("echo 'openjdk version \"11.0.2\" 2019' >&2", "latecomer: a Kafka broker needs Java 17 or newer, and"),
        ("true", "latecomer: .* does not say its version: nothing"),
    ):
        binary = tmp_path / "bin" / "java"
        if java is not None:
            binary.parent.mkdir(exist_ok=True)
            binary.write_text(f"#!/bin/sh\n{java}\n")
            binary.chmod(0o755)
        environment = {**os.environ, "PYTHONPATH": ROOT, "JAVA_HOME": str(tmp_path)}
        command = [sys.executable, "-m", "dataflows.command_line", "broker"]
        result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert result.returncode == 1
        [line] = result.stderr.splitlines()
        assert re.match(error, line)
