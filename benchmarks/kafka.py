"""Kafka to Kafka on one machine: both engines, Java jobs, the usual way on each engine, and Flink SQL, from one run.

Windows of 300 events, filled first; both services; checkpoints or recovery every 10 s. A rate is taken from the
broker's own timestamps of the outputs, between the tenth and the ninetieth percent of those from full windows, so that
no start and no end is in it. Every partition has as many devices: all windows are full at about the same time, and
hardly any window that is not is answered, uncounted, while the full ones are timed. The usual ways get fewer events:
they would take hours.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from numpy.typing import NDArray

from benchmarks.java_peers import java_peer
from dataflows.connectors.kafka.client import producer_settings
from dataflows.kafka_broker.broker import running_broker
from dataflows.kafka_broker.topics import make_topics
from dataflows.pipeline.event_codec import EventCodec
from dataflows.services.client import Services
from dataflows.services.embedded import embedded_service
from runtime.python_process import python_environment
from window_core import DEMO_SENSORS, Event

__all__ = ["main"]

PARTITIONS: Final = 10
"""Of each topic: as many as the smallest load has devices."""

INTERVAL_MS: Final = 36_000_000
LATENCY_S: Final = 20
WARM_UP_S: Final = 20
"""In which Java compiles what it runs, on the cores that the job is to have."""
EVENTS: Final = re.compile(rb'"events": ?(\d+)')
LATECOMER: Final = (sys.executable, "-m", "dataflows.command_line", "run")
WITHOUT_SERVICES: Final = (sys.executable, "-m", "benchmarks.flink_without_services", "--engine", "flink")
TWO_PROCESSES: Final = "bytewax, --parallelism 2"
LOG_APPEND_TIME: Final = {"message.timestamp.type": "LogAppendTime"}
ENCODED: Final = EventCodec().encoded


class Load(NamedTuple):
    """Events to send: ``devices`` with a window of ``held`` events each, then ``new`` more each, in turn."""

    topic: str
    devices: int
    held: int
    new: int

    def events(self, first: int, last: int) -> Iterator[Event]:
        """The events of all devices from number ``first`` up to, without, ``last``."""
        period_ms = INTERVAL_MS // (self.held - 1)  # both ends of a window are in it
        start_ms = int(time.time() * 1000) - period_ms * (self.held + self.new)
        for number in range(first, last):
            for device in range(self.devices):
                time_ms = start_ms + period_ms * number + device
                row = DEMO_SENSORS.row((0.5, float(number), 2.5, device / 7))
                yield Event(f"device-{device:04d}", time_ms, row)


class Bench:
    """A broker, both services, and a folder for states."""

    def __init__(self, broker: str, services: Services, folder: Path) -> None:
        self.broker = broker
        self.services = services
        self.folder = folder
        self._runs = 0

    def send(self, load: Load) -> list[int]:
        """Send all events of a load; the end offset of each partition."""
        make_topics(self.broker, {load.topic: LOG_APPEND_TIME}, PARTITIONS)
        producer = Producer(producer_settings(self.broker, {}))
        for number, event in enumerate(load.events(0, load.held + load.new)):
            while True:
                try:
                    produce(producer, load, number, event)
                    break
                except BufferError:
                    producer.poll(0.05)
            producer.poll(0)
        producer.flush()
        return [end for _, end in self._watermarks(load.topic)]

    def rate(self, load: Load, *command: str) -> float:
        """Windows/s of a command that reads a load and writes ``{output}``, where it stands in its words."""
        output = self._new_output()
        start = time.perf_counter()
        subprocess.run([word.replace("{output}", output) for word in command], env=self._environment(), check=True)
        took_s = time.perf_counter() - start
        found = ((at, EVENTS.search(value)) for at, value in self.records(output))
        windows = np.array(sorted((at, int(match[1])) for at, match in found if match))
        rate = middle_rate(windows[windows[:, 1] >= load.held][:, 0])
        print(f"    topic {load.topic}: {rate:,.0f} full windows/s, {took_s:.0f} s in all", flush=True)
        return rate

    def latest_run(self) -> str:
        return f"output-{self._runs}"

    def records(self, topic: str) -> list[tuple[int, bytes]]:
        """The broker's timestamp and the value of each record of a topic."""
        consumer = Consumer(
            {"bootstrap.servers": self.broker, "group.id": "bench", "fetch.message.max.bytes": 8_000_000}
        )
        ends = self._watermarks(topic)
        consumer.assign([TopicPartition(topic, number, low) for number, (low, _) in enumerate(ends)])
        wanted = sum(high - low for low, high in ends)
        records: list[tuple[int, bytes]] = []
        while len(records) < wanted:
            messages = consumer.consume(10_000, 1.0)
            records += [(message.timestamp()[1], message.value() or b"") for message in messages]
        consumer.close()
        return records

    def latencies(self, engine: str, load: Load, rate: float) -> dict[str, list[int]]:
        """The ms from append to prediction, at a steady rate, windows full; apart those of the first seconds."""
        make_topics(self.broker, {load.topic: LOG_APPEND_TIME}, PARTITIONS)
        output = self._new_output()
        process = subprocess.Popen(self.latecomer(engine, load.topic, output), env=self._environment())
        producer = Producer({**producer_settings(self.broker, {}), "linger.ms": 1})
        for number, event in enumerate(load.events(0, load.held)):
            produce(producer, load, number, event)
            if number % 1_000 == 0:
                producer.flush()
        producer.flush()
        while sum(high - low for low, high in self._watermarks(output)) < load.devices * load.held:
            assert process.poll() is None
            time.sleep(0.5)
        start = time.time()
        for number, event in enumerate(load.events(load.held, load.held + load.new)):
            wait = start + number / rate - time.time()
            if wait > 0:
                producer.poll(wait)
            produce(producer, load, number, event)
        producer.flush()
        time.sleep(3)
        process.terminate()
        process.wait()
        warm_ms = (start + WARM_UP_S) * 1000
        ages: dict[str, list[int]] = {"warm": [], f"in its first {WARM_UP_S} s": []}
        for at, value in self.records(output):
            as_of_ms = int(value[value.index(b'"as_of_ms":') + 11 :].split(b",", 1)[0])
            if as_of_ms >= start * 1000 and b'"cause":"tick"' not in value:
                ages["warm" if as_of_ms >= warm_ms else f"in its first {WARM_UP_S} s"].append(at - as_of_ms)
        return ages

    def latecomer(self, engine: str, topic: str, output: str, *more: str) -> list[str]:
        """``latecomer run``."""
        return [*LATECOMER, "--engine", engine, *self.options(topic, output), *more]

    def options(self, topic: str, output: str) -> list[str]:
        """The options of a run from one topic to another."""
        topics = ["--input", f"kafka://{self.broker}/{topic}", "--output", f"kafka://{self.broker}/{output}"]
        rejections = ["--rejections", f"kafka://{self.broker}/rejections"]
        services = ["--features", self.services.features, "--inference", self.services.inference]
        state = ["--state", str(self.folder / output)]
        return [*topics, *rejections, *services, *state, "--quiet"]

    def java_rate(self, name: str, load: Load, services: Services, ends: str) -> float:
        """Windows/s of a Java job."""
        job = java_peer(name, self.folder)
        checkpoints = (self.folder / f"{name}-{load.topic}").as_uri()
        topics = (self.broker, load.topic, "{output}")
        return self.rate(load, *job, *topics, *services, str(INTERVAL_MS), checkpoints, ends)

    def script(self, name: str, load: Load, *rest: str) -> list[str]:
        """One of ``benchmarks/usual_way``."""
        command = [sys.executable, "-m", f"benchmarks.usual_way.{name}", self.broker, load.topic, "{output}"]
        return [*command, *rest]

    def _new_output(self) -> str:
        self._runs += 1
        make_topics(self.broker, {self.latest_run(): LOG_APPEND_TIME}, PARTITIONS)
        return self.latest_run()

    def _watermarks(self, topic: str) -> list[tuple[int, int]]:
        consumer = Consumer({"bootstrap.servers": self.broker, "group.id": "bench"})
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, number), 10) for number in range(PARTITIONS)]
        consumer.close()
        return ends

    def _environment(self) -> dict[str, str]:
        folder = str(Path(sys.executable).parent)
        path = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
        return {**python_environment(*sys.path), "PATH": path}


