"""Runs a dataflow as the Rust part of Bytewax does: its core operators and epochs, in any order it may choose.

The graph is the shipped one. An epoch ends for a partition at a moment of its own; no partition is polled for the next
one before all items of this one were written and its snapshots committed, as in Bytewax, whose sources wait for the
whole dataflow. Within an epoch, what waits anywhere is taken in any order that keeps each channel's.
"""

import sqlite3
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.simulation.bytewax_database import Execution, Snapshot
from tests.simulation.process import Process

__all__ = ["Runtime"]

Items = list[Any]


class _Source:
    def __init__(self, step: Any, states: Mapping[tuple[str, str], Any]) -> None:
        self.id, self.down = step.step_id, step.down.stream_id
        self.parts = {
            part: step.source.build_part(self.id, part, states.get((self.id, part)))
            for part in step.source.list_parts()
        }


class _Windows:
    """A stateful operator."""

    def __init__(self, step: Any, states: Mapping[tuple[str, str], Any]) -> None:
        self.id, self.builder = step.step_id, step.builder
        self.logics = {key: step.builder(state) for (at, key), state in states.items() if at == self.id}
        self.awoken: dict[str, None] = {}

    def take(self, items: Items) -> Items:
        by_key: dict[str, Items] = {}
        for key, value in items:
            by_key.setdefault(key, []).append(value)
        out: Items = []
        for key, values in by_key.items():
            logic = self.logics.get(key)
            if logic is None:
                logic = self.logics[key] = self.builder(None)
            given, is_over = logic.on_batch(values)
            out += [(key, one) for one in given]
            if is_over:
                del self.logics[key]
            self.awoken[key] = None
        return out

    def snapshots(self) -> Iterable[Snapshot]:
        awoken, self.awoken = self.awoken, {}
        for key in awoken:
            yield self.id, key, self.logics[key].snapshot() if key in self.logics else None


class _Output:
    def __init__(self, step: Any, states: Mapping[tuple[str, str], Any]) -> None:
        self.id, self.sink = step.step_id, step.sink
        self.names = step.sink.list_parts()
        self.parts = {
            part: step.sink.build_part(self.id, part, state) for (at, part), state in states.items() if at == self.id
        }
        self.awoken: dict[str, None] = {}

    def take(self, items: Items) -> Items:
        by_part: dict[str, Items] = {}
        for key, value in items:
            by_part.setdefault(self.names[self.sink.part_fn(key) % len(self.names)], []).append(value)
        for part, values in by_part.items():
            if part not in self.parts:
                self.parts[part] = self.sink.build_part(self.id, part, None)
            self.parts[part].write_batch(values)
            self.awoken[part] = None
        return []

    def snapshots(self) -> Iterable[Snapshot]:
        awoken, self.awoken = self.awoken, {}
        for part in awoken:
            yield self.id, part, self.parts[part].snapshot()


