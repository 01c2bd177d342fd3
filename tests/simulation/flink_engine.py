"""Runs of the Flink job without a JVM: its source, its channels, its checkpoints, around the shipped Python half.

Records and watermarks of a subtask of the source reach the subtasks of the devices in order, each channel at its own
pace. A checkpoint drains them all, as aligned barriers do, and is complete or nothing. With exactly once, outputs are
committed with the checkpoint that they belong to, also by the run that resumes from it.
"""

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch
from zlib import crc32

from dataflows.connectors import log as logs
from dataflows.connectors.kafka.client import BrokerError
from dataflows.connectors.kafka.log import KafkaLog
from dataflows.connectors.locations import Locations
from dataflows.flink_job import process as job_process
from dataflows.flink_job.held_devices import HeldDevices
from dataflows.flink_job.process import PipelineFunction
from dataflows.pipeline.metrics import Metrics
from dataflows.services.client import Services, check_services
from dataflows.settings import RunSettings
from dataflows.state_folder import claim, held, identity_of, is_claimed
from tests.simulation.broker import Entry
from tests.simulation.flink_operator import Keep, Operator, PartitionClock
from tests.simulation.kafka_clients import Clients
from tests.simulation.process import Process
from tests.simulation.seams import LateThreads, simulated_clients, simulated_services

__all__ = ["FlinkState", "run_flink"]

_STEPS_MAX: Final = 20_000
_BEGINNING_MS: Final = -1

Output = tuple[str, Entry]


@dataclass(frozen=True)
class _Checkpoint:
    """A complete checkpoint, and the outputs that are committed with it."""

    number: int = 0
    splits: dict[int, tuple[int, int | None]] = field(default_factory=dict)
    keep: Keep = field(default_factory=Keep)
    outputs: tuple[Output, ...] = ()


class FlinkState:
    """The checkpoints of a state.

    Attributes:
        last: the last complete one.
        committed: the outputs up to this one were committed; a transaction is committed once.
    """

    connection = None

    def __init__(self) -> None:
        self.last = _Checkpoint()
        self.committed = 0

    def copied(self) -> _Checkpoint:
        return self.last

    def restore(self, copy: _Checkpoint) -> None:
        self.last = copy


def run_flink(
    settings: RunSettings,
    locations: Locations,
    state: FlinkState,
    clients: Clients,
    servers: Any,
    stops_after: int | None,
    look: Callable[[], None],
) -> None:
    """What ``run_on_flink`` and its job do; the arguments are those of ``run_bytewax``."""
    process = clients.process
    with ExitStack() as stack:
        simulated_clients(stack, clients)
        simulated_services(stack, servers, process)
        most = process.random.choice((0, 1, 2, 20_000))
        for name, value in {
            "prepare_for_load": lambda objects: None,
            "process_metrics": lambda settings: Metrics(),
            "stop_file_of": lambda settings: Path("read-all") if settings.log.bounded else None,
            "report_now": lambda metrics: None,
            "ThreadPoolExecutor": lambda *_, **__: LateThreads(process),
            "HeldDevices": partial(HeldDevices, most=most),
        }.items():
            stack.enter_context(patch.object(job_process, name, value))
        log = logs.opened_log(settings, locations, Metrics(), lambda line: None)
        assert isinstance(log, KafkaLog)
        folder, identity = Path(settings.state.folder or ""), identity_of("flink", locations, log)
        stack.enter_context(held(folder, identity))
        if not is_claimed(folder, identity):
            claim(folder, identity)
        services = Services(settings.calls.features or "", settings.calls.inference or "")
        check_services(services, settings, Metrics())
        _Job(log.with_end(settings), log, state, clients, process, look).run(stops_after)