def main(devices: int = 1_000, new: int = 1_000) -> dict[str, float]:
    """Print the table, and give windows/s by name. It takes some ten minutes."""
    with (
        TemporaryDirectory(prefix="latecomer-bench-") as name,
        running_broker() as broker,
        embedded_service("features") as features,
        embedded_service("inference") as inference,
    ):
        bench = Bench(broker.address, Services(features, inference), Path(name))
        make_topics(broker.address, {"rejections": {}}, PARTITIONS)
        fleet, few = Load("fleet", devices, 300, new), Load("few", 10, 300, 200)
        some = Load("some", max(devices // 10, 1), 300, new)
        longer = [
            Load("wide", max(devices // 10, 1), 3_000, 2 * new),
            Load("long", max(devices // 100, 1), 36_000, 20 * new),
        ]
        ends = {load.topic: ",".join(map(str, bench.send(load))) for load in (fleet, some, few, *longer)}
        tail = (bench.services.features, bench.services.inference, str(INTERVAL_MS))
        checkpoints = [(Path(name) / f"usual-{number}").as_uri() for number in range(2)]
        rates: dict[str, float] = {}
        for engine in ("bytewax", "flink"):
            rates[engine] = bench.rate(fleet, *bench.latecomer(engine, "fleet", "{output}", "--bounded"))
            outputs = {value for _, value in bench.records(bench.latest_run())}
            print(f"    {engine}: {len(outputs):,} different outputs, digest {digest(outputs)}", flush=True)
        two = bench.latecomer("bytewax", "fleet", "{output}", "--bounded", "--parallelism", "2")
        rates[TWO_PROCESSES] = bench.rate(fleet, *two)
        rates["flink without the services"] = bench.rate(
            fleet, *WITHOUT_SERVICES, *bench.options("fleet", "{output}"), "--bounded"
        )
        rates["flink SQL, no calls"] = bench.rate(
            fleet, *bench.script("flink_sql", fleet, str(INTERVAL_MS), checkpoints[0], ends["fleet"])
        )
        rates["usual way, flink"] = bench.rate(few, *bench.script("flink_job", few, *tail, checkpoints[1], ends["few"]))
        rates["usual way, bytewax"] = bench.rate(few, *bench.script("bytewax_flow", few, *tail, f"{name}/usual"))
        with (
            embedded_service("features", "--language", "java") as features,
            embedded_service("inference", "--language", "java") as inference,
        ):
            java = Services(features, inference)
            rates["Java, asynchronous unary calls"] = bench.java_rate("UnaryJob", some, java, ends["some"])
            rates["Java on latecomer.v1"] = bench.java_rate("BatchJob", fleet, java, ends["fleet"])
            java_wide = bench.java_rate("BatchJob", longer[0], java, ends["wide"])
        print_table(rates)
        for engine in ("bytewax", "flink"):
            for load in longer:
                rate = bench.rate(load, *bench.latecomer(engine, load.topic, "{output}", "--bounded"))
                what = f"windows of {load.held:,} events of {load.devices:,} devices"
                beside = f", {rate / java_wide:.1f} x Java on latecomer.v1" if load.topic == "wide" else ""
                ratio = rate / rates[engine]
                print(f"  {engine}: {what}: {rate:,.0f} windows/s, {ratio:.2f} x those of 300{beside}", flush=True)
        for engine in ("bytewax", "flink"):
            rate = rates[engine] / 4
            load = Load(f"steady-{engine}", 100, 300, int(rate * (WARM_UP_S + LATENCY_S) / 100))
            for when, ages in bench.latencies(engine, load, rate).items():
                median_ms, worst_ms = np.percentile(ages, (50, 99))
                print(
                    f"  {engine}, {when}: append to prediction at {rate:,.0f} events/s: {median_ms:.0f} ms, "
                    f"p99 {worst_ms:.0f} ms",
                    flush=True,
                )
    return rates


def produce(producer: Producer, load: Load, number: int, event: Event) -> None:
    """Send the event of that number of a load to the partition of its device."""
    partition = number % load.devices % PARTITIONS
    producer.produce(load.topic, ENCODED(event), event.device_id.encode(), partition)


def middle_rate(times_ms: "NDArray[np.int64]") -> float:
    """What was written a second between the tenth and the ninetieth percent of the outputs."""
    first, last = len(times_ms) // 10, len(times_ms) * 9 // 10
    return float((last - first) / max((times_ms[last] - times_ms[first]) / 1000, 1e-3))


def digest(outputs: set[bytes]) -> str:
    """The same for the same set."""
    whole = sha256()
    for value in sorted(outputs):
        whole.update(value)
    return whole.hexdigest()[:16]


def print_table(rates: dict[str, float]) -> None:
    print("Kafka to Kafka, windows of 300 events, both services, state kept every 10 s")
    base = dict.fromkeys(("bytewax", TWO_PROCESSES), "usual way, bytewax")
    for name, rate in rates.items():
        usual = rates[base.get(name, "usual way, flink")]
        print(f"  {name:<32}{rate:>10,.0f} windows/s{rate / usual:>8.1f} x the usual way on the same engine")
    flink = rates["flink"]
    for peer in ("Java, asynchronous unary calls", "Java on latecomer.v1"):
        print(f"  flink: {flink / rates[peer]:.2f} x {peer}")
    print(f"  bytewax: {rates[TWO_PROCESSES] / rates['bytewax']:.2f} x as fast in two processes")
    print(f"  flink: {flink / rates['flink without the services']:.2f} x itself without the services")
    print(f"  flink: {flink / rates['flink SQL, no calls']:.2f} x Flink SQL, which calls nothing")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