class Runtime:
    """One execution of a dataflow, to the end of its sources."""

    def __init__(
        self, flow: Any, database: sqlite3.Connection | None, process: Process, tick: Callable[[], None]
    ) -> None:
        """Build every step.

        Args:
            flow: the dataflow.
            database: of its state, if it keeps one.
            process: what it runs in.
            tick: called now and then, as time passes.
        """
        self._process, self._tick = process, tick
        self._execution = None if database is None else Execution(database, process)
        states = {} if self._execution is None else self._execution.snapshots()
        self._channels: dict[str, deque[Any]] = {}  # by operator: each keeps its order
        self._readers: defaultdict[str, list[Callable[[Items], None]]] = defaultdict(list)
        self._takes: dict[str, Callable[[Items], Items]] = {}
        self._keeping: list[_Windows | _Output] = []
        self._output: _Output | None = None
        try:
            for step in _core_steps(flow):
                self._build(step, states)
        except BaseException:
            self._close()
            raise

    def run(self) -> None:
        """Run until every source has ended.

        Raises:
            Exception: whatever the steps raise.
        """
        epoch = 1 if self._execution is None else self._execution.epoch
        parts = list(self._source.parts)
        try:
            while parts:
                parts = self._run_epoch(epoch, parts)
                epoch += 1
        finally:
            self._close()

    def _close(self) -> None:
        """Close all partitions; a dead process holds no file either."""
        parts = [*self._source.parts.values(), *(self._output.parts.values() if self._output is not None else ())]
        for part in parts:
            part.close()

    def _run_epoch(self, epoch: int, parts: list[str]) -> list[str]:
        """One epoch; the partitions that have not ended in it."""
        random = self._process.random
        at_it, left, snapshots = list(parts), [], []
        share = random.choice((0.02, 0.1, 0.4))  # of looks at a partition that end its epoch
        while at_it or any(self._channels.values()):
            self._tick()
            waiting = [place for place, items in self._channels.items() if items]
            if waiting and (not at_it or random.random() < 0.6):
                self._take(random.choice(waiting))
                continue
            name = random.choice(at_it)
            part = self._source.parts[name]
            has_ended = False
            try:
                items = list(part.next_batch())
                part.next_awake()
                self._send(self._source.down, items)
            except StopIteration:
                has_ended = True
            if has_ended or random.random() < share:
                at_it.remove(name)
                snapshots.append((self._source.id, name, part.snapshot()))
                if has_ended:
                    self._source.parts.pop(name).close()
                else:
                    left.append(name)
        for step in self._keeping:
            snapshots += step.snapshots()
        if self._execution is not None:
            self._execution.end_epoch(epoch, snapshots)
        return [name for name in parts if name in left]

    def _take(self, step: str) -> None:
        """Let an operator take some of what waits for it."""
        waiting = self._channels[step]
        items = [waiting.popleft() for _ in range(self._process.random.randint(1, len(waiting)))]
        self._send(f"{step} down", self._takes[step](items))

    def _send(self, stream: str, items: Items) -> None:
        for reader in self._readers[stream] if items else ():
            reader(items)

    def _build(self, step: Any, states: Mapping[tuple[str, str], Any]) -> None:
        kind, name = type(step).__name__, step.step_id
        if kind == "input":
            self._source = _Source(step, states)
        elif kind == "branch":
            predicate, trues, falses = step.predicate, step.trues.stream_id, step.falses.stream_id

            def branch(items: Items) -> None:
                self._send(trues, [item for item in items if predicate(item)])
                self._send(falses, [item for item in items if not predicate(item)])

            self._readers[step.up.stream_id].append(branch)
        elif kind == "merge":
            for stream in step.ups.stream_ids.values():
                self._readers[stream].append(lambda items: self._send(step.down.stream_id, items))
        elif kind == "flat_map_batch":
            mapper = step.mapper
            self._operator(step, lambda items: list(mapper(items)))
        elif kind == "stateful_batch":
            windows = _Windows(step, states)
            self._keeping.append(windows)
            self._operator(step, windows.take)
        elif kind == "output":
            output = self._output = _Output(step, states)
            self._keeping.append(output)
            self._operator(step, output.take)
        else:
            raise NotImplementedError(f"{kind} of {name}")

    def _operator(self, step: Any, takes: Callable[[Items], Items]) -> None:
        """An operator that takes what waits for it whenever it is its turn."""
        self._takes[step.step_id] = takes
        self._channels[step.step_id] = waiting = deque()
        self._readers[step.up.stream_id].append(waiting.extend)
        if hasattr(step, "down"):
            self._readers[f"{step.step_id} down"].append(lambda items: self._send(step.down.stream_id, items))


def _core_steps(step: Any) -> Iterable[Any]:
    """The operators that Rust knows, in the order of the dataflow."""
    for inner in step.substeps:
        if inner.substeps:
            yield from _core_steps(inner)
        else:
            yield inner