class _Job:
    def __init__(
        self, settings: RunSettings, log: KafkaLog, state: FlinkState, clients: Clients, process: Process,
        look: Callable[[], None],
    ) -> None:  # fmt: skip
        self._log, self._state, self._process, self._look = log, state, process, look
        self._topics = clients.topics
        self._end_ms = settings.log.last_instant_ms
        self._is_exactly_once = settings.outputs.delivery == "exactly-once"
        self._producer = clients.producer({})
        self._pending: list[Output] = []
        self._commit()
        last = state.last
        self._keep = Keep(last.keep.snapshots, last.keep.timers)
        self._workers = settings.parallelism
        self._sources = min(self._workers, log.partitions)
        self._positions: dict[int, int] = {}
        self._clocks: dict[int, PartitionClock] = {}
        for number in range(log.partitions):
            offset, clock_ms = last.splits.get(number, (log.first_offsets[number], None))
            self._positions[number] = offset
            self._clocks[number] = PartitionClock(
                log.until_ms, has_producers_clock=log.has_producers_clock, now_ms=clock_ms
            )
        self._ended: set[int] = set()
        self._shown_ms = dict.fromkeys(range(self._workers * self._sources), _BEGINNING_MS)  # by channel
        self._marks_ms = dict.fromkeys(range(log.partitions), _BEGINNING_MS)
        self._channels: dict[int, deque[Any]] = {channel: deque() for channel in self._shown_ms}
        self._operators = []
        entries = process.random.choice((1, 3, 50))
        for _ in range(self._workers):
            function = PipelineFunction(settings, log.schema)
            function.open(None)  # type: ignore[arg-type]
            self._operators.append(Operator(function, self._keep, entries, process, self._write))
        self._functions = [operator._function for operator in self._operators]

    def run(self, stops_after: int | None) -> None:
        """Run until all partitions have ended, or a signal comes; then save and stop."""
        random = self._process.random
        for step in range(_STEPS_MAX):
            self._look()
            self._process.now_s += 0.001
            if step == stops_after or (self._log.bounded is not None and len(self._ended) == self._log.partitions):
                break
            chance = random.random()
            if chance < 0.45:
                self._read(random.randrange(self._log.partitions))
            elif chance < 0.9:
                self._deliver(random.randrange(len(self._channels)))
            elif chance < 0.95:
                random.choice(self._operators).flush()
            elif chance < 0.98:
                self._checkpoint()
        else:
            raise AssertionError("the job hangs")
        self._checkpoint()
        for function in self._functions:
            function.close()

    def _read(self, number: int) -> None:
        """Some records of a partition, as far as the run goes."""
        partition = self._topics[self._log.location.topic].partitions[number]
        clock, position = self._clocks[number], self._positions[number]
        if number in self._ended:
            return
        end = None if self._log.bounded is None else self._log.bounded.end_offsets[number]
        if end is not None and position >= end:
            self._end(number)
            return
        if position < partition.start:
            raise BrokerError(f"the records from offset {position} on are gone, by retention or with the topic")
        stop = min(
            partition.stable_end, position + self._process.random.randint(0, 6), partition.end if end is None else end
        )
        while position < stop:
            entry = partition.record(position)
            if entry is not None:
                frame = clock.frame(number, position, entry)
                if frame is None:
                    self._end(number)
                    break
                if frame[0] != 1:  # a heartbeat with nothing to count
                    key = entry.key or b""
                    self._channel(number, self._place(key)).append(("record", key, frame))
            position += 1
        self._positions[number] = position
        if number not in self._ended and clock.now_ms is not None:
            self._mark(number, clock.now_ms - 1)

    def _end(self, number: int) -> None:
        self._ended.add(number)
        if self._end_ms is not None:
            self._mark(number, self._end_ms)

    def _mark(self, number: int, now_ms: int) -> None:
        """The watermark of a subtask of the source is the least of its partitions'."""
        self._marks_ms[number] = max(self._marks_ms[number], now_ms)
        source = number % self._sources
        least_ms = min(mark_ms for one, mark_ms in self._marks_ms.items() if one % self._sources == source)
        for worker in range(self._workers):
            self._channel(source, worker).append(("watermark", least_ms, b""))

    def _channel(self, number: int, worker: int) -> "deque[Any]":
        return self._channels[(number % self._sources) * self._workers + worker]

    def _place(self, key: bytes) -> int:
        return crc32(key) % self._workers

    def _deliver(self, channel: int) -> None:
        """The next element of a channel reaches its subtask."""
        if not self._channels[channel]:
            return
        kind, what, frame = self._channels[channel].popleft()
        worker = channel % self._workers
        operator = self._operators[worker]
        if kind == "record":
            operator.record(what, frame)
            return
        before_ms = self._least_ms(worker)
        self._shown_ms[channel] = max(self._shown_ms[channel], what)
        if self._least_ms(worker) > before_ms:
            operator.watermark(self._least_ms(worker), lambda key: self._place(key) == worker)

    def _least_ms(self, worker: int) -> int:
        return min(shown for channel, shown in self._shown_ms.items() if channel % self._workers == worker)

    def _checkpoint(self) -> None:
        """Let the barriers pass, then complete it."""
        while any(self._channels.values()):
            self._deliver(self._process.random.choice([one for one, waiting in self._channels.items() if waiting]))
        for operator in self._operators:
            operator.save()
        self._producer.flush(0)
        splits = {number: (self._positions[number], clock.now_ms) for number, clock in self._clocks.items()}
        outputs, self._pending = tuple(self._pending), []
        number = max(self._state.last.number, self._state.committed) + 1
        self._process.effect(f"checkpoint {number} {splits}")
        keep = Keep(self._keep.snapshots, self._keep.timers)
        self._state.last = _Checkpoint(number, splits, keep, outputs)
        self._process.effect(f"commit {number}")
        self._commit()

    def _commit(self) -> None:
        last = self._state.last
        if last.number > self._state.committed:
            self._state.committed = last.number
            for topic, entry in last.outputs:
                partitions = self._topics[topic].partitions
                partitions[sum(entry.key or b"") % len(partitions)].append(entry)

    def _write(self, kind: str, value: bytes, key: bytes | None) -> None:
        if self._is_exactly_once:
            self._pending.append((kind, Entry(0, key, value)))
        else:
            self._producer.produce(kind, value, key, timestamp=0, on_delivery=lambda *_: None)
